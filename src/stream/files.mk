libweir_a_SOURCES += \
    src/stream/bytes.c src/stream/bytes.h \
    src/stream/codes.c \
    src/stream/destroy.c \
    src/stream/event.c \
    src/stream/fd.c src/stream/fd.h \
    src/stream/finished.c \
    src/stream/internal.h \
    src/stream/look.c \
    src/stream/pipe.c \
    src/stream/pipeline.c \
    src/stream/readable.c \
    src/stream/stream.c src/stream/stream.h \
    src/stream/tee.c \
    src/stream/transform.c \
    src/stream/writable.c
