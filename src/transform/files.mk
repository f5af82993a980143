libweir_a_SOURCES += \
    src/transform/filter.c \
    src/transform/gzip.c \
    src/transform/json.c
