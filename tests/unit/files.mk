if HAVE_CHECK
check_PROGRAMS += tests/unit/test_jscan
TESTS += tests/unit/test_jscan
tests_unit_test_jscan_SOURCES = tests/unit/test_jscan.c tests/unit/fixture.h
tests_unit_test_jscan_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_jscan_LDADD = $(TEST_LIBS)
endif
