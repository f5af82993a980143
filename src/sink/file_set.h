/*
 * file_set: the files that a sink has open, at most so many, found by their path.
 *
 * The one that was not asked for the longest is closed when there are too many.
 */
#ifndef WEIR_SINK_FILE_SET_H
#define WEIR_SINK_FILE_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct file_out;
struct file_rules;

struct file_set {
    struct list used; /* struct file_out.used; the longest not asked for first */
    struct list *buckets;
    size_t mask, count, most;
};

/* An empty set of ${most} files at most. -1: no memory. */
int file_set_open(struct file_set *set, size_t most);

/* Close all. A set of zero bytes is allowed. */
void file_set_close(struct file_set *set);

/* The file ${path}, whose hash is ${hash}; see file_out_new. It stays at least until the next call. NULL: no memory. */
struct file_out *file_set_get(struct file_set *set, const char *path, size_t len, uint64_t hash, size_t below,
                              const struct file_rules *rules);

/* Close those, but for ${busy}, that are not what their path leads to any more. */
void file_set_let_moved_go(struct file_set *set, const struct file_out *busy);

/* Close regular files of lines, but for ${busy}, that were last written before ${since} (loop_now). Returns when the oldest of those that stay was;
 * 0: there is none that could be closed. */
double file_set_let_idle_go(struct file_set *set, const struct file_out *busy, double since);

#endif
