/*
 * siphash: SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a keyed hash, fast for short texts.
 *
 * With a key that nobody knows, nobody can make up texts whose hashes are alike: what it takes to put values from outside into a table.
 */
#ifndef WEIR_BASE_SIPHASH_H
#define WEIR_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

/* A key from the kernel's random numbers. -1 with errno. */
int siphash_random_key(struct siphash_key *key);

void siphash_128(const struct siphash_key *key, const void *data, size_t len, uint64_t out[2]);

#endif
