/*
 * feed: one stream of bytes (standard input, a connection) on its way to records.
 *
 * Bytes are read behind the place where the begun record would stand, and that is copied there only when its end has come: reading
 * a record of n bytes costs n, however small the pieces are. Between two reads a feed holds nothing but what it has of
 * a begun record, in memory that is kept of the pool (pool_keep); when that is used up the record counts as too long.
 */
#ifndef WEIR_SOURCE_FEED_H
#define WEIR_SOURCE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/frames.h"

struct err;
struct intake;
struct origin;
struct quiet;

#define FEED_SMALL 32 /* bytes of a begun record that need no memory of the pool; more than FRAMES_HEAD_MAX */

struct feed {
    struct frames frames;
    struct origin *origin;
    const char *name;    /* "standard input", or the peer, for the log */
    struct quiet *quiet; /* what bounds the log (quiet.h); NULL: all is logged */
    char small[FEED_SMALL];
    char *kept;          /* of mem_alloc; NULL: the begun record is in small */
    size_t begun, cap;   /* bytes of it, and at kept */
    uint64_t offset;     /* of the begun record in the stream: metadata @offset */
};

enum feed_result {
    FEED_ON,
    FEED_BAD,   /* what came is not framed as configured: logged and counted; there is no way to go on */
    FEED_NOMEM,
};

/* Takes a reference on ${origin}; ${name} is the caller's and outlives the feed. ${tidy}: see frames.h. */
void feed_init(struct feed *f, const struct frames_options *set, bool tidy, struct origin *origin,
               const char *name, struct quiet *quiet);
/* Give back what it holds. A begun record is lost: feed_take with `last` before. */
void feed_clear(struct feed *f, struct intake *in);

/* The place to read to; *${room} bytes fit. NULL: no room now (intake_space). */
char *feed_space(struct feed *f, struct intake *in, size_t *room);

/* ${len} bytes were read to where feed_space said: what is whole is pushed. ${last}: the stream ends behind them, and so does a line without
 * terminator. */
enum feed_result feed_take(struct feed *f, struct intake *in, size_t len, bool last);

#endif
