/*
 * join_settle: which tickets go with what comes out of a batch that joins: see join.h.
 *
 * A batch with the ticket T of its bytes meets groups that were held (each with the tickets of its pieces) and leaves others behind:
 *
 *     pieces of held groups │ whole records │ pieces of groups that are held from now on
 *                        front            rest
 *
 * Where the three lie one behind the other, T is cut in three. Where they do not, or T cannot be cut, everything that shares it holds all of it, so that it is
 * settled together and no checkpoint comes to stand inside a joined record.
 */
#ifndef WEIR_STAGE_JOIN_SETTLE_H
#define WEIR_STAGE_JOIN_SETTLE_H

#include <stddef.h>

#include "base/list.h"

struct batch;
struct join_group;
struct join_groups;
struct record;

/* A place among the records that came. */
struct join_place {
    size_t index; /* SIZE_MAX: none */
    const char *text;
};

struct join_settle {
    struct batch *b;
    struct list done;        /* chunks of held groups that are complete, by `queued` */
    size_t done_count;
    size_t held_end;         /* behind the last piece of those */
    size_t done_end;         /* behind the last piece of anything complete */
    struct join_place whole; /* the first record that is no piece of those */
    struct join_place open;  /* the first piece of a group that stays open */
};

void join_settle_init(struct join_settle *s, struct batch *b);

/* After a failure: free what is complete; its tickets fail. */
void join_settle_clear(struct join_settle *s);

/* ${r}, the record at ${i}, is no piece of any group. */
void join_settle_other(struct join_settle *s, size_t i, const struct record *r);

/* ${g} is complete; a chunk that was held becomes the settlement's. */
void join_settle_done(struct join_settle *s, const struct join_group *g);

/* ${g} has pieces of the batch and is not complete. */
void join_settle_open(struct join_settle *s, const struct join_group *g);

/* The batch's tickets go to whom they belong: complete chunks, the open ones of ${gs}, and what is left of the batch. -1: no memory. */
int join_settle_tickets(struct join_settle *s, struct join_groups *gs);

#endif
