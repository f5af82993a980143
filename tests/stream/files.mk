if HAVE_CHECK
check_PROGRAMS += tests/stream/conformance tests/stream/extra tests/stream/plumbing
TESTS += tests/stream/conformance tests/stream/extra tests/stream/plumbing
tests_stream_conformance_SOURCES = \
    tests/stream/behaviours.h \
    tests/stream/conformance.c \
    tests/stream/destroy_behaviours.c \
    tests/stream/flow_behaviours.c \
    tests/stream/readable_behaviours.c \
    tests/stream/writable_behaviours.c \
    tests/stream/world.c tests/stream/world.h
tests_stream_conformance_CFLAGS = $(TEST_CFLAGS)
tests_stream_conformance_LDADD = $(TEST_LIBS)
tests_stream_extra_SOURCES = tests/stream/extra.c tests/stream/world.c tests/stream/world.h
tests_stream_extra_CFLAGS = $(TEST_CFLAGS)
tests_stream_extra_LDADD = $(TEST_LIBS)
tests_stream_plumbing_SOURCES = tests/stream/plumbing.c tests/stream/world.c tests/stream/world.h
tests_stream_plumbing_CFLAGS = $(TEST_CFLAGS)
tests_stream_plumbing_LDADD = $(TEST_LIBS)
check_PROGRAMS += docs/examples/gzip-to-socket
TESTS += tests/stream/example.sh
docs_examples_gzip_to_socket_SOURCES = docs/examples/gzip-to-socket.c
docs_examples_gzip_to_socket_LDADD = libweir.a $(EV_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS)
endif
EXTRA_DIST += tests/stream/example.sh docs/streams.md
