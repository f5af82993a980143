/*
 * spool_dir: where spools are: DATA_DIR/queue/PIPELINE/SINK.
 *
 * Names are what they are in the configuration, a dot at their beginning becomes %2e. Directories are made with 0700. DATA_DIR may be
 * a symbolic link, what is below may not.
 */
#ifndef WEIR_DELIVERY_SPOOL_DIR_H
#define WEIR_DELIVERY_SPOOL_DIR_H

#include <stdint.h>

struct err;

/* Where the spool of ${sink} is: of mem_alloc. NULL: no memory. */
char *spool_dir_path(const char *data_dir, const char *pipeline, const char *sink);

/* Open it, and make what is missing. The descriptor, or -1 and ${e}. */
int spool_dir_open(const char *data_dir, const char *pipeline, const char *sink, struct err *e);

/* Call ${each} for every spool with records in it: its path, the names of its directories, how many bytes its segments have. Opens nothing but directories;
 * what cannot be read is passed over. */
void spool_dir_each(const char *data_dir,
                    void (*each)(void *arg, const char *path, const char *pipeline, const char *sink, uint64_t bytes), void *arg);

#endif
