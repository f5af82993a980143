/*
 * checkpoint_state: what the files of the checkpoint share: checkpoint.c, which keeps and writes it, and checkpoint_hold.c, pipelines
 * whose outputs are cut back. Private to them.
 */
#ifndef WEIR_DELIVERY_CHECKPOINT_STATE_H
#define WEIR_DELIVERY_CHECKPOINT_STATE_H

#include <ev.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/work.h"
#include "delivery/checkpoint.h"

#define CHECKPOINT_BUCKETS 1024

struct checkpoint {
    struct loop *loop;
    struct work *work;
    char *dir; /* NULL: memory only */
    int dir_fd, lock_fd;
    enum checkpoint_mode mode;
    struct list entries, outputs, holds;
    struct list by_ino[CHECKPOINT_BUCKETS];
    ev_timer timer;
    bool dirty, damaged, failing;
    struct job job;      /* writes `text` on the worker */
    struct buf text;     /* what is being written; its owner while writing is set */
    struct err job_err;
    bool writing;
    uint64_t stamp;      /* counts the writes that began */
    uint64_t kept;       /* the last one that is on disk */
    struct list waiters; /* struct checkpoint_waiter */
};

/* What the file says of one pipeline. */
struct checkpoint_hold {
    struct list node;
    struct checkpoint *owner;
    char *pipeline;
    struct buf text; /* lines of its files */
    void (*touched)(void *arg);
    void *arg;
};

/* Put ${entry} into the lists. */
void checkpoint_link(struct checkpoint *cp, struct checkpoint_entry *entry);

/* What the file is to say now. */
void checkpoint_print(const struct checkpoint *cp, struct buf *out);

/* The hold of ${pipeline}, or NULL. */
struct checkpoint_hold *checkpoint_hold_of(const struct checkpoint *cp, const char *pipeline);

void checkpoint_holds_free(struct checkpoint *cp);

/* Wake those whose stamp is on disk. */
void checkpoint_wake(struct checkpoint *cp);

/* Write after ${seconds}, unless that is due earlier. */
void checkpoint_arm(struct checkpoint *cp, double seconds);

#endif
