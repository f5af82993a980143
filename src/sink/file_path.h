/*
 * file_path: the template of a file's path, compiled once, rendered for each record, and never outside its prefix.
 *
 *     /var/log/tenants/{.tenant}/app-{%Y-%m-%d}.log
 *     `--- prefix ---'
 *
 *     {.field}  {."odd key".b[0]}   the value of a field (path.h)
 *     {@meta}                       metadata, but for @offset; of @path the leading slash is left out
 *     {%Y-%m-%d}                    @time (time_write.h); a slash in it separates directories
 *     {{  }}                        a brace
 *
 * The prefix is what stands before the last slash in front of the first placeholder; it must name a directory that is not the root. Behind it there
 * are as many components as the template has, whatever is in the record, and each of them is a plain name:
 *  - slashes, control characters and bytes that are not UTF-8 become _, and so does a dot that a value puts in front of a component;
 *  - . and .. become _ and __; what is missing, empty, an object or an array is _;
 *  - a component longer than FILE_PATH_NAME bytes (less when there are so many that the path could become too long for the system) is cut
 *    and ends in a hash of all of it;
 *  - a name that ends like one of the last component's rotated files (.1 to .keep) ends in _1 instead.
 */
#ifndef WEIR_SINK_FILE_PATH_H
#define WEIR_SINK_FILE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct buf;
struct err;
struct file_path;
struct record;
struct zone;

/* Bytes of a component at most: so that a rotated file's number fits behind it (NAME_MAX is 255). */
#define FILE_PATH_NAME 250

/* Compile ${text}. ${keep}: how many rotated files there may be, 0: none. NULL with "column N: …" in ${e}, in characters from 1. */
struct file_path *file_path_new(const char *text, unsigned keep, struct err *e);

/* Free *${p} (may be NULL) and clear it. */
void file_path_free(struct file_path **p);

/* The path when it has no placeholder; else NULL. */
const char *file_path_literal(const struct file_path *p);

/* Does it speak of fields or metadata? */
bool file_path_needs_records(const struct file_path *p);

/* Bytes of the prefix, its last slash included: what follows in a rendered path lies below it. 0: there is no placeholder. */
size_t file_path_below(const struct file_path *p);

/* Append the path for ${r} of ${b}, or, when ${r} is NULL and records are not needed, for the time ${now} (nanoseconds since 1970), on the clock of
 * ${zone} (NULL: UTC). */
void file_path_render(struct file_path *p, struct zone *zone, const struct batch *b, const struct record *r, int64_t now,
                      struct buf *out);

#endif
