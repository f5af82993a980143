/*
 * walk: an option table from top to bottom, nested tables in place, for those who write about it.
 */
#ifndef WEIR_STAGE_WALK_H
#define WEIR_STAGE_WALK_H

#include "config/option.h"

struct buf;

/* Call ${each} for every option of ${table} that is built in; ${path} is its key, behind those of the objects it is in
 * ("queue.max_bytes"). */
void walk_options(const struct option *table,
                  void (*each)(void *arg, const char *path, const struct option *o), void *arg);

/* What stands there, in words: "size, at least 1MiB", "\"block\", \"drop_newest\" or \"drop_oldest\"". */
void walk_add_type(const struct option *o, struct buf *out);

/* The default as JSON, or "required", or "" when there is none. */
const char *walk_default(const struct option *o);

#endif
