/*
 * record: one event on its way through a pipeline.
 *
 * A fresh record is a line: `text` without its terminator, a slice of a slab, reachable as .message. A stage that parses gives it a
 * `doc` (a JSON object by index, with edits on top: see doc.h); then the doc is the record's root and .message
 * exists only if the doc has such a member. As long as RECORD_CHANGED is not set, `text` is what a sink sends,
 * byte for byte, also with a doc.
 */
#ifndef WEIR_RECORD_RECORD_H
#define WEIR_RECORD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct doc;

enum record_flags {
    RECORD_CHANGED = 1,   /* text is no longer what the record says: render the doc */
    RECORD_TRUNCATED = 2, /* text is the head of a longer line */
    RECORD_ENDED = 4,     /* the byte behind text is its '\n': a run of such neighbours can be sent as one piece */
    RECORD_SHARED = 8,    /* doc is seen by another handle too: copy before editing */
};

struct record {
    const char *text;
    uint32_t len;
    uint32_t flags;
    struct doc *doc; /* NULL: a plain line. In the arena of the batch. */
    int64_t time;    /* @time, when a stage found it: nanoseconds since the epoch; 0: that of the batch */
};

/* Where the records of one chunk come from: what metadata (@path and its kin) is made of. Shared by the chunks of
 * a file; ref-counted. */
struct origin {
    uint32_t refs;
    const char *path;     /* @path; NULL when the source has none */
    const char *log;      /* whose lines follow each other, also in the next file of a rotated log: for stages that join them. The path that
                             the file had when it was first followed; of a connection a name of its own. NULL: of the source as a whole */
    const char *peer;     /* @peer: who sent it; NULL when the source has none */
    const char *host;     /* @host */
    const char *source;   /* @source: name of the source stage */
    const char *pipeline; /* @pipeline */
    bool gone; /* its source has found that what it read here cannot be read again */
};

/* A new origin with one reference; the strings are copied (NULL stays NULL). NULL: no memory. */
struct origin *origin_new(const char *path, const char *log, const char *host, const char *source,
                          const char *pipeline);
/* As origin_new, of what ${peer} (NULL: nobody knows who) sent: it has no path. */
struct origin *origin_new_peer(const char *peer, const char *log, const char *host,
                               const char *source, const char *pipeline);
/* A copy of ${from} with its strings, with one reference. */
struct origin *origin_copy(const struct origin *from);
struct origin *origin_ref(struct origin *o);
/* ${o} may be NULL. */
void origin_unref(struct origin *o);

#endif
