/*
 * loop: libev's loop, and steps that run later in it.
 *
 * A step is a member of the object it works for; deferring it never allocates and cannot fail. Two kinds:
 *
 *  - loop_defer: this tick. Runs after the event callbacks of this turn, before the loop polls again,
 *    together with whatever other steps defer meanwhile. Steps of higher rank first (downstream first, so
 *    that a chunk goes through the whole chain while it is in the cache), first in first out within a rank. Steps
 *    never nest: a step always starts from an empty stack.
 *  - loop_next: next turn. Runs after the loop has polled once more (without blocking), so that a source which
 *    always has data does not shut out timers and sockets.
 *
 * A step that is queued already stays where it is. One thread: everything here belongs to the thread that
 * runs the loop.
 */
#ifndef WEIR_BASE_LOOP_H
#define WEIR_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct ev_loop;
struct err;
struct loop;

#define LOOP_RANKS 256

struct step {
    struct list queued;
    void (*run)(struct step *s);
    uint8_t rank; /* 0..255; change only while not queued */
    bool pending;   /* queued, in either way */
    bool next_turn; /* queued by loop_next */
};

/* Prepare a step; it is in no queue. */
void step_init(struct step *s, void (*run)(struct step *), unsigned rank);

/* A loop of its own (not libev's default one). NULL and ${e} on failure. */
struct loop *loop_new(struct err *e);

/* Free *${loop} and clear it. No step may be queued and no watcher active. */
void loop_free(struct loop **loop);

/* The libev loop, to start watchers on. */
struct ev_loop *loop_ev(struct loop *loop);

/* Run ${s} in this tick (see above). */
void loop_defer(struct loop *loop, struct step *s);

/* Run ${s} in the next turn (see above). */
void loop_next(struct loop *loop, struct step *s);

/* Take ${s} out of its queue, if it is in one. */
void loop_cancel(struct loop *loop, struct step *s);

/* Run until loop_stop or until neither a step nor a watcher is left. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn: drain the tick, poll without blocking, call back, drain again. For tests and dry runs. Returns whether
 * a step is still queued. */
bool loop_turn(struct loop *loop);

/* Drain the tick's steps now. Must not be called from a step. */
void loop_tick(struct loop *loop);

/* For tests: pick among queued steps at random from now on, with this ${seed}; 0 restores the order. */
void loop_shuffle(struct loop *loop, uint64_t seed);

/* Seconds of CLOCK_MONOTONIC. */
double loop_now(void);

#endif
