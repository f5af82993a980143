libweir_a_SOURCES += \
    src/transform/filter.c src/transform/filter.h \
    src/transform/gzip.c \
    src/transform/json.c
