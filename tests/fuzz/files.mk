# libFuzzer targets: configure --enable-fuzz CC=clang, then for example
#     tests/fuzz/fuzz_json -dict=tests/fuzz/json.dict -max_total_time=60 tests/fuzz/corpus/json
if FUZZ
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
noinst_PROGRAMS += tests/fuzz/fuzz_checkpoint tests/fuzz/fuzz_config tests/fuzz/fuzz_expr tests/fuzz/fuzz_file_path tests/fuzz/fuzz_frames tests/fuzz/fuzz_framing \
    tests/fuzz/fuzz_spool tests/fuzz/fuzz_torn tests/fuzz/fuzz_json tests/fuzz/fuzz_relp \
    tests/fuzz/fuzz_join tests/fuzz/fuzz_redact tests/fuzz/fuzz_syslog_parse tests/fuzz/fuzz_timestamp tests/fuzz/fuzz_unpack tests/fuzz/fuzz_zone
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_expr_SOURCES = tests/fuzz/fuzz_expr.c
tests_fuzz_fuzz_expr_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_expr_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_file_path_SOURCES = tests/fuzz/fuzz_file_path.c
tests_fuzz_fuzz_file_path_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_file_path_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c
tests_fuzz_fuzz_json_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_checkpoint_SOURCES = tests/fuzz/fuzz_checkpoint.c
tests_fuzz_fuzz_checkpoint_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_checkpoint_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.c
tests_fuzz_fuzz_frames_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_frames_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_framing_SOURCES = tests/fuzz/fuzz_framing.c
tests_fuzz_fuzz_framing_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_framing_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_spool_SOURCES = tests/fuzz/fuzz_spool.c
tests_fuzz_fuzz_spool_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_spool_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_torn_SOURCES = tests/fuzz/fuzz_torn.c
tests_fuzz_fuzz_torn_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_torn_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_join_SOURCES = tests/fuzz/fuzz_join.c
tests_fuzz_fuzz_join_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_join_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_redact_SOURCES = tests/fuzz/fuzz_redact.c
tests_fuzz_fuzz_redact_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_redact_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_relp_SOURCES = tests/fuzz/fuzz_relp.c
tests_fuzz_fuzz_relp_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_relp_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_syslog_parse_SOURCES = tests/fuzz/fuzz_syslog_parse.c
tests_fuzz_fuzz_syslog_parse_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_syslog_parse_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_timestamp_SOURCES = tests/fuzz/fuzz_timestamp.c
tests_fuzz_fuzz_timestamp_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_timestamp_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_unpack_SOURCES = tests/fuzz/fuzz_unpack.c
tests_fuzz_fuzz_unpack_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_unpack_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_zone_SOURCES = tests/fuzz/fuzz_zone.c
tests_fuzz_fuzz_zone_LDADD = $(TEST_LIBS)
tests_fuzz_fuzz_zone_LDFLAGS = $(FUZZ_LINK)
endif
EXTRA_DIST += tests/fuzz/run tests/fuzz/json.dict tests/fuzz/expr.dict tests/fuzz/file_path.dict tests/fuzz/frames.dict tests/fuzz/join.dict tests/fuzz/redact.dict tests/fuzz/relp.dict tests/fuzz/syslog_parse.dict \
    tests/fuzz/timestamp.dict tests/fuzz/zone.dict tests/fuzz/corpus tests/unit/data
