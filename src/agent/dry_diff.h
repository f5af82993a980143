/*
 * dry_diff: which fields differ between two JSON objects.
 */
#ifndef WEIR_AGENT_DRY_DIFF_H
#define WEIR_AGENT_DRY_DIFF_H

#include "agent/dry_run.h"

/* Append to *${changes} what is not the same in ${before} and ${after} (JSON texts of objects), in the order of ${before}, new ones last. Objects in
 * objects are compared member by member. -1: no memory. */
int dry_diff(const struct buf *before, const struct buf *after, struct dry_change **changes,
             size_t *count);

void dry_changes_free(struct dry_change *changes, size_t count);

#endif
