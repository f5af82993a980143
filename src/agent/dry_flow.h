/*
 * dry_flow: one record on its way through the stages of a dry run, and what becomes of it.
 *
 * Links stand in chains, each naming the one behind it: the chain of a source, the common chain, the branch of each sink.
 */
#ifndef WEIR_AGENT_DRY_FLOW_H
#define WEIR_AGENT_DRY_FLOW_H

#include "agent/dry_chain.h"
#include "agent/dry_sheet.h"
#include "transform/filter.h"

struct pipeline_config;
struct stage_config;

/* The branch of one sink: what stands between the common chain and it. */
struct dry_branch {
    const struct stage_config *sink;
    struct filter_settings where;
    struct dry_links links;
    struct stage_env env;
    struct stage_stats stats;
};

/* Of one pipeline. */
struct dry_flow {
    struct dry_summary *summary;
    struct dry_sheet sheet; /* of the record at hand */
    struct dry_branch *branches;
    size_t branch_count;
    struct err *err;
};

/* ${c} (consumed) goes through ${link} and what is behind it, then into the sink of ${branch}, or, without one, to all branches. -1 and flow->err. */
int dry_flow_pass(struct dry_flow *f, struct dry_link *link, struct chunk *c, struct dry_branch *branch);

/* The input of ${links} has ended: what they still hold goes on. -1 and flow->err. */
int dry_flow_finish(struct dry_flow *f, struct dry_links *links, struct dry_branch *branch);

#endif
