# Built on demand: make bench, make bench-stages, make tests/bench/bench_json
bench_programs = tests/bench/generate tests/bench/receive tests/bench/measure tests/bench/pace
EXTRA_PROGRAMS += tests/bench/bench_json tests/bench/bench_stages $(bench_programs)
tests_bench_bench_json_SOURCES = tests/bench/bench_json.c
tests_bench_bench_json_LDADD = libweir.a $(EV_LIBS) $(JANSSON_LIBS) $(ZLIB_LIBS) $(PCRE2_LIBS)
tests_bench_bench_stages_SOURCES = tests/bench/bench_stages.c
tests_bench_bench_stages_LDADD = $(WEIR_LIBS)
tests_bench_generate_SOURCES = tests/bench/generate.c
tests_bench_receive_SOURCES = tests/bench/receive.c
tests_bench_measure_SOURCES = tests/bench/measure.c
tests_bench_pace_SOURCES = tests/bench/pace.c
EXTRA_DIST += scripts/demo tests/bench/run tests/bench/peers/rsyslog-copy.conf tests/bench/peers/rsyslog-json.conf
CLEANFILES += $(EXTRA_PROGRAMS)

# make bench BENCH="--peer rsyslog": see tests/bench/run --help
BENCH =
bench: weir$(EXEEXT) $(bench_programs)
	/usr/bin/python3 $(srcdir)/tests/bench/run --build . $(BENCH)
bench-programs: $(bench_programs)

# make bench-stages STAGES="redact timestamp"
STAGES =
bench-stages: tests/bench/bench_stages$(EXEEXT)
	tests/bench/bench_stages$(EXEEXT) $(STAGES)
.PHONY: bench bench-programs bench-stages
