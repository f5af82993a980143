#include "record/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/mem.h"
#include "record/pool.h"

#define BLOCK_MIN ((size_t)4 << 10)
#define BLOCK_MAX ((size_t)64 << 10)
#define ALIGN     alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size; /* of the whole block, this head included */
};

void arena_init(struct arena *a, struct pool *pool)
{
    *a = (struct arena){.pool = pool};
}

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

/* A new block of ${size} bytes. */
static int add_block(struct arena *a, size_t size)
{
    size_t head = round_up(sizeof(struct arena_block));
    struct arena_block *b = mem_alloc(size);
    if (b == NULL)
        return -1;
    b->next = a->blocks;
    b->size = size;
    a->blocks = b;
    a->at = (char *)b + head;
    a->end = (char *)b + size;
    a->total += size;
    if (a->pool != NULL)
        pool_charge(a->pool, size);
    return 0;
}

/* A new block with ${need} bytes free behind its head. Blocks double, so that small chunks stay small. */
static int grow(struct arena *a, size_t need)
{
    size_t head = round_up(sizeof(struct arena_block));
    if (need > SIZE_MAX / 2)
        return -1;
    size_t size = a->total < BLOCK_MIN ? BLOCK_MIN : a->total > BLOCK_MAX ? BLOCK_MAX : a->total;
    return add_block(a, size < need + head ? need + head : size);
}

int arena_first(struct arena *a, size_t size)
{
    return add_block(a, round_up(sizeof(struct arena_block)) + size);
}

static void align(struct arena *a)
{
    size_t off = (uintptr_t)a->at & (ALIGN - 1);
    if (off == 0)
        return;
    size_t skip = ALIGN - off;
    a->at = (size_t)(a->end - a->at) < skip ? a->end : a->at + skip;
}

void *arena_open(struct arena *a, size_t size, size_t *room)
{
    align(a);
    if ((size_t)(a->end - a->at) < size && grow(a, size) != 0)
        return NULL;
    *room = (size_t)(a->end - a->at);
    return a->at;
}

void arena_take(struct arena *a, size_t size)
{
    a->at += size;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t room;
    void *p = arena_open(a, size != 0 ? size : 1, &room);
    if (p != NULL)
        arena_take(a, size);
    return p;
}

char *arena_text(struct arena *a, size_t size)
{
    if ((a->at == NULL || (size_t)(a->end - a->at) < size) && grow(a, size) != 0)
        return NULL; /* NULL means no memory, also for no text in an empty arena */
    char *p = a->at;
    a->at += size;
    return p;
}

void arena_clear(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *dead = a->blocks;
        a->blocks = dead->next;
        mem_free(dead);
    }
    if (a->pool != NULL && a->total > 0)
        pool_discharge(a->pool, a->total);
    arena_init(a, a->pool);
}
