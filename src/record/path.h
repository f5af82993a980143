/*
 * path: the way to a field, compiled once.
 *
 *     .               the root
 *     .a.b[0]         members and elements (from 0)
 *     ."odd key".b    a name in JSON quotes and escapes
 *     .@timestamp     plain names are letters, digits, _, @ and whatever is beyond ASCII
 *     @path           metadata: @path @peer @offset @host @time @source @pipeline
 *
 * Fields and metadata never mix: `.@path` is a member of that name. Indices are at most PATH_INDEX_MAX, so that setting one
 * cannot make a record explode.
 */
#ifndef WEIR_RECORD_PATH_H
#define WEIR_RECORD_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define PATH_INDEX_MAX 65535
#define PATH_STEPS_MAX 64

enum path_meta {
    PATH_FIELD, /* no metadata: steps from the root */
    PATH_META_PATH,
    PATH_META_PEER,
    PATH_META_OFFSET,
    PATH_META_HOST,
    PATH_META_TIME,
    PATH_META_SOURCE,
    PATH_META_PIPELINE,
};

struct path_step {
    const char *key; /* unescaped; NULL: an element */
    uint32_t len;    /* bytes of the key */
    uint32_t index;  /* which element */
};

struct path {
    enum path_meta meta;
    bool message; /* exactly .message */
    uint32_t count;
    const char *text; /* as it was written, NUL-terminated: for messages */
    struct path_step steps[];
};

/* Compile the ${len} bytes at ${text}, all of them. NULL with "column N: …" in ${e}, in characters from 1. One allocation; free with path_free. */
struct path *path_new(const char *text, size_t len, struct err *e);

/* Compile the path that starts at text[*${at}] and move *${at} behind it: what follows is the caller's. Columns count from the
 * beginning of ${text}. */
struct path *path_prefix(const char *text, size_t len, size_t *at, struct err *e);

/* The member ${key} of the root, whatever bytes it has; in ${a}, with the key where it is: not for path_free. NULL: no memory. */
struct path *path_of_key(struct arena *a, const char *key, size_t len);

/* Free *${p} (may be NULL) and clear it. */
void path_free(struct path **p);

/* Is ${c} part of a plain name? */
bool path_name_char(unsigned char c);

#endif
