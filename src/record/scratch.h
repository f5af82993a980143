/*
 * scratch: room for the texts that an evaluation makes, used again for each record.
 *
 * Texts stay where they are until scratch_reset. What was needed once is kept, so after the first few records nothing is
 * allocated any more. The total between two resets is bounded by the limit.
 */
#ifndef WEIR_RECORD_SCRATCH_H
#define WEIR_RECORD_SCRATCH_H

#include <stddef.h>

#include "base/buf.h"

#define SCRATCH_LIMIT ((size_t)16 << 20)

struct scratch_block;

struct scratch {
    struct scratch_block *blocks; /* newest, and largest, first */
    size_t used;                  /* of the newest block */
    size_t total;                 /* bytes handed out since the last reset */
    size_t limit;                 /* 0: SCRATCH_LIMIT */
    struct buf work;              /* for rendering into, before it is copied here */
};

/* ${size} bytes, not aligned. NULL: past the limit, or no memory. */
char *scratch_text(struct scratch *s, size_t size);

/* Give back the last ${size} bytes of the newest text, which turned out shorter. */
void scratch_trim(struct scratch *s, size_t size);

/* Forget every text; the largest block is kept. */
void scratch_reset(struct scratch *s);

/* Free everything; ${s} is empty and usable again. */
void scratch_clear(struct scratch *s);

#endif
