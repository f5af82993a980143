/*
 * batch and blob: the two kinds of chunk that pipelines carry.
 *
 * A batch is records: a slab, an index of records over it, an arena for what was parsed. The records of a batch are
 * neighbours of one file, in order. Slab, index and arena sit in a body that forks share.
 * A blob is bytes: compressed output, whole members only.
 * Both hold tickets (ticket.h). Freed without batch_delivered/blob_delivered, their tickets fail.
 */
#ifndef WEIR_RECORD_BATCH_H
#define WEIR_RECORD_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "record/arena.h"
#include "record/record.h"
#include "record/ticket.h"

struct pool;
struct slab;

/* From ${text} on, a byte in the slab stands for one in the file from ${offset} on, until the next place. */
struct batch_place {
    const char *text;
    uint64_t offset;
};

/* What forks share. */
struct batch_body {
    uint32_t refs;
    struct slab *slab; /* NULL: the text is in the arena */
    struct origin *origin;
    const char *base_text; /* the place in the slab that stands for base_offset */
    uint64_t base_offset;  /* offset in its file of base_text */
    const struct batch_place *places; /* text that does not lie together as it did in its file: by address, in the arena. NULL: it does */
    size_t place_count;
    int64_t time;          /* @time: when it was read, nanoseconds since the epoch */
    struct arena arena;
};

struct batch {
    struct chunk chunk;
    struct batch_body *body;
    struct record *records; /* of mem_alloc, this handle's own: a fork copies it */
    size_t count, cap;
    size_t bytes;   /* of the source that the records came from, terminators included */
    size_t text;    /* of the records it holds now, terminators included */
    size_t charged; /* what the index has been charged to the pool */
    struct ticket_set tickets;
};

struct blob {
    struct chunk chunk;
    struct pool *pool;
    char *data; /* of mem_alloc */
    size_t len;
    uint32_t *refs; /* forks share data */
    size_t records; /* how many went in, for the books */
    struct ticket_set tickets;
};

extern const struct chunk_type batch_type, blob_type;

/* An empty batch over ${slab} and ${origin} (references are taken; NULL allowed). NULL: no memory. A fork of a batch has its own
 * index, tickets and verdict, and shares the body: docs that two handles see are marked RECORD_SHARED, and
 * whoever edits one copies it first. */
struct batch *batch_new(struct pool *pool, struct slab *slab, struct origin *origin);

/* Append a record. NULL: no memory. The record is zeroed; the caller fills it in before the chunk is pushed. */
struct record *batch_add(struct batch *b);

/* Recompute the weight after filling or changing (slab part, index, arena) and charge the pool for the index. */
void batch_weigh(struct batch *b);

/* Record ${i} of ${from} alone, in a batch of its own that shares the body and holds no tickets. NULL: no memory. */
struct batch *batch_single(struct batch *from, size_t i);

/* An empty batch that shares the body of ${from}; no tickets. NULL: no memory. */
struct batch *batch_beside(struct batch *from);

/* A batch of ${r} of ${from} alone, copied: it shares nothing but the origin, so it holds no slab; no tickets. NULL: no memory. */
struct batch *batch_apart(const struct batch *from, const struct record *r);

/* ${set} holds what ${b} holds of the source's bytes, or the beginning of it that an earlier cut made: let ${before} (empty) hold what lies
 * in front of the record at ${text}, and ${set} only the rest. 1: done; 0: it cannot be cut there (several tickets or holders, one that has failed
 * already, text that a stage made, nothing in front), nothing was changed; -1: no memory. */
int batch_cut(const struct batch *b, const char *text, struct ticket_set *set,
              struct ticket_set *before);

/* Bring `text` up to date after records were dropped, and return it. */
size_t batch_count_text(struct batch *b);

/* Offset in its file of ${r}; metadata @offset. For text that was made by a stage, the offset of the batch. */
uint64_t batch_offset(const struct batch *b, const struct record *r);

/* @time of ${r}: what a stage found, else when the batch was read. Nanoseconds since the epoch. */
int64_t batch_time(const struct batch *b, const struct record *r);

/* Say that ${b} was read now. */
void batch_read_now(struct batch *b);

/* ${data} (of mem_alloc, ${len} > 0 bytes) becomes the blob's. NULL: no memory, ${data} stays the caller's. */
struct blob *blob_new(struct pool *pool, char *data, size_t len);

/* The concrete chunk, or NULL when ${c} is of the other kind. */
struct batch *chunk_batch(struct chunk *c);
struct blob *chunk_blob(struct chunk *c);

/* The tickets of either kind. */
struct ticket_set *chunk_tickets(struct chunk *c);
/* How many records ${c} stands for. */
size_t chunk_records(const struct chunk *c);

/* The data reached its end (sent and acknowledged, or dropped on purpose and counted): end the tickets as delivered
 * and free *${c}. */
void chunk_delivered(struct chunk **c);

#endif
