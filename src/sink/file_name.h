/*
 * file_name: one component of a rendered path: made of values, and a plain name in the end. See file_path.h for the rules.
 */
#ifndef WEIR_SINK_FILE_NAME_H
#define WEIR_SINK_FILE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct buf;
struct path;
struct record;
struct zone;

struct name_rules {
    size_t longest; /* bytes of a component at most */
    unsigned keep;  /* a last component must not end in .1 to .keep; 0: it may */
};

/* Append the value at ${path} to the component that begins at ${start} of ${out}. */
void file_name_add_value(struct buf *out, size_t start, const struct batch *b, const struct record *r, const struct path *path);

/* Append ${time} as ${format} says. */
void file_name_add_time(struct buf *out, size_t start, const char *format, size_t len, int64_t time, struct zone *zone);

/* The component is complete: make a name of it that is none of . and .. and not too long. ${last}: it is the file's. */
void file_name_end(const struct name_rules *rules, struct buf *out, size_t start, bool last);

#endif
