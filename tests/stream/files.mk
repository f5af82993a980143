if HAVE_CHECK
check_PROGRAMS += tests/stream/conformance
TESTS += tests/stream/conformance
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
endif
