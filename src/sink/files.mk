libweir_a_SOURCES += \
    src/sink/blackhole.c \
    src/sink/file.c \
    src/sink/file_name.c src/sink/file_name.h src/sink/file_path.c src/sink/file_path.h \
    src/sink/file_exact.c src/sink/file_exact.h \
    src/sink/file_options.c src/sink/file_options.h \
    src/sink/file_out.c src/sink/file_out.h src/sink/file_place.c src/sink/file_place.h \
    src/sink/file_rotate.c src/sink/file_rotate.h \
    src/sink/file_set.c src/sink/file_set.h src/sink/file_split.c src/sink/file_split.h \
    src/sink/torn.c src/sink/torn.h src/sink/torn_format.c src/sink/torn_format.h \
    src/sink/relp.c \
    src/sink/relp_frame.c src/sink/relp_frame.h src/sink/relp_session.c src/sink/relp_session.h \
    src/sink/relp_window.c src/sink/relp_window.h \
    src/sink/stdout.c \
    src/sink/tcp.c \
    src/sink/tcp_choice.c src/sink/tcp_choice.h \
    src/sink/tcp_flight.c src/sink/tcp_flight.h \
    src/sink/tcp_link.c src/sink/tcp_link.h src/sink/tcp_talk.c \
    src/sink/tcp_lookup.c src/sink/tcp_lookup.h
