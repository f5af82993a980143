/*
 * cut_state: what the files of the cut share: cut.c, when it is taken, and cut_output.c, the outputs. Private to them.
 */
#ifndef WEIR_DELIVERY_CUT_STATE_H
#define WEIR_DELIVERY_CUT_STATE_H

#include <ev.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/work.h"
#include "delivery/cut.h"

struct cut {
    struct loop *loop;
    struct work *work;
    struct checkpoint *cp;
    struct checkpoint_hold *hold;
    char *pipeline;
    size_t uncovered;
    struct list outputs; /* struct cut_output */
    struct list fresh;   /* opened while the worker walks those */
    struct list waiters; /* struct cut_waiter */
    bool restored;       /* the outputs were cut back */

    /* when it is taken: */
    ev_timer timer;
    bool changed;        /* since it was taken */
    bool wanted;         /* it is time */
    bool quiet;          /* the sources read nothing */
    bool abandoned, told;
    double since;        /* loop_now when it was wanted first */
    double turn;         /* when the present turn of quiet, or of not quiet, is over */
    double patience;     /* how long a turn takes */
    double pause;        /* until it is looked at again */

    /* while the outputs are brought to the disk: */
    struct job job;
    bool busy;
    struct buf text;     /* of the sources */
    struct err err;
    void (*failed)(void *arg, const struct err *e);
    void *failed_arg;
    void (*done)(void *arg);
    void *done_arg;
    bool finishing;
};

struct cut_output {
    struct list node;
    struct cut *cut;
    struct checkpoint_output *kept; /* what the checkpoint says of it */
    int fd;          /* -1: closed */
    int fresh_fd;    /* takes its place when the worker is done; -1: none */
    bool open;       /* a sink writes to it */
    bool dir_synced; /* its name is on the disk */
    uint64_t stamp;  /* of the checkpoint that names it */
    uint64_t length;
    /* while they are brought to the disk: */
    bool leaving;    /* the checkpoint needs not name it any more */
    uint64_t next_length;
    struct mark next_mark;
};

/* Something is to be taken; it is to be taken as soon as may be. */
void cut_touch(struct cut *cut);
void cut_want(struct cut *cut);

/* Note how long the outputs are now. */
void cut_outputs_note(struct cut *cut);
/* Bring them to the disk that far: on the worker. */
void cut_outputs_sync(struct cut *cut, struct err *e);
/* The worker is done. */
void cut_outputs_synced(struct cut *cut);
/* The checkpoint says so from now on. */
void cut_outputs_keep(struct cut *cut);
void cut_outputs_free(struct cut *cut);

#endif
