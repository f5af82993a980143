libweir_a_SOURCES += src/stage/stage.h
