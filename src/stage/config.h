/*
 * config: a whole configuration, read and checked.
 *
 * config_load reads a file, or every *.json of a directory in name order, and what their `include` names, into one
 * struct config. It opens nothing but those files and what ${file:…} names. All problems are
 * collected (config/report.h); a configuration with one problem is not returned.
 */
#ifndef WEIR_STAGE_CONFIG_H
#define WEIR_STAGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"
#include "stage/stage.h"

struct config_report;
struct expr;
struct node;

enum queue_type { QUEUE_MEMORY, QUEUE_DISK };
enum when_full { WHEN_FULL_BLOCK, WHEN_FULL_DROP_NEWEST, WHEN_FULL_DROP_OLDEST };

/* The bound on what may wait in front of a stage. */
struct queue_config {
    int type; /* enum queue_type; QUEUE_DISK: a sink's, there is a data_dir then */
    uint64_t max_bytes;
    int when_full; /* enum when_full */
};

struct stage_config;

struct stage_list {
    struct stage_config *items;
    size_t count;
};

struct stage_config {
    const struct stage *type;
    char *type_name;           /* as written; equals type->type */
    char *name;                /* never NULL; unique in the pipeline */
    void *settings;            /* type->settings_size bytes, described by type->options */
    struct queue_config queue; /* in front of it; of a source, what it may have read ahead, and always WHEN_FULL_BLOCK */
    struct expr *where;        /* sinks: send only records for which it is true; NULL: all */
    struct stage_list transforms; /* a chain of its own: of a sink, in front of it, behind where; of a source, behind it: its multiline */
    struct stage_list dead_letters; /* a sink's: the file sink, if any, for records that it can never deliver, as SINK.dead_letter */
    const struct node *at;     /* while it is loaded: where it is written; then NULL */
};

struct pipeline_config {
    char *name;
    struct stage_list sources, transforms, sinks; /* at least one source and one sink */
    const struct node *at; /* as above */
};

struct config {
    char *data_dir;          /* NULL: no checkpoints are kept */
    uint64_t memory_limit;   /* bytes */
    double shutdown_timeout; /* seconds */
    struct strings include;  /* already followed */
    struct pipeline_config *pipelines; /* at least one, in the order they are written */
    size_t pipeline_count;
    struct strings secrets; /* paths (pipelines.app.sinks[0].address) of values never to be printed */
};

/* The table of the top level, for schema and manual. */
extern const struct option config_options[];

/* Read ${path} with the stages of ${table}. NULL: ${report} (zeroed before) holds at least one problem, sorted, or
 * has failed set. Free with config_free. */
struct config *config_load(const char *path, const struct stage *const *table,
                           struct config_report *report);

/* The same for ${text} of ${len} bytes, which messages call ${name}; `include` is relative to its folder. */
struct config *config_parse(const char *name, const char *text, size_t len,
                            const struct stage *const *table, struct config_report *report);

void config_free(struct config **config);

/* Do two pipelines say the same, names and substituted values included? */
bool pipeline_config_same(const struct pipeline_config *a, const struct pipeline_config *b);

#endif
