/*
 * ticket: the receipt that travels with data so that its source knows when it may forget it.
 *
 * A source makes a ticket for each chunk: "this byte range of this file". It follows the data: each chunk that
 * holds some of it is one holder; a fork adds one. A holder ends in one of two ways: delivered (a sink
 * says so, or a stage dropped the data on purpose and counted it) or failed (released with no verdict). When the
 * last holder has ended, the owner's `settled` is called, once, with delivered only if all were.
 *
 * A ticket with one holder can be cut in two, where a stage keeps the end of a chunk back and passes the beginning on.
 *
 * Sets are what a chunk holds: mostly one ticket, many after a stage that merges chunks.
 */
#ifndef WEIR_RECORD_TICKET_H
#define WEIR_RECORD_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ticket {
    uint32_t holders;
    bool failed;
    /* Called with no holder left; the owner frees or keeps ${t}. */
    void (*settled)(struct ticket *t, bool delivered);
    /* Let ${t}, which has one holder, stand for what begins at ${offset} alone. Returns a ticket, with no holder yet, for what it stood for
     * before that; the ${len} bytes at ${before} are those in front of ${offset}. NULL: no memory. The hook itself may be NULL: it
     * cannot be cut. */
    struct ticket *(*cut)(struct ticket *t, uint64_t offset, const char *before, size_t len);
    /* Something of what it stands for is in an output that is cut back to the checkpoint (delivery/cut.h). NULL: nobody asks. */
    void (*stored)(struct ticket *t);
};

struct ticket_set {
    struct ticket *one;   /* when count is 1 and many is NULL */
    struct ticket **many; /* else an array of count, of mem_alloc */
    size_t count, cap;
};

/* One holder ended. */
void ticket_end(struct ticket *t, bool delivered);

/* ${set} becomes a further holder of ${t}. -1: no memory (it is not a holder then). */
int ticket_set_add(struct ticket_set *set, struct ticket *t);

/* Every ticket of ${from} gains the holder ${to} (empty before). -1: no memory, ${to} empty. */
int ticket_set_fork(struct ticket_set *to, const struct ticket_set *from);

/* ${to} becomes a further holder of every ticket of ${from}. -1: no memory, nothing was added. */
int ticket_set_join(struct ticket_set *to, const struct ticket_set *from);

/* Move all holds of ${from} into ${to}. -1: no memory, nothing moved. */
int ticket_set_move(struct ticket_set *to, struct ticket_set *from);

/* Something of what the tickets of ${set} stand for is in such an output now. */
void ticket_set_stored(struct ticket_set *set);

/* End all holds of ${set} with the same verdict; it is empty afterwards. */
void ticket_set_end(struct ticket_set *set, bool delivered);

#endif
