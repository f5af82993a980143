/*
 * dry_chain: the transforms of a configuration, run one chunk at a time.
 *
 * A link is one transform, opened as it would be for real. Nothing is piped: dry_link_feed hands a chunk in, turns the loop until the
 * stage says that it is done with it, and leaves what came out in the link's list.
 */
#ifndef WEIR_AGENT_DRY_CHAIN_H
#define WEIR_AGENT_DRY_CHAIN_H

#include "agent/dry_run.h"
#include "base/err.h"
#include "base/list.h"
#include "stream/stream.h"

struct stage_config;

struct dry_link {
    struct dry_link *next; /* what stands behind it; NULL: the end of its chain */
    const struct stage *type;
    const char *sink; /* NULL: common chain */
    const char *name; /* the caller's, outlives the summary */
    char *scope;
    struct stage_env env;
    struct stage_stats stats;
    struct stage_trace trace;
    struct stream *stream;
    struct listener data, error, end;
    uint64_t text_in, text_out; /* bytes of records as they would be sent, terminators included */
    struct list out; /* chunks that came out */
    bool done, ended;
    struct err err;
    struct dry_step step; /* what it did last: verdict and reason as it told */
    struct buf examples[STAGE_REASONS];
    size_t example_count[STAGE_REASONS];
    struct buf error_examples; /* the first records it could not handle: place and reason, one a line */
    size_t error_count;
};

/* Open ${type} with ${settings}. ${env} is a model: scope, name, stats and trace become the link's own. -1 and ${e}. */
int dry_link_open(struct dry_link *l, const struct stage *type, const char *name, const char *sink,
                  const void *settings, const struct stage_env *env, struct err *e);

/* Hand in ${c} (consumed), or with NULL the end. -1 and ${e}: the stage failed. */
int dry_link_feed(struct dry_link *l, struct chunk *c, struct err *e);

/* Note ${place} as an example of the reason why the stage dropped its last record or could not handle it. */
void dry_link_example(struct dry_link *l, const char *place);

/* A chain of links, in order. */
struct dry_links {
    struct dry_link *items;
    size_t count;
};

/* Room for ${most} links. -1: no memory. */
int dry_links_new(struct dry_links *links, size_t most);

/* The next link, empty, behind the one before. */
struct dry_link *dry_links_add(struct dry_links *links);

/* Where what goes into ${links}, behind which ${then} (may be NULL) stands, comes first; NULL: neither has any. */
struct dry_link *dry_links_first(const struct dry_links *links, const struct dry_links *then);

/* Close the streams; what they hold goes with the next tick of the loop, after which they may be freed. */
void dry_links_close(struct dry_links *links);
void dry_links_free(struct dry_links *links);

#endif
