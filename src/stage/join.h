/*
 * join: transforms that make one record of several that follow each other in a log.
 *
 * Records come in order within a log (struct origin: a file and those it was rotated into, a connection). A log may have several
 * streams that are woven into each other (stdout and stderr); those are joined apart. For each record such a stage says what it is
 * to the group that was begun before it in its stream: the rest is here.
 *
 *  - A group ends when a record says so, when the next one begins, when nothing was added for `timeout`, or when it would grow past
 *    `max_bytes`: then what there is goes on as a record (counted as truncated) and the rest begins another. Nothing is thrown away.
 *  - What is not complete at the end of a batch is copied out of it, so that it holds no slab; all that is held so is bounded by a quarter of the
 *    pipeline's memory, past which the longest untouched group goes on as it is (counted as truncated).
 *  - Nothing of a log counts as delivered while a group is open that began before it, so a checkpoint stands in front of a joined record or
 *    behind it, never inside (join_settle.h). Where the ticket of a batch cannot be cut, a checkpoint stands further back. Behind a fan-out,
 *    where another branch may lag, what was delivered whole may come again in part after a crash.
 *  - At the end of the input all groups go on. With `give_back` an incomplete one that will be read again is not: the next start
 *    finds it whole. One whose file is gone (origin->gone) will not, and goes on.
 */
#ifndef WEIR_STAGE_JOIN_H
#define WEIR_STAGE_JOIN_H

#include "record/value.h"
#include "stage/each.h"
#include "stage/stage.h"

/* What a record is to the group begun before it in its stream. */
enum join_verdict {
    JOIN_ALONE, /* stands for itself: the group ends in front of it */
    JOIN_BEGIN, /* begins a group: the one before ends in front of it */
    JOIN_MORE,  /* belongs to the group; with none begun, begins one */
    JOIN_LAST,  /* belongs to the group and completes it; with none begun, stands for itself */
};

/* What a record adds. */
struct join_piece {
    struct value text;   /* a plain string that lives as long as the batch */
    struct value stream; /* a plain string: which stream of its log; null: there is one only */
    int kind;            /* the stage's own, from look to judge */
};

struct join_limits {
    double timeout;     /* seconds */
    uint64_t max_bytes; /* of the joined text */
};

struct join_ops {
    size_t self_size; /* of the private struct, which is zeroed first */
    const char *between; /* put between two pieces */
    bool give_back;
    /* As in each.h; either may be NULL. */
    int (*init)(void *self, struct stage_env *env, const void *settings, struct err *e);
    void (*clear)(void *self);
    /* Make of ${r} what it is when it stands alone and fill in ${piece}. Anything but EACH_PASS: it is no piece of any group, and passed on
     * or dropped as each.h says. */
    enum each_verdict (*look)(void *self, const void *settings, struct batch *b, struct record *r,
                              struct join_piece *piece, struct each_why *why);
    /* What is ${piece}? *${state} is the stage's memory of the group, 0 when there is none. */
    enum join_verdict (*judge)(void *self, const void *settings, const struct join_piece *piece, uint32_t *state);
    /* ${r} is the first record of a group of several: let it say ${text}, which lives as long as ${b}. -1: no memory. */
    int (*put)(void *self, const void *settings, struct batch *b, struct record *r, const struct value *text);
};

/* The stream of a stage with these ${ops}, which outlive it. NULL and ${e} on failure. */
struct stream *join_open(const struct join_ops *ops, const struct join_limits *limits,
                         struct stage_env *env, const void *settings, struct err *e);

#endif
