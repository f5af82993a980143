/*
 * bytes: the simplest chunk: some bytes, nothing else known about them.
 *
 * The weight is the length. (A chunk of no bytes may be written; pushed, it is nothing: see
 * stream_push.) Forks share the bytes. For streams over descriptors, for tests and examples;
 * pipelines of the agent carry record/batch.h.
 */
#ifndef WEIR_STREAM_BYTES_H
#define WEIR_STREAM_BYTES_H

#include "base/chunk.h"

struct bytes {
    struct chunk chunk;
    char *data; /* written to only before the chunk is pushed, written or forked */
    size_t len;
    struct bytes_body *body; /* what forks share */
};

extern const struct chunk_type bytes_type;

/* A chunk of ${len} bytes: a copy of ${data}, or not initialised when that is NULL. NULL: no
 * memory. */
struct bytes *bytes_new(const void *data, size_t len);

/* ${c}, which is of this type. */
struct bytes *bytes_of(struct chunk *c);

#endif
