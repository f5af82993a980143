/*
 * intake: where a source that reads from descriptors puts what it reads: the slab in hand, and when to read at all.
 *
 * One slab serves all that a source reads from, one after the other, so that a thousand idle connections hold none. A source reads while its
 * stream wants data (`wanted`) and the pool has room; when that becomes so, `go` is called. Between two reads everything in the slab belongs
 * to batches that were pushed, so it can be given back at any time.
 */
#ifndef WEIR_SOURCE_INTAKE_H
#define WEIR_SOURCE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "record/pool.h"

struct batch;
struct err;
struct stage_env;
struct stream;

#define INTAKE_ROOM ((size_t)32 << 10) /* a read should have as much room */

struct intake {
    struct stage_env *env;
    struct stream *stream; /* set by the owner */
    struct slab *slab;     /* NULL: none in hand */
    size_t fill;           /* of it is taken */
    bool wanted, draining;
    bool over;             /* the stream has ended, or fails */
    void (*go)(struct intake *in);    /* schedule the next read */
    void (*drain)(struct intake *in); /* see intake_drain */
    struct pool_waiter room;
    struct pool_filler filler;
};

/* Prepare; ${go} is called when reading may go on. intake_clear takes it away again. The intake is the first member of the stream's self. */
void intake_init(struct intake *in, struct stage_env *env, void (*go)(struct intake *in),
                 void (*drain)(struct intake *in));
void intake_clear(struct intake *in);

/* The place for ${need} bytes, at least; *${room} is how many fit. NULL: the pool has none now, `go` follows when it may. */
char *intake_space(struct intake *in, size_t need, size_t *room);

/* Hand on ${b}, whose records lie in the ${len} bytes at the place that intake_space gave; one without records is freed. The source reads
 * on when the stream asks for more. */
void intake_push(struct intake *in, struct batch *b, size_t len);

/* Does it wait for the pool? */
bool intake_waits(const struct intake *in);

/* The stream asks for data. */
void intake_want(struct intake *in);

/* Nothing more comes. */
void intake_end(struct intake *in);

/* The source cannot go on: the stream is destroyed with ${e}. */
void intake_fail(struct intake *in, const struct err *e);

/* The stop hook of a source: `drain` is called, which takes what was received already and then ends; not again, and not when the source is over. */
void intake_drain(struct stream *s);

/* For the destroy hook. */
void intake_close(struct intake *in);

#endif
