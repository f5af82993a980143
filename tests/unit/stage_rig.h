/*
 * stage_rig: a transform under test, from the text of its configuration to the batches that come out.
 */
#ifndef WEIR_TESTS_STAGE_RIG_H
#define WEIR_TESTS_STAGE_RIG_H

#include "rig.h"

struct stage_rig {
    struct rig rig;
    struct config *config;
    struct stream *stream;
    struct listener data, error, end;
    struct list out;  /* chunks that came out */
    struct buf text;  /* and what they say, as a sink sends it: a line each */
    bool ended, failed;
};

/* A rig, and in it the first transform of ${transforms} (' for "), which may hold several to check that they fit. */
void stage_rig_open(struct stage_rig *s, const char *transforms);
/* The stream alone, anew; false: the stage could not be opened. */
bool stage_rig_start(struct stage_rig *s);
void stage_rig_stop(struct stage_rig *s);
void stage_rig_close(struct stage_rig *s);

/* Hand in the lines of ${text}, read at ${time} (nanoseconds), parsed as JSON where they begin with {. False: no memory for the chunk. */
bool stage_rig_feed(struct stage_rig *s, const char *text, int64_t time, struct ticket *ticket);
void stage_rig_end(struct stage_rig *s);

/* Let the chunks that came out go, as delivered or not, and forget the text. */
void stage_rig_release(struct stage_rig *s, bool delivered);

/* Chunk ${i} that came out. */
struct batch *stage_rig_batch(struct stage_rig *s, size_t i);

/* Each allocation in turn fails, from opening on, while ${text} goes through twice: the stage fails whole, and gives all back. */
void stage_rig_without_memory(const char *transforms, const char *text);

/* ${options} of a stage are wrong, and the report says ${says}. */
void stage_rig_problem(const char *transform, const char *says);

#endif
