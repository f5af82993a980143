/*
 * agent: everything that `weir run` keeps running.
 *
 * One loop, one checkpoint, one pipeline for each of the configuration. A pipeline that fails is built again after a pause
 * and goes on from what was delivered. Signals:
 *
 *   SIGTERM, SIGINT  stop the sources, deliver what is under way, write the checkpoint; after shutdown_timeout give up: what was
 *                    not delivered is counted in the log and sent again at the next start. A second one: exit at once.
 *   SIGHUP           load the configuration again: pipelines that changed are drained and built anew, the others go on
 *   SIGUSR1          write the state of every stage to the log
 */
#ifndef WEIR_AGENT_AGENT_H
#define WEIR_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct err;

/* How far the sources with a present end are; for a progress bar. */
struct agent_progress {
    uint64_t done, expected; /* bytes read, bytes there are; expected 0: not known */
    uint64_t records;
};

struct agent_options {
    bool once; /* end when every source is at its present end and everything is delivered */
    /* Load the configuration again for SIGHUP: a new one, or NULL after telling what is wrong with it. */
    struct config *(*reload)(void *arg);
    /* Called four times a second; NULL: nobody wants to know. */
    void (*progress)(void *arg, const struct agent_progress *p);
    void *arg;
};

/* Run *${config}, which is freed in the end (it may be another one by then), until it is over. 0: stopped as asked, everything delivered;
 * 1: something was not, or failed: the log, or ${e}, says what. */
int agent_run(struct config **config, const struct agent_options *options, struct err *e);

#endif
