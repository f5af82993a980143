libweir_a_SOURCES += \
    src/stage/stage.c src/stage/stage.h
