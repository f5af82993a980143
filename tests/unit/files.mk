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

if HAVE_CHECK
CONFIG_TEST_SOURCES = \
    tests/unit/config_stages.c tests/unit/config_stages.h \
    tests/unit/config_text.c tests/unit/config_text.h
CONFIG_TESTS = \
    tests/unit/test_config \
    tests/unit/test_config_files \
    tests/unit/test_config_problems \
    tests/unit/test_config_stages \
    tests/unit/test_config_units
check_PROGRAMS += $(CONFIG_TESTS)
TESTS += $(CONFIG_TESTS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c $(CONFIG_TEST_SOURCES) tests/unit/fixture.h
tests_unit_test_config_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_config_LDADD = $(TEST_LIBS)
tests_unit_test_config_files_SOURCES = tests/unit/test_config_files.c $(CONFIG_TEST_SOURCES) tests/unit/fixture.h
tests_unit_test_config_files_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_config_files_LDADD = $(TEST_LIBS)
tests_unit_test_config_problems_SOURCES = tests/unit/test_config_problems.c $(CONFIG_TEST_SOURCES) tests/unit/fixture.h
tests_unit_test_config_problems_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_config_problems_LDADD = $(TEST_LIBS)
tests_unit_test_config_stages_SOURCES = tests/unit/test_config_stages.c tests/unit/fixture.h
tests_unit_test_config_stages_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_config_stages_LDADD = $(TEST_LIBS)
tests_unit_test_config_units_SOURCES = tests/unit/test_config_units.c tests/unit/fixture.h
tests_unit_test_config_units_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_config_units_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_stage_cases
TESTS += tests/unit/test_stage_cases
tests_unit_test_stage_cases_SOURCES = tests/unit/test_stage_cases.c
tests_unit_test_stage_cases_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_stage_cases_LDADD = $(TEST_LIBS)
endif

# The parts that run: each program has a rig for one stage, pipeline or agent.
if HAVE_CHECK
RIG_SOURCES = tests/unit/rig.c tests/unit/rig.h
RIG_TESTS = \
    tests/unit/test_base \
    tests/unit/test_loop \
    tests/unit/test_pool \
    tests/unit/test_wire \
    tests/unit/test_cut \
    tests/unit/test_delivery \
    tests/unit/test_frames \
    tests/unit/test_glob \
    tests/unit/test_gunzip \
    tests/unit/test_join \
    tests/unit/test_tail_file \
    tests/unit/test_tail \
    tests/unit/test_stages \
    tests/unit/test_sinks \
    tests/unit/test_agent
check_PROGRAMS += $(RIG_TESTS)
TESTS += $(RIG_TESTS)
tests_unit_test_base_SOURCES = tests/unit/test_base.c $(RIG_SOURCES)
tests_unit_test_base_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_base_LDADD = $(TEST_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c $(RIG_SOURCES)
tests_unit_test_loop_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_loop_LDADD = $(TEST_LIBS)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c $(RIG_SOURCES)
tests_unit_test_pool_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_pool_LDADD = $(TEST_LIBS)
tests_unit_test_wire_SOURCES = tests/unit/test_wire.c $(RIG_SOURCES)
tests_unit_test_wire_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_wire_LDADD = $(TEST_LIBS)
tests_unit_test_cut_SOURCES = tests/unit/test_cut.c $(RIG_SOURCES)
tests_unit_test_cut_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_cut_LDADD = $(TEST_LIBS)
tests_unit_test_delivery_SOURCES = tests/unit/test_delivery.c $(RIG_SOURCES)
tests_unit_test_delivery_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_delivery_LDADD = $(TEST_LIBS)
tests_unit_test_frames_SOURCES = tests/unit/test_frames.c $(RIG_SOURCES)
tests_unit_test_frames_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_frames_LDADD = $(TEST_LIBS)
tests_unit_test_glob_SOURCES = tests/unit/test_glob.c $(RIG_SOURCES)
tests_unit_test_glob_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_glob_LDADD = $(TEST_LIBS)
tests_unit_test_gunzip_SOURCES = tests/unit/test_gunzip.c $(RIG_SOURCES)
tests_unit_test_gunzip_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_gunzip_LDADD = $(TEST_LIBS)
tests_unit_test_join_SOURCES = tests/unit/test_join.c $(RIG_SOURCES)
tests_unit_test_join_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_join_LDADD = $(TEST_LIBS)
tests_unit_test_tail_file_SOURCES = tests/unit/test_tail_file.c $(RIG_SOURCES)
tests_unit_test_tail_file_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_tail_file_LDADD = $(TEST_LIBS)
tests_unit_test_tail_SOURCES = tests/unit/test_tail.c $(RIG_SOURCES)
tests_unit_test_tail_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_tail_LDADD = $(TEST_LIBS)
tests_unit_test_stages_SOURCES = tests/unit/test_stages.c $(RIG_SOURCES)
tests_unit_test_stages_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_stages_LDADD = $(TEST_LIBS)
tests_unit_test_sinks_SOURCES = tests/unit/test_sinks.c $(RIG_SOURCES)
tests_unit_test_sinks_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_sinks_LDADD = $(TEST_LIBS)
tests_unit_test_agent_SOURCES = tests/unit/test_agent.c $(RIG_SOURCES)
tests_unit_test_agent_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_agent_LDADD = $(TEST_LIBS)
endif
TESTS += tests/unit/includes.sh tests/unit/named_tests.sh
EXTRA_DIST += tests/unit/includes.sh tests/unit/named_tests.sh

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_torn
TESTS += tests/unit/test_torn
tests_unit_test_torn_SOURCES = tests/unit/test_torn.c
tests_unit_test_torn_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_torn_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
if OPENSSL
check_PROGRAMS += tests/unit/test_tls
TESTS += tests/unit/test_tls
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c tests/unit/certs.c tests/unit/certs.h tests/unit/rig.c tests/unit/rig.h
tests_unit_test_tls_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_tls_LDADD = $(TEST_LIBS)
endif
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_tcp_choice
TESTS += tests/unit/test_tcp_choice
tests_unit_test_tcp_choice_SOURCES = tests/unit/test_tcp_choice.c
tests_unit_test_tcp_choice_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_tcp_choice_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_time
TESTS += tests/unit/test_time
tests_unit_test_time_SOURCES = tests/unit/test_time.c
tests_unit_test_time_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_time_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
STAGE_RIG_SOURCES = tests/unit/stage_rig.c tests/unit/stage_rig.h $(RIG_SOURCES)
check_PROGRAMS += tests/unit/test_timestamp
TESTS += tests/unit/test_timestamp
tests_unit_test_timestamp_SOURCES = tests/unit/test_timestamp.c $(STAGE_RIG_SOURCES)
tests_unit_test_timestamp_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_timestamp_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_syslog_parse
TESTS += tests/unit/test_syslog_parse
tests_unit_test_syslog_parse_SOURCES = tests/unit/test_syslog_parse.c $(STAGE_RIG_SOURCES)
tests_unit_test_syslog_parse_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_syslog_parse_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_redact
TESTS += tests/unit/test_redact
tests_unit_test_redact_SOURCES = tests/unit/test_redact.c $(STAGE_RIG_SOURCES)
tests_unit_test_redact_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_redact_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_shaping
TESTS += tests/unit/test_shaping
tests_unit_test_shaping_SOURCES = tests/unit/test_shaping.c $(STAGE_RIG_SOURCES)
tests_unit_test_shaping_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_shaping_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_file_paths
TESTS += tests/unit/test_file_paths
tests_unit_test_file_paths_SOURCES = tests/unit/test_file_paths.c $(RIG_SOURCES)
tests_unit_test_file_paths_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_file_paths_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_relp
TESTS += tests/unit/test_relp
tests_unit_test_relp_SOURCES = tests/unit/test_relp.c $(RIG_SOURCES)
tests_unit_test_relp_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_relp_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_tail_model
TESTS += tests/unit/test_tail_model
tests_unit_test_tail_model_SOURCES = tests/unit/test_tail_model.c tests/unit/tail_model.c tests/unit/tail_model.h $(RIG_SOURCES)
tests_unit_test_tail_model_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_tail_model_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/unit/test_spool
TESTS += tests/unit/test_spool
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c $(RIG_SOURCES)
tests_unit_test_spool_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_spool_LDADD = $(TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_disk_queue
TESTS += tests/unit/test_disk_queue
tests_unit_test_disk_queue_SOURCES = tests/unit/test_disk_queue.c $(RIG_SOURCES)
tests_unit_test_disk_queue_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_disk_queue_LDADD = $(TEST_LIBS)
endif
