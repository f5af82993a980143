/*
 * arena: allocations that die together, charged to a pool.
 *
 * One arena belongs to one chunk (or its shared body). Memory comes in blocks; nothing is freed singly. A zeroed
 * struct with its pool set is a valid empty arena; a NULL pool charges nobody.
 */
#ifndef WEIR_RECORD_ARENA_H
#define WEIR_RECORD_ARENA_H

#include <stddef.h>

struct pool;

struct arena {
    struct pool *pool;
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* the free part of the newest block */
    size_t total;               /* bytes held in blocks */
};

void arena_init(struct arena *a, struct pool *pool);

/* ${size} bytes aligned for any type; NULL when there is no memory. */
void *arena_alloc(struct arena *a, size_t size);

/* Let the first block of an empty arena have room for ${size} bytes, and no more: for what is kept long. -1: no memory. */
int arena_first(struct arena *a, size_t size);

/* ${size} bytes of text, not aligned; NULL when there is no memory. */
char *arena_text(struct arena *a, size_t size);

/* For building an array of unknown length: at least ${size} free, aligned bytes at the returned place, *${room}
 * says how many there are; not allocated until arena_take says how many were used. Nothing else may be allocated in between;
 * a further arena_open with a larger ${size} must copy what was built (the old place stays valid). */
void *arena_open(struct arena *a, size_t size, size_t *room);
void arena_take(struct arena *a, size_t size);

/* Free everything; ${a} is empty and usable again. */
void arena_clear(struct arena *a);

#endif
