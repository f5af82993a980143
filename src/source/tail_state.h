/*
 * tail_state: the stream of the tail source, shared by tail.c (its life, events, scans) and tail_turn.c (its reading).
 */
#ifndef WEIR_SOURCE_TAIL_STATE_H
#define WEIR_SOURCE_TAIL_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "delivery/cut.h"
#include "record/pool.h"
#include "source/tail.h"

struct tail {
    struct stream *stream;
    struct stage_env *env;
    const struct tail_settings *set;
    struct tail_reader reader;
    struct tail_files files;
    struct step turn;            /* reads one file */
    struct pool_waiter room;     /* waits for a slab */
    struct cut_waiter loud;      /* waits until something may be read again */
    struct pool_filler filler;   /* gives one back */
    ev_timer scan_timer;         /* a scan that events asked for, held back */
    ev_timer timer;              /* the next of rotate_wait, close_inactive, rescan_interval */
    double scanned_at, scan_took;
    double rescan_at;            /* safety net: 0: none due */
    char *moved;                 /* what the last IN_MOVED_FROM named, and its cookie; or NULL */
    uint32_t cookie;
    bool wanted;                 /* the stream asks for data */
    bool stopped;
};

/* Let the next file that may have something to read have its turn, if somebody wants data. */
void tail_schedule(struct tail *t);

/* Arm the timer for ${at} (loop_now) unless it is armed for an earlier time. */
void tail_timer_by(struct tail *t, double at);

/* With --once: end when everything was read. */
void tail_end_if_done(struct tail *t);

/* The step: one file has a turn. */
void tail_turn(struct step *s);

/* Something may be read again. */
void tail_on_loud(struct cut_waiter *w);

/* There is room in the pool. */
void tail_on_room(struct pool_waiter *w);

#endif
