/*
 * rig: a loop, a pool and a directory of its own for one stage under test, and what tests of stages share.
 */
#ifndef WEIR_TESTS_RIG_H
#define WEIR_TESTS_RIG_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "delivery/checkpoint.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "record/ticket.h"
#include "source/watch.h"
#include "stage/config.h"
#include "stage/stage.h"
#include "stream/stream.h"

struct rig {
    struct loop *loop;
    struct work *work;
    struct watcher *watcher;
    struct pool *pool;
    struct checkpoint *checkpoint;
    bool hurry;
    struct stage_stats stats;
    struct stage_env env;
    char dir[64]; /* empty, removed in the end */
};

/* A pool of ${memory} bytes in slabs of ${slab}; the checkpoint is in memory only. */
void rig_open(struct rig *r, size_t memory, size_t slab);
/* Everything must be back: nothing charged, nothing allocated. */
void rig_close(struct rig *r);

/* DIR/${name}; valid until the eighth call after. */
const char *rig_path(const struct rig *r, const char *name);
/* Make, or append to, a file. */
void rig_write(const char *path, const char *text, size_t len);
void rig_append(const char *path, const char *text, size_t len);
/* The content of a file; the caller's (free). */
char *rig_read(const char *path, size_t *len);

/* A configuration; ' stands for ". Fails the test when it is not valid. */
struct config *rig_config(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A ticket that says how it ended. */
struct receipt {
    struct ticket ticket;
    unsigned settled;
    bool delivered;
    unsigned order; /* the how manieth that settled */
};
void receipt_init(struct receipt *t);
extern unsigned receipt_count;

/* A chunk of the lines of ${text} (the last may be without end), in a slab of the pool, with ${ticket} (NULL: none). NULL: no
 * memory. */
struct chunk *rig_chunk(struct rig *r, const char *text, size_t len, struct ticket *ticket);
struct chunk *rig_lines(struct rig *r, const char *text, struct ticket *ticket);

/* Listens to a readable stream: keeps what came as bytes. */
struct catcher {
    struct listener data, end, error, closed;
    struct buf bytes;    /* records with '\n' behind each, blobs as they are */
    size_t *ends;        /* of each chunk in bytes */
    size_t chunks, records;
    bool ended, is_closed;
    bool hold;           /* keep the chunks, instead of telling that they were delivered */
    struct list held;
    struct err err;
};
void catcher_on(struct catcher *c, struct stream *s);
void catcher_release(struct catcher *c, bool delivered); /* what it holds */
void catcher_off(struct catcher *c);

/* Turn the loop until ${cond}; fail after ${seconds}. */
#define RIG_UNTIL(rig, cond, seconds)                                                              \
    do {                                                                                           \
        double rig_end = loop_now() + (seconds);                                                   \
        while (!(cond)) {                                                                          \
            ck_assert_msg(loop_now() < rig_end, "waited in vain for " #cond);                      \
            if (!loop_turn((rig)->loop))                                                           \
                usleep(200);                                                                       \
        }                                                                                          \
    } while (0)

/* Turn the loop for ${seconds}. */
void rig_run(struct rig *r, double seconds);

/* A small generator of random numbers: splitmix64. */
static inline uint64_t rig_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* CPU seconds this process has used: for showing that somebody who waits does not spin. */
double rig_cpu(void);

/* Let stderr be nowhere from now on: for tests that provoke many messages. */
void rig_hush(void);

int rig_main(Suite *s);

#endif
