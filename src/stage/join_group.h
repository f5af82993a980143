/*
 * join_group: the groups that a joining stage has begun, by log and stream: see join.h.
 */
#ifndef WEIR_STAGE_JOIN_GROUP_H
#define WEIR_STAGE_JOIN_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "record/record.h"
#include "record/ticket.h"
#include "record/value.h"

struct batch;
struct pool;

/* A log of one source. */
struct join_log {
    size_t groups;           /* that are known */
    size_t open;             /* of which something is begun in so many */
    struct ticket_set first; /* the ticket that the span began with in each of its files, while any is open (join_settle.h) */
    struct origin *origin;   /* the file of the last of those; NULL: no span */
    const char *key;
    size_t key_len;
};

/* One stream of a log. */
struct join_group {
    struct list node;   /* in groups.fresh or groups.held */
    struct join_log *log;
    uint32_t state;     /* the stage's; 0: nothing begun */
    size_t pieces;      /* 0: nothing begun */
    struct batch *held; /* its first record, alone; NULL: that came with the batch at hand, */
    struct record first; /* and is this */
    struct value text;  /* what was joined so far, in place; when `copy` is empty */
    struct buf copy;
    size_t charged;     /* to the pool; what `held` has is charged by itself */
    size_t weight;      /* all it has in memory, as counted in groups.bytes */
    bool truncated;     /* a piece was */
    double touched;     /* loop_now */
    const char *key;    /* the stream's name */
    size_t key_len;
};

struct join_groups {
    struct pool *pool;
    void *by_key;       /* tsearch(3) tree of groups */
    void *by_log;       /* and of logs */
    struct list fresh;  /* looked at in the batch at hand */
    struct list held;   /* from batches before; the longest untouched first */
    size_t bytes;       /* that groups have in memory */
    struct buf key;     /* scratch */
};

void join_groups_init(struct join_groups *gs, struct pool *pool);
/* Free all; tickets of what is held fail. */
void join_groups_clear(struct join_groups *gs);

/* The log of ${b}, made if need be; it lives until join_groups_keep, and as long as it has groups. NULL: no memory. */
struct join_log *join_groups_log(struct join_groups *gs, const struct batch *b);

/* The group of ${stream} (null or a plain string) in ${log}, made if need be, now fresh. NULL: no memory. */
struct join_group *join_groups_get(struct join_groups *gs, struct join_log *log, const struct value *stream);

/* The batch at hand, of ${log}, is done with: forget groups with nothing begun; all others are held and were touched ${now}. */
void join_groups_keep(struct join_groups *gs, struct join_log *log, double now);

/* A span begins in ${b}, or goes on in it: hold ${set} of it if that is of another file than before. -1: no memory. */
int join_log_span(struct join_log *log, const struct batch *b, const struct ticket_set *set);

/* None is open any more: the hold on the span's first tickets ends. */
void join_log_end_span(struct join_log *log);

/* Bytes of the group's text. */
size_t join_group_length(const struct join_group *g);

/* ${text} is its next piece, and ${r} the record that brings it. -1: no memory. */
int join_group_add(struct join_groups *gs, struct join_group *g, const char *between, const struct record *r,
                   const struct value *text);

/* Copy its first record, and the text, out of ${b}. -1: no memory. */
int join_group_hold(struct join_groups *gs, struct join_group *g, const struct batch *b);

/* The text as a value that lives as long as ${b}. False: no memory. */
bool join_group_text(struct join_group *g, struct batch *b, struct value *out);

/* Nothing is begun any more. */
void join_group_reset(struct join_groups *gs, struct join_group *g);

/* Forget it, and its log if that was its last. */
void join_group_free(struct join_groups *gs, struct join_group *g);

#endif
