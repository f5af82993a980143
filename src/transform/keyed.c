#include "transform/keyed.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"

#define BUCKETS_FIRST 64

int keyed_init(struct keyed *k, size_t max, struct err *e)
{
    if (siphash_random_key(&k->key) != 0)
        return err_sys(e, errno, "no random numbers");
    k->buckets = mem_zalloc(BUCKETS_FIRST, sizeof *k->buckets);
    if (k->buckets == NULL)
        return err_nomem(e);
    k->bucket_count = BUCKETS_FIRST;
    k->max = max;
    list_init(&k->oldest);
    return 0;
}

void keyed_clear(struct keyed *k)
{
    while (k->count > 0)
        keyed_remove(k, keyed_oldest(k));
    mem_free(k->buckets);
    *k = (struct keyed){0};
}

void keyed_id(const struct keyed *k, const void *key, size_t len, uint64_t id[2])
{
    siphash_128(&k->key, key, len, id);
}

static struct keyed_entry **bucket(const struct keyed *k, const uint64_t id[2])
{
    return &k->buckets[id[0] & (k->bucket_count - 1)];
}

struct keyed_entry *keyed_find(const struct keyed *k, const uint64_t id[2])
{
    struct keyed_entry *e = *bucket(k, id);
    while (e != NULL && (e->id[0] != id[0] || e->id[1] != id[1]))
        e = e->chained;
    return e;
}

/* Twice as many buckets; without memory the chains get longer. */
static void grow(struct keyed *k)
{
    struct keyed_entry **wider = mem_zalloc(k->bucket_count * 2, sizeof *wider);
    if (wider == NULL)
        return;
    mem_free(k->buckets);
    k->buckets = wider;
    k->bucket_count *= 2;
    LIST_EACH(node, &k->oldest) {
        struct keyed_entry *e = LIST_ENTRY(node, struct keyed_entry, age), **b = bucket(k, e->id);
        e->chained = *b;
        *b = e;
    }
}

struct keyed_entry *keyed_add(struct keyed *k, const uint64_t id[2], size_t size)
{
    struct keyed_entry *e = mem_zalloc(1, size);
    if (e == NULL)
        return NULL;
    if (k->count == k->bucket_count)
        grow(k);
    struct keyed_entry **b = bucket(k, id);
    e->id[0] = id[0];
    e->id[1] = id[1];
    e->chained = *b;
    *b = e;
    list_push(&k->oldest, &e->age);
    k->count++;
    return e;
}

void keyed_touch(struct keyed *k, struct keyed_entry *e)
{
    list_remove(&e->age);
    list_push(&k->oldest, &e->age);
}

void keyed_remove(struct keyed *k, struct keyed_entry *e)
{
    struct keyed_entry **at = bucket(k, e->id);
    while (*at != e)
        at = &(*at)->chained;
    *at = e->chained;
    list_remove(&e->age);
    k->count--;
    mem_free(e);
}

struct keyed_entry *keyed_oldest(const struct keyed *k)
{
    return k->count > 0 ? LIST_ENTRY(k->oldest.next, struct keyed_entry, age) : NULL;
}
