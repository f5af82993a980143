/*
 * pipeline_state: what the files of a running pipeline share: pipeline.c, which lets it live and die, and
 * pipeline_build.c, which makes streams of its configuration. Private to them.
 */
#ifndef WEIR_AGENT_PIPELINE_STATE_H
#define WEIR_AGENT_PIPELINE_STATE_H

#include <ev.h>

#include "agent/pipeline.h"
#include "base/loop.h"
#include "stream/stream.h"

struct cut;
struct filter_settings;
struct pool;

/* An element and how it is tied to the pipeline's life. */
struct part {
    struct element element;
    struct finished finished;
    struct listener ended; /* the last of what belongs to one of several sources */
    bool joins;            /* it is that */
    struct stream *letters; /* a sink's dead letters, which end when it has; NULL: none */
    struct listener safe;  /* a disk queue: all that will come is on disk */
    bool let_go;            /* stopping: how it ends is no failure */
    struct pipeline *pipeline;
};

struct pipeline {
    struct pipeline_env *env;
    const struct pipeline_config *config;
    struct pool *pool;
    struct cut *cut; /* NULL: no sink is cut back to the checkpoint */
    struct part *parts; /* in the order of ranks */
    size_t count, cap;
    size_t open;        /* streams not closed yet */
    size_t sources_left;
    struct stream *head; /* where several sources meet; NULL: there is one */
    struct stream **branches; /* of the tee; handed to parts */
    struct filter_settings *wheres; /* one for each sink */
    bool stopping, aborting;
    ev_timer grace; /* stopping: for sinks whose queue is safe on disk */
    struct err err;
    struct step closed; /* all streams are: tell, from an empty stack */
    void (*done)(void *arg, struct pipeline *p, const struct err *e);
    void *arg;
};

/* How many parts ${config} needs at most. */
size_t pipeline_count_parts(const struct pipeline_config *config);

/* Make the streams of ${p}, whose arrays and pool are there, and connect them. -1 and ${e} on failure: what was made stays in
 * its parts. */
int pipeline_build(struct pipeline *p, struct err *e);

/* The disk queue that is the part ${arg} has finished: what was to come is safe. */
void pipeline_part_safe(void *arg, struct stream_news *n);

/* The stream ${s} of the part ${arg} is closed, because of ${e} or in order. */
void pipeline_part_finished(void *arg, struct stream *s, const struct err *e);

#endif
