libweir_a_SOURCES += \
    src/sink/blackhole.c \
    src/sink/file.c \
    src/sink/gzip_tail.c src/sink/gzip_tail.h \
    src/sink/stdout.c \
    src/sink/tcp.c src/sink/tcp.h src/sink/tcp_link.c
