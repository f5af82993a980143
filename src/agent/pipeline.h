/*
 * pipeline: one pipeline of the configuration, running.
 *
 *     source ─┐                                ┌─ [where] ─ [transforms] ─ [queue] ─ sink
 *     source ─┴─ [queue] transform ─ … ─ [tee] ┤
 *                                              └─ [where] ─ [transforms] ─ [queue] ─ sink
 *
 * Every box is a stream, every line a pipe. A sink may have dead letters, a file sink that it alone writes to, and which ends after
 * it. What waits in front of a stage is its own write queue, bounded by its mark; a queue with a drop policy, or on disk, is
 * a stream of its own (queue.h, disk_queue.h). All streams live and die together: the first failure
 * destroys the others. A pipeline is bounded by a pool of its own, so a stalled one cannot take the memory of others.
 */
#ifndef WEIR_AGENT_PIPELINE_H
#define WEIR_AGENT_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "stage/stage.h"

struct checkpoint;
struct loop;
struct pipeline;
struct pipeline_config;
struct stage_config;
struct watcher;
struct work;

/* What pipelines of one agent share. Outlives them. */
struct pipeline_env {
    struct loop *loop;
    struct work *work;
    struct watcher *watcher;
    struct work *disk_work; /* for queues on disk: names that are looked up in vain must not keep them waiting */
    struct checkpoint *checkpoint;
    const char *host;
    const char *data_dir; /* for queues on disk; NULL: none */
    bool once;
    bool hurry; /* the agent is stopping */
};

/* One stage of a running pipeline, for whoever wants to look. */
struct element {
    const struct stage_config *config; /* NULL: a part that is not configured (tee, queue) */
    bool disk; /* it is a disk queue; the next element is its sink */
    char *name, *scope;
    struct stage_env env;
    struct stage_stats stats;
    struct stream *stream; /* NULL before it is opened */
    bool letters; /* the dead letters of a sink: not one that everything goes to */
    int sink; /* the branch it belongs to: the number of its sink; -1: the common chain */
};

/* Build the pipeline that ${config} (which outlives it) describes, in ${memory} bytes, and let it run. ${done}(${arg}, p, e) is called once, when all of it
 * is closed; ${e} is NULL when its sources ended and everything was delivered. It may free the pipeline. NULL and ${e} on failure. */
struct pipeline *pipeline_new(struct pipeline_env *env, const struct pipeline_config *config,
                              uint64_t memory,
                              void (*done)(void *arg, struct pipeline *p, const struct err *e),
                              void *arg, struct err *e);

/* Take in nothing more; `done` follows when what is under way is delivered. What is in a queue on disk need not be: a sink behind one has a
 * moment to deliver what it has been given, then it is let go of, which is no failure. */
void pipeline_stop(struct pipeline *p);

/* Files outside may have been moved: let the stages let go of those that were. */
void pipeline_reopen(struct pipeline *p);

/* Give up what is under way; `done` follows with ${e}. */
void pipeline_abort(struct pipeline *p, const struct err *e);

/* Let it use ${memory} bytes from now on. */
void pipeline_set_memory(struct pipeline *p, uint64_t memory);

/* Free *${p}, which is done or was never anything. */
void pipeline_free(struct pipeline **p);

const struct pipeline_config *pipeline_configured(const struct pipeline *p);

/* The elements, sources first. */
struct element *pipeline_element(struct pipeline *p, size_t i);
size_t pipeline_size(const struct pipeline *p);

/* Records that were read and that sink ${sink} has neither delivered nor seen dropped on the way; with a queue on disk, that are not in it either. */
uint64_t pipeline_undelivered(const struct pipeline *p, int sink);

/* Write the state of each stage to the log. */
void pipeline_log_state(const struct pipeline *p);

#endif
