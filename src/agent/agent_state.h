/*
 * agent_state: what the parts of the agent share.
 *
 * agent.c  the whole: start, signals, stopping
 * slot.c   the place of one pipeline, across its failures and restarts
 * reload.c SIGHUP: from one configuration to the next
 */
#ifndef WEIR_AGENT_AGENT_STATE_H
#define WEIR_AGENT_AGENT_STATE_H

#include <ev.h>
#include <stdbool.h>

#include "agent/agent.h"
#include "agent/pipeline.h"
#include "base/list.h"

struct config;

/* A configuration that was loaded. Lives as long as it is the present one or a pipeline was built from it. */
struct generation {
    struct config *config;
    unsigned refs;
};

/* Takes ${config} over, with one reference. NULL: no memory, ${config} stays the caller's. */
struct generation *generation_new(struct config *config);
void generation_unref(struct generation *g);

enum slot_state {
    SLOT_RUNNING,
    SLOT_PAUSED,   /* failed, to be built again */
    SLOT_RENEWING, /* draining, to be built with the new configuration */
    SLOT_LEAVING,  /* draining, the new configuration does not have it */
    SLOT_OVER,     /* ended by itself, or stopped */
};

struct slot {
    struct list node;
    struct agent *agent;
    char *name;
    struct pipeline *pipeline;     /* NULL: none is running */
    struct generation *generation; /* that the pipeline was built from */
    enum slot_state state;
    ev_timer timer; /* until it is built again, or until draining is given up */
    double pause, started;
};

struct agent {
    const struct agent_options *options;
    struct generation *current;
    struct loop *loop;
    struct pipeline_env env;
    struct list slots;
    ev_signal term, intr, hup, usr1;
    ev_timer deadline, progress;
    struct agent_progress ended; /* of pipelines that are gone */
    char host[256];
    const char *data_dir; /* that the checkpoint is in, from start to end; NULL: none */
    bool stopping, failed;
    bool reload_again; /* SIGHUP came while a reload was under way */
};

/* The pipeline ${name} of the present configuration, or NULL. */
const struct pipeline_config *agent_find_config(const struct agent *a, const char *name);

/* The bytes that each pipeline may use. */
uint64_t agent_memory_share(const struct agent *a);

/* Add what the sources of ${p} have read to ${sum}. */
void agent_count(struct pipeline *p, struct agent_progress *sum);

/* Can what was read be read again? Otherwise building the pipeline anew would hide a loss. */
bool slot_replayable(const struct pipeline_config *config);

/* Stop the loop if no slot has anything to do any more. */
void agent_end_if_over(struct agent *a);

/* A place for the pipeline ${name}, which is started. -1: no memory. */
int slot_new(struct agent *a, const char *name);

/* Free ${slot}; a pipeline that still runs is destroyed. */
void slot_free(struct slot *slot);

/* Let what is under way be delivered, then do as ${then} says: SLOT_RENEWING or SLOT_LEAVING. Given up after shutdown_timeout. */
void slot_drain(struct slot *slot, enum slot_state then);

/* Count what was not delivered in the log and give it up: it is sent again after the next start. */
void slot_give_up(struct slot *slot);

/* For SIGHUP: load the configuration again and go over to it. */
void reload(struct agent *a);

/* A slot has gone over: if SIGHUP came meanwhile, and nothing is under way any more, load again. */
void reload_settled(struct agent *a);

#endif
