# libFuzzer targets: configure --enable-fuzz CC=clang, then for example
#     tests/fuzz/fuzz_json -dict=tests/fuzz/json.dict -max_total_time=60 tests/fuzz/corpus/json
if FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_json tests/fuzz/fuzz_expr
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c
tests_fuzz_fuzz_json_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_expr_SOURCES = tests/fuzz/fuzz_expr.c
tests_fuzz_fuzz_expr_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_expr_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
EXTRA_DIST += tests/fuzz/json.dict tests/fuzz/expr.dict tests/fuzz/corpus tests/unit/data
