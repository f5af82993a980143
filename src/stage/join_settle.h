/*
 * join_settle: which tickets go with what comes out of a batch that joins: see join.h.
 *
 * A span of a log is where at least one group is open, from the first piece on to where none is open any more. What was read of a span is settled
 * together: all that comes out of it holds the ticket the span began with (in each file that it reaches into), and as a ledger advances over what is
 * delivered without a gap only, nothing of the span counts before everything of it is delivered. Between spans a checkpoint may stand, so there the ticket of a batch is cut:
 *
 *       end of an earlier span │ whole records, short spans │ beginning of a span that goes on
 *     0                       first                        last                               count
 *
 * Where a ticket cannot be cut the span reaches on to where it can, or to the end of the batch.
 */
#ifndef WEIR_STAGE_JOIN_SETTLE_H
#define WEIR_STAGE_JOIN_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct batch;
struct join_log;

/* Positions count the records that were looked at. */
struct join_settle {
    struct batch *b;
    struct join_log *log;
    struct list done;   /* chunks of groups that were held and are complete, by `queued`; all of the earlier span */
    bool earlier;       /* a span goes on into the batch */
    bool safe;          /* somewhere in the batch no group is open: */
    size_t first, last; /* from there, and up to there */
    const char *first_text, *last_text; /* of the records behind; NULL at the end of the batch */
    size_t low, high;   /* where the first and the last record came out that is left in the batch; high 0: none */
};

/* ${b}, of ${log}, is about to be looked at. */
void join_settle_init(struct join_settle *s, struct batch *b, struct join_log *log);

/* After a failure: free what is complete; its tickets fail. */
void join_settle_clear(struct join_settle *s);

/* ${at} records were looked at; the next one is at ${text} (NULL: there is none). If no group is open, that is a place between spans. */
void join_settle_between(struct join_settle *s, size_t at, const char *text);

/* A record came out after ${at} were looked at: it is left in the batch, */
void join_settle_left(struct join_settle *s, size_t at);
/* or it is ${c}, which was held. */
void join_settle_held(struct join_settle *s, struct batch *c);

/* Everything was looked at: tickets go to where they belong. -1: no memory. */
int join_settle_tickets(struct join_settle *s);

#endif
