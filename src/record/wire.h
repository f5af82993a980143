/*
 * wire: a chunk as the bytes that a sink sends.
 *
 * Long runs of untouched records stay where they are, in the slab, as one piece; short runs, changed records and framing
 * are put into a buffer. The chunk is let go at once, only its tickets stay, and its slab if a piece lies in it. A
 * wire can be sent from the start of any of its records: that is how a sink goes on after a lost connection.
 */
#ifndef WEIR_RECORD_WIRE_H
#define WEIR_RECORD_WIRE_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/list.h"
#include "record/render.h"
#include "record/ticket.h"

struct chunk;
struct pool;
struct slab;

enum wire_framing {
    WIRE_NEWLINE,        /* each record followed by '\n' */
    WIRE_OCTET_COUNTING, /* each record preceded by its length in decimal and a space (RFC 6587, 3.4.1) */
    WIRE_LENGTH_PREFIX,  /* each record preceded by its length in four bytes, most significant first */
};

struct wire {
    struct list node;   /* its owner's */
    struct chunk *chunk; /* NULL: let go */
    struct slab *slab;   /* NULL: no piece lies in one */
    struct pool *pool;
    struct ticket_set tickets;
    struct buf text;
    struct iovec *pieces;
    size_t count, cap;
    size_t bytes;   /* in all */
    size_t records;
    size_t most;    /* bytes that the chunk's text has, for sizing the buffer once */
    uint32_t *ends; /* where each record ends, in bytes from the start; NULL for a blob: that is one whole */
    size_t sent;    /* its owner's: bytes the kernel has taken */
    int64_t start;  /* its owner's: position of its first byte in a connection */
    size_t charged;
};

/* ${c}, which is consumed always, as bytes. NULL: no memory (its tickets have failed). */
struct wire *wire_new(struct pool *pool, struct chunk *c, enum render_encoding encoding,
                      enum wire_framing framing);

/* Everything was delivered: end the tickets so and free *${w}. */
void wire_delivered(struct wire **w);

/* Free *${w}; its tickets fail. */
void wire_free(struct wire **w);

/* Up to ${max} pieces from byte ${from} on; returns how many. */
int wire_pieces(const struct wire *w, size_t from, struct iovec *out, int max);

/* The start of the record that byte ${at} belongs to. */
size_t wire_boundary(const struct wire *w, size_t at);

/* Append all bytes to ${out}: what preview shows. -1: no memory. */
int wire_preview(struct chunk *c, enum render_encoding encoding, enum wire_framing framing,
                 struct buf *out);

#endif
