/*
 * dry_input: a source, read for looking at its records and not further than asked for.
 */
#ifndef WEIR_AGENT_DRY_INPUT_H
#define WEIR_AGENT_DRY_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "stage/stage.h"

struct batch;
struct err;

struct dry_input {
    const struct stage *type;
    const void *settings;
    struct stage_env env; /* complete, but for stats */
    int64_t limit;        /* records; 0: all */
    const bool *interrupted; /* set by somebody who calls loop_stop: enough */
    /* Record ${i} of ${b}. -1 and ${e}: stop. */
    int (*record)(void *arg, struct batch *b, size_t i, struct err *e);
    void *arg;
    struct stage_stats stats; /* out: of what was looked at */
};

/* Open the source, call `record` for each of its records, and close it. -1 and ${e}: it failed. */
int dry_input_read(struct dry_input *in, struct err *e);

/* Let standard input be ${path}; "-" leaves it as it is. -1 and ${e}. */
int dry_input_redirect(const char *path, struct err *e);

#endif
