libweir_a_SOURCES += \
    src/source/connection.c src/source/connection.h \
    src/source/connections.c src/source/connections.h \
    src/source/datagrams.c src/source/datagrams.h \
    src/source/feed.c src/source/feed.h \
    src/source/frames.c src/source/frames.h \
    src/source/glob.c src/source/glob.h \
    src/source/intake.c src/source/intake.h \
    src/source/listen.c src/source/listen.h \
    src/source/peers.c src/source/peers.h \
    src/source/stdin.c \
    src/source/syslog_source.c \
    src/source/tail.c src/source/tail.h \
    src/source/tail_batch.c \
    src/source/tail_content.c \
    src/source/tail_copy.c src/source/tail_copy.h \
    src/source/tail_file.c \
    src/source/tail_files.c \
    src/source/tail_log.c \
    src/source/tail_lost.c \
    src/source/tail_open.c \
    src/source/tail_options.c \
    src/source/tail_places.c \
    src/source/tail_state.h \
    src/source/tail_turn.c \
    src/source/tail_unpack.c \
    src/source/tcp_source.c \
    src/source/udp_source.c \
    src/source/unix_source.c \
    src/source/unpack.c src/source/unpack.h \
    src/source/watch.c src/source/watch.h
