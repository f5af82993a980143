# Built on demand: make tests/bench/bench_json
EXTRA_PROGRAMS += tests/bench/bench_json
tests_bench_bench_json_SOURCES = tests/bench/bench_json.c
tests_bench_bench_json_LDADD = libweir.a $(EV_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(PCRE2_LIBS)
CLEANFILES += $(EXTRA_PROGRAMS)
