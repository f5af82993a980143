/*
 * config_stages: stages that exist for the tests of the configuration only. They have an option of every type.
 */
#ifndef WEIR_TESTS_CONFIG_STAGES_H
#define WEIR_TESTS_CONFIG_STAGES_H

#include "stage/stage.h"

struct expr;
struct path;

struct test_tail {
    struct strings include;
    int start_at;
    uint64_t max_line_bytes;
    double rescan_interval;
    bool strip_cr;
};

struct test_json {
    struct path *field;
    int on_error;
};

struct test_filter {
    struct expr *where;
};

struct test_gzip {
    int64_t level;
};

struct test_tcp {
    struct strings address;
    char *bind;
};

struct test_file {
    char *path;
    unsigned mode;
    struct {
        uint64_t max_bytes;
        int64_t keep;
    } rotate;
};

/* Sources tail, wire (bytes); transforms json, filter, gzip, pass; sinks tcp, lines (records only), file. NULL at the end. */
extern const struct stage *const config_stages[];

#endif
