/*
 * work: calls that block (getaddrinfo, fsync) run on a thread, their outcome comes back to the loop.
 *
 * One thread per loop, started with the first job; jobs run one after the other, in order. A job is a member of its owner's
 * object, and is not touched by the loop between work_start and `done`.
 */
#ifndef WEIR_BASE_WORK_H
#define WEIR_BASE_WORK_H

#include <stdbool.h>

#include "base/list.h"

struct err;
struct loop;
struct work;

struct job {
    /* On the thread: do it, and put the outcome into the object around the job. */
    void (*run)(struct job *j);
    /* On the loop: it is done. */
    void (*done)(struct job *j);
    struct list node; /* work's */
};

struct work *work_new(struct loop *loop, struct err *e);

/* Wait for the job that runs, call `done` for it and for those that did not start (without `run`), and free *${w}. */
void work_free(struct work **w);

/* Wait until every job handed over is done, and call back for each. */
void work_wait(struct work *w);

/* Hand ${j} over. */
void work_start(struct work *w, struct job *j);

#endif
