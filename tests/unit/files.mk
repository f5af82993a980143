if HAVE_CHECK
check_PROGRAMS += tests/unit/test_doc
TESTS += tests/unit/test_doc
tests_unit_test_doc_SOURCES = tests/unit/test_doc.c tests/unit/fixture.h
tests_unit_test_doc_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_doc_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_expr
TESTS += tests/unit/test_expr
tests_unit_test_expr_SOURCES = tests/unit/test_expr.c tests/unit/fixture.h
tests_unit_test_expr_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_expr_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_jscan
TESTS += tests/unit/test_jscan
tests_unit_test_jscan_SOURCES = tests/unit/test_jscan.c tests/unit/fixture.h
tests_unit_test_jscan_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_jscan_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_path
TESTS += tests/unit/test_path
tests_unit_test_path_SOURCES = tests/unit/test_path.c tests/unit/fixture.h
tests_unit_test_path_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_path_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_value
TESTS += tests/unit/test_value
tests_unit_test_value_SOURCES = tests/unit/test_value.c tests/unit/fixture.h
tests_unit_test_value_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_value_LDADD = $(TEST_LIBS)
endif
