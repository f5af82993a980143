/*
 * dry_run: what the configuration would do with real input, told record by record, with no side effect.
 *
 * The stages are the real ones, opened with env.dry; only the two ends are exchanged: a source reads without moving a checkpoint, and
 * in place of a sink stands its preview. Records go through the chain one at a time, so that each result is known to be that of its
 * record. Nothing is connected, listened on, created, written, renamed or removed.
 */
#ifndef WEIR_AGENT_DRY_RUN_H
#define WEIR_AGENT_DRY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "stage/stage.h"

struct config;
struct err;

enum dry_from { DRY_START, DRY_CHECKPOINT, DRY_END };

/* A field that a stage changed; texts are compact JSON, NULL: not there. */
struct dry_change {
    char *path, *before, *after;
};

/* What one stage did with the record. */
struct dry_step {
    const char *stage;
    const char *sink;    /* the branch it belongs to; NULL: the common chain */
    const char *verdict; /* pass, drop, error, split, merge */
    char reason[256];    /* "": nothing to add */
    double seconds;
    struct dry_change *changes;
    size_t change_count;
};

/* What one sink would send. */
struct dry_output {
    const char *sink;
    struct buf bytes;
    struct buf place; /* path or address */
};

/* The account of one record, or (source NULL) of what stages still held in the end. */
struct dry_account {
    const char *pipeline;
    const char *source; /* the stage */
    const char *path;   /* of the file; NULL: none */
    uint64_t offset;
    const char *input;
    size_t input_len;
    bool truncated;
    struct dry_step *steps;
    size_t step_count;
    struct dry_output *outputs;
    size_t output_count;
};

#define DRY_EXAMPLES 3

/* The sum over all records of one stage. */
struct dry_total {
    const char *pipeline, *stage, *sink;
    enum stage_kind kind;
    enum payload out;
    struct stage_stats stats;
    struct buf examples[STAGE_REASONS]; /* for each reason of a drop: the first places, one a line */
    struct buf error_examples; /* the first errors: place and reason, one a line */
};

struct dry_summary {
    uint64_t records_in, records_out; /* out: to all sinks together, as records go in */
    uint64_t dropped, errors, truncated;
    struct dry_total *totals;
    size_t total_count;
};

struct dry_options {
    int64_t limit;        /* records a source; 0: all */
    const char *input;    /* read this in place of all sources: a file, or "-"; NULL: the sources */
    const char *pipeline; /* this one only; NULL: all */
    enum dry_from from;
    /* One account each; valid during the call. */
    void (*account)(void *arg, const struct dry_account *a);
    void *arg;
};

/* Do it. The summary is filled, and freed with dry_summary_clear, also on failure. -1 and ${e}: something could not be done. */
int dry_run(const struct config *config, const struct dry_options *options,
            struct dry_summary *summary, struct err *e);

void dry_summary_clear(struct dry_summary *summary);

#endif
