/*
 * keyed: a bounded number of entries by key, oldest first, for stages that remember something of each value they have seen.
 *
 * Keys are any bytes; what is kept of them is a hash of 128 bits that nobody outside can foresee. An entry is a struct of the owner that begins
 * with struct keyed_entry. Nothing is dropped by itself: when it is full, the owner removes the oldest.
 */
#ifndef WEIR_TRANSFORM_KEYED_H
#define WEIR_TRANSFORM_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/siphash.h"

struct err;

struct keyed_entry {
    struct list age;             /* of keyed.oldest */
    struct keyed_entry *chained; /* in the same bucket */
    uint64_t id[2];
};

struct keyed {
    struct siphash_key key;
    struct keyed_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t count, max;
    struct list oldest; /* the one added or touched longest ago is first */
};

/* Prepare a zeroed ${k} for at most ${max} entries. -1 and ${e}. */
int keyed_init(struct keyed *k, size_t max, struct err *e);

/* Free all entries. A zeroed ${k} is allowed. */
void keyed_clear(struct keyed *k);

void keyed_id(const struct keyed *k, const void *key, size_t len, uint64_t id[2]);

/* NULL: there is none. */
struct keyed_entry *keyed_find(const struct keyed *k, const uint64_t id[2]);

/* A new entry of ${size} bytes, zeroed but for its head, as the youngest; there is none of that id, and keyed_full says no. NULL: no memory. */
struct keyed_entry *keyed_add(struct keyed *k, const uint64_t id[2], size_t size);

/* It is the youngest now. */
void keyed_touch(struct keyed *k, struct keyed_entry *e);

/* Take it out and free it. */
void keyed_remove(struct keyed *k, struct keyed_entry *e);

/* NULL: there is none. */
struct keyed_entry *keyed_oldest(const struct keyed *k);

static inline bool keyed_full(const struct keyed *k)
{
    return k->count >= k->max;
}

#endif
