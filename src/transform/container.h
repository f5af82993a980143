/*
 * container: what the formats of container logs have in common.
 *
 * A line carries the time, the stream, and what the application wrote: a line of its own, or a part of one that was too long for the
 * runtime (16 KiB), of which the last one says so. The record that comes of it is {"time":…,"stream":…,"message":…} and
 * what else the line had.
 */
#ifndef WEIR_TRANSFORM_CONTAINER_H
#define WEIR_TRANSFORM_CONTAINER_H

#include "config/option.h"
#include "record/value.h"
#include "stage/join.h"

struct arena;
struct err;

struct container_settings {
    struct path *field;
    struct join_limits limits;
    int on_error;
};

extern const struct option container_options[];

/* What a line says. Texts live as long as the batch. */
struct container_line {
    struct value time, stream, message;
    bool partial;            /* the next line of the stream goes on with it */
    const struct value *more; /* an object whose other members follow; NULL: none */
};

/* Read ${text}, which is in ${arena} or the slab. 1: *${line}; 0: it is no such line; -1: no memory. */
typedef int container_read(struct arena *a, const struct value *text, struct container_line *line);

struct container {
    struct path *time, *stream, *message;
    container_read *read;
};

/* Prepare ${c} for lines that ${read} understands. -1 and ${e}: no memory. */
int container_init(struct container *c, container_read *read, struct err *e);

/* All of struct join_ops but the hook init, which has to call container_init. */
#define CONTAINER_OPS                                                                              \
    .self_size = sizeof(struct container), .between = "", .give_back = true,                       \
    .clear = container_clear, .look = container_look, .judge = container_judge,                    \
    .put = container_put

void container_clear(void *self);
enum each_verdict container_look(void *self, const void *settings, struct batch *b, struct record *r,
                                 struct join_piece *piece, struct each_why *why);
enum join_verdict container_judge(void *self, const void *settings, const struct join_piece *piece, uint32_t *state);
int container_put(void *self, const void *settings, struct batch *b, struct record *r, const struct value *text);

#endif
