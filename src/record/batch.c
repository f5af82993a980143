#include "record/batch.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "record/pool.h"

static void body_unref(struct batch_body *body)
{
    if (--body->refs > 0)
        return;
    arena_clear(&body->arena);
    origin_unref(body->origin);
    if (body->slab != NULL)
        slab_unref(body->slab);
    mem_free(body);
}

static void charge(struct batch *b, size_t size)
{
    struct pool *pool = b->body->arena.pool;
    if (pool != NULL) {
        pool_charge(pool, size);
        pool_discharge(pool, b->charged);
        b->charged = size;
    }
}

static void batch_free(struct chunk *c)
{
    struct batch *b = (struct batch *)(void *)c;
    ticket_set_end(&b->tickets, false);
    charge(b, 0);
    mem_free(b->records);
    body_unref(b->body);
    mem_free(b);
}

static struct chunk *batch_fork(struct chunk *c)
{
    struct batch *from = (struct batch *)(void *)c;
    struct batch *b = mem_alloc(sizeof *b);
    if (b == NULL)
        goto err0;
    *b = *from;
    chunk_init(&b->chunk, &batch_type, from->chunk.weight);
    b->charged = 0;
    b->tickets = (struct ticket_set){0};
    b->cap = b->count;
    b->records = mem_alloc(b->count * sizeof(struct record));
    if (b->records == NULL)
        goto err1;
    if (ticket_set_fork(&b->tickets, &from->tickets) != 0)
        goto err2;
    for (size_t i = 0; i < from->count; i++)
        if (from->records[i].doc != NULL)
            from->records[i].flags |= RECORD_SHARED;
    if (b->count > 0)
        memcpy(b->records, from->records, b->count * sizeof(struct record));
    b->body->refs++;
    charge(b, b->cap * sizeof(struct record));
    return &b->chunk;
err2:
    mem_free(b->records);
err1:
    mem_free(b);
err0:
    return NULL;
}

const struct chunk_type batch_type = {"batch", batch_free, batch_fork};

struct batch *batch_new(struct pool *pool, struct slab *slab, struct origin *origin)
{
    struct batch *b = mem_zalloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->body = mem_zalloc(1, sizeof *b->body);
    if (b->body == NULL) {
        mem_free(b);
        return NULL;
    }
    chunk_init(&b->chunk, &batch_type, sizeof *b);
    b->body->refs = 1;
    b->body->slab = slab != NULL ? slab_ref(slab) : NULL;
    b->body->origin = origin != NULL ? origin_ref(origin) : NULL;
    arena_init(&b->body->arena, pool);
    return b;
}

struct record *batch_add(struct batch *b)
{
    if (b->count == b->cap) {
        size_t cap = b->cap < 16 ? 16 : b->cap * 2;
        struct record *records = mem_realloc(b->records, cap * sizeof *records);
        if (records == NULL)
            return NULL;
        b->records = records;
        b->cap = cap;
    }
    struct record *r = &b->records[b->count++];
    memset(r, 0, sizeof *r);
    return r;
}

void batch_weigh(struct batch *b)
{
    size_t index = b->cap * sizeof(struct record);
    charge(b, index);
    b->chunk.weight = sizeof *b + index + b->body->arena.total + b->bytes;
}

size_t batch_count_text(struct batch *b)
{
    b->text = 0;
    for (size_t i = 0; i < b->count; i++)
        b->text += b->records[i].len + (size_t)1;
    return b->text;
}

/* The offset of ${text}, by the last place that does not lie behind it. */
static uint64_t offset_by_places(const struct batch_body *body, const char *text)
{
    size_t low = 0, high = body->place_count; /* places[low] is not behind it, or low is 0 */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (body->places[mid].text <= text)
            low = mid;
        else
            high = mid;
    }
    return body->places[low].offset + (uint64_t)(text - body->places[low].text);
}

uint64_t batch_offset(const struct batch *b, const struct record *r)
{
    const struct batch_body *body = b->body;
    const struct slab *slab = body->slab;
    if (slab == NULL || r->text < slab->data || r->text > slab->data + slab->size)
        return body->base_offset;
    if (body->places != NULL)
        return offset_by_places(body, r->text);
    return body->base_offset + (uint64_t)(r->text - body->base_text);
}

int64_t batch_time(const struct batch *b, const struct record *r)
{
    return r->time != 0 ? r->time : b->body->time;
}

void batch_read_now(struct batch *b)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    b->body->time = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void blob_free(struct chunk *c)
{
    struct blob *b = (struct blob *)(void *)c;
    ticket_set_end(&b->tickets, false);
    if (--*b->refs == 0) {
        if (b->pool != NULL)
            pool_discharge(b->pool, b->len);
        mem_free(b->refs);
        mem_free(b->data);
    }
    mem_free(b);
}

static struct chunk *blob_fork(struct chunk *c)
{
    struct blob *from = (struct blob *)(void *)c;
    struct blob *b = mem_alloc(sizeof *b);
    if (b == NULL)
        return NULL;
    *b = *from;
    chunk_init(&b->chunk, &blob_type, from->chunk.weight);
    b->tickets = (struct ticket_set){0};
    if (ticket_set_fork(&b->tickets, &from->tickets) != 0) {
        mem_free(b);
        return NULL;
    }
    ++*b->refs;
    return &b->chunk;
}

const struct chunk_type blob_type = {"blob", blob_free, blob_fork};

struct blob *blob_new(struct pool *pool, char *data, size_t len)
{
    struct blob *b = mem_zalloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->refs = mem_alloc(sizeof *b->refs);
    if (b->refs == NULL) {
        mem_free(b);
        return NULL;
    }
    *b->refs = 1;
    chunk_init(&b->chunk, &blob_type, sizeof *b + len);
    b->pool = pool;
    b->data = data;
    b->len = len;
    if (pool != NULL)
        pool_charge(pool, len);
    return b;
}

struct batch *chunk_batch(struct chunk *c)
{
    return c->type == &batch_type ? (struct batch *)(void *)c : NULL;
}

struct blob *chunk_blob(struct chunk *c)
{
    return c->type == &blob_type ? (struct blob *)(void *)c : NULL;
}

struct ticket_set *chunk_tickets(struct chunk *c)
{
    struct batch *b = chunk_batch(c);
    return b != NULL ? &b->tickets : &((struct blob *)(void *)c)->tickets;
}

size_t chunk_records(const struct chunk *c)
{
    if (c->type == &batch_type)
        return ((const struct batch *)(const void *)c)->count;
    return ((const struct blob *)(const void *)c)->records;
}

void chunk_delivered(struct chunk **c)
{
    ticket_set_end(chunk_tickets(*c), true);
    chunk_free(c);
}
