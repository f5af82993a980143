#include "stage/stages.h"

#include <string.h>

#include "stage/config.h"

/* One line a stage, in the order in which weir list shows them. */
#define STAGES(X)                                                                                  \
    X(tail)                                                                                        \
    X(stdin)                                                                                       \
    X(tcp_source)                                                                                  \
    X(udp_source)                                                                                  \
    X(unix_source)                                                                                 \
    X(syslog_source)                                                                               \
    X(multiline)                                                                                   \
    X(cri)                                                                                         \
    X(docker)                                                                                      \
    X(json)                                                                                        \
    X(regex)                                                                                       \
    X(logfmt)                                                                                      \
    X(csv)                                                                                         \
    X(syslog_parse)                                                                                \
    X(timestamp)                                                                                   \
    X(filter)                                                                                      \
    X(sample)                                                                                      \
    X(throttle)                                                                                    \
    X(dedupe)                                                                                      \
    X(set)                                                                                         \
    X(remove)                                                                                      \
    X(keep)                                                                                        \
    X(rename)                                                                                      \
    X(redact)                                                                                      \
    X(gunzip)                                                                                      \
    X(gzip)                                                                                        \
    X(zstd)                                                                                        \
    X(lz4)                                                                                         \
    X(tcp)                                                                                         \
    X(relp)                                                                                        \
    X(file)                                                                                        \
    X(stdout)                                                                                      \
    X(blackhole)

#define DECLARE(name) extern const struct stage stage_##name;
#define ROW(name)     &stage_##name,

STAGES(DECLARE)

const struct stage *const stages[] = {STAGES(ROW) NULL};

/* Types that the contract names and this version does not have. */
static const char *const planned_sources[] = {
    "journald",
    "exec",
    "forward",
    "http",
    NULL,
};
static const char *const planned_transforms[] = {NULL};
static const char *const planned_sinks[] = {
    "http",
    "s3",
    "kafka",
    "forward",
    "lumberjack",
    "syslog",
    NULL,
};

static const char *const queue_types[] = {
    [QUEUE_MEMORY] = "memory",
    [QUEUE_DISK] = "disk",
    NULL,
};
static const char *const when_full[] = {
    [WHEN_FULL_BLOCK] = "block",
    [WHEN_FULL_DROP_NEWEST] = "drop_newest",
    [WHEN_FULL_DROP_OLDEST] = "drop_oldest",
    NULL,
};

static const struct option queue_options[] = {
    {"type", OPTION_CHOICE, offsetof(struct queue_config, type), .fallback = "\"memory\"",
     .choices = queue_types,
     .words = "Where the queue is kept. disk: of a sink only, in data_dir: what is in it counts as delivered for the source, and outlives a "
              "restart."},
    {"max_bytes", OPTION_SIZE, offsetof(struct queue_config, max_bytes), .fallback = "\"1MiB\"",
     .min = 1,
     .words = "How much may wait in front of the stage, counted as it occupies memory; on disk, all files of the queue together, at least "
              "4MiB."},
    {"when_full", OPTION_CHOICE, offsetof(struct queue_config, when_full), .fallback = "\"block\"",
     .choices = when_full,
     .words = "What happens when the queue is full: block throttles what is upstream, up to the "
              "sources; "
              "drop_newest and drop_oldest (not of a disk queue) drop records, each counted and logged with its stage."},
    {0},
};

#define COMMON                                                                                     \
    {"type", OPTION_STRING, offsetof(struct stage_config, type_name), .required = true,            \
     .words = "Which stage this is."},                                                             \
        {"name", OPTION_STRING, offsetof(struct stage_config, name),                               \
         .words = "What it is called in logs and metrics: letters, digits, _, - and . only, "      \
                  "unique in the "                                                                 \
                  "pipeline. Default: its type, from the second one on with a number, as tcp-2."}, \
    {                                                                                              \
        "queue", OPTION_OBJECT, offsetof(struct stage_config, queue),                              \
            .fields = queue_options,                                                               \
            .words = "The bound on what may wait in front of the stage; for a source, what it "    \
                     "may have read ahead."                                                        \
    }

static const struct option source_options[] = {
    COMMON,
    {"multiline", OPTION_OTHER,
     .words = "Make one record of lines that belong together: an object with the options of the transform multiline, which then stands right "
              "behind this source."},
    {0},
};

static const struct option transform_options[] = {
    COMMON,
    {"workers", OPTION_ABSENT, .words = "offloading a stage to workers"},
    {0},
};

static const struct option sink_options[] = {
    COMMON,
    {"where", OPTION_EXPR, offsetof(struct stage_config, where),
     .words = "Only records for which this expression is true go to this sink. Default: all."},
    {"transforms", OPTION_OTHER,
     .words = "A chain of transforms of this sink alone, behind `where`."},
    {"dead_letter", OPTION_OTHER,
     .words = "Where records go that this sink can never deliver, with the reason: {\"type\": \"file\", \"path\": …} with the options of the sink file "
              "but encoding. Without it they are dropped, counted and logged."},
    {0},
};

const struct option stages_dead_letter[] = {
    {"type", OPTION_STRING, offsetof(struct stage_config, type_name), .required = true, .words = "\"file\", the only one."},
    {0},
};

const struct option *stages_common(enum stage_kind kind)
{
    switch (kind) {
    case STAGE_SOURCE: return source_options;
    case STAGE_TRANSFORM: return transform_options;
    case STAGE_SINK: return sink_options;
    }
    return NULL;
}

const struct stage *stages_find(const struct stage *const *table, enum stage_kind kind,
                                const char *type)
{
    for (size_t i = 0; table[i] != NULL; i++) {
        if (table[i]->kind == kind && strcmp(table[i]->type, type) == 0)
            return table[i];
    }
    return NULL;
}

bool stages_planned(enum stage_kind kind, const char *type)
{
    const char *const *planned = kind == STAGE_SOURCE      ? planned_sources
                                 : kind == STAGE_TRANSFORM ? planned_transforms
                                                           : planned_sinks;
    for (size_t i = 0; planned[i] != NULL; i++) {
        if (strcmp(planned[i], type) == 0)
            return true;
    }
    return false;
}

const char *stages_kind_name(enum stage_kind kind)
{
    static const char *const names[] = {"source", "transform", "sink"};
    return names[kind];
}

const char *stages_payload_name(enum payload payload)
{
    static const char *const names[] = {"nothing", "records", "bytes", "records or bytes"};
    return names[payload];
}
