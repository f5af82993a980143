/*
 * chunk: what a stream carries.
 *
 * A chunk has one owner at a time: whoever takes a `struct chunk *` by value of ownership (stream_push,
 * stream_write, a write hook) must pass it on or free it, also when it fails. Content is immutable once the chunk
 * was pushed. For two consumers of one content, chunk_fork makes a second handle that shares the
 * content (a slab, an index) and is settled by itself.
 *
 * Freeing a chunk that was not reported delivered counts as "not delivered" for whatever its type
 * tracks: a bug must send again, never lose.
 */
#ifndef WEIR_BASE_CHUNK_H
#define WEIR_BASE_CHUNK_H

#include <stddef.h>

#include "base/list.h"

struct chunk;
struct err;

struct chunk_type {
    const char *name;
    /* Release ${c} and what it holds. */
    void (*free)(struct chunk *c);
    /* Another handle on the content of ${c}; NULL when there is no memory. */
    struct chunk *(*fork)(struct chunk *c);
};

/* The head of every chunk; a concrete type embeds it as its first member. */
struct chunk {
    const struct chunk_type *type;
    size_t weight;      /* bytes of memory it holds, or units: what marks and queues count; > 0 */
    struct list queued; /* for whoever owns it: a place in a queue */
    /* For the stream that owns it: the completion of the write that brought it. */
    void (*done)(void *arg, const struct err *e);
    void *done_arg;
};

/* Set the head of a new chunk. */
static inline void chunk_init(struct chunk *c, const struct chunk_type *type, size_t weight)
{
    c->type = type;
    c->weight = weight;
    list_init(&c->queued);
    c->done = NULL;
    c->done_arg = NULL;
}

/* Free *${c} (may be NULL) and clear it. */
static inline void chunk_free(struct chunk **c)
{
    struct chunk *dead = *c;
    *c = NULL;
    if (dead != NULL)
        dead->type->free(dead);
}

static inline struct chunk *chunk_fork(struct chunk *c)
{
    return c->type->fork(c);
}

#endif
