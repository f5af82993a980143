/*
 * file_split: a chunk, divided by the file that each of its records goes to.
 *
 * Records keep their order within a file. Each part holds all tickets of the chunk, so that it counts as delivered when all parts do.
 */
#ifndef WEIR_SINK_FILE_SPLIT_H
#define WEIR_SINK_FILE_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/siphash.h"
#include "record/render.h"

struct batch;
struct chunk;
struct file_path;
struct pool;
struct wire;
struct zone;

struct file_part {
    uint64_t hash;      /* of the path */
    size_t path, len;   /* of the path in names */
    struct batch *batch; /* while it is divided */
    struct wire *wire;  /* NULL: taken out */
};

struct file_split {
    struct siphash_key key;
    struct file_part *parts; /* in the order of their first records */
    size_t count, cap;
    uint32_t *slots;    /* number of a part + 1 by its hash; 0: free */
    size_t slot_count;  /* a power of two */
    uint32_t *ids;      /* of each record its part */
    size_t id_cap;
    struct buf names;   /* paths, with a NUL behind each */
};

/* Divide ${c}, which is consumed always, among the files that ${path} gives. ${s} holds no parts before. -1: no memory (what is not
 * delivered has failed). */
int file_split_chunk(struct file_split *s, struct file_path *path, struct zone *zone, struct pool *pool, struct chunk *c,
                     enum render_encoding encoding);

/* As file_split_chunk, but only name the parts of ${c}, which stays the caller's. */
int file_split_name(struct file_split *s, struct file_path *path, struct zone *zone, struct chunk *c);

/* The path of part ${i}. */
const char *file_split_path(const struct file_split *s, size_t i);

/* Forget the parts; the wires that are left fail. */
void file_split_reset(struct file_split *s);

/* Free everything; ${s} is empty and usable again. */
void file_split_clear(struct file_split *s);

#endif
