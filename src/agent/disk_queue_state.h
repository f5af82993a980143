/*
 * disk_queue_state: what the two halves of a disk queue share. Private to them.
 *
 * disk_queue.c      in: collecting, rounds, tickets of the sources; the stream
 * disk_queue_out.c  out: reading back, tickets of the queue's own
 */
#ifndef WEIR_AGENT_DISK_QUEUE_STATE_H
#define WEIR_AGENT_DISK_QUEUE_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/disk_queue.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/work.h"
#include "delivery/spool.h"
#include "record/pool.h"
#include "record/ticket.h"

struct chunk;
struct origin;

/* Entries being collected or written, and whose they are. */
struct load {
    struct spool_write write;
    struct ticket_set tickets;
    uint64_t records;
    size_t charged;
};

struct disk_queue {
    struct stream *stream;
    struct stage_env *env;
    char *path;
    struct spool spool;
    bool drop_newest;

    /* In. */
    struct load *next, *running; /* running: handed to rounds until it is on disk; empty: none */
    struct load loads[2];
    size_t load_bytes;    /* as much is collected */
    struct chunk *held;   /* its write is not done: there is no room for it */
    bool past;            /* held is larger than the queue: it goes past it */
    struct spool_round round;
    struct job job;
    bool busy;            /* the round is on the worker */
    ev_timer timer;       /* for the next round: to save the state, or to try again */
    double saved_at, wait;
    bool failing_write, failing_state;
    uint64_t unlogged;    /* drops */
    double logged_at;

    /* Out. */
    bool wanted;
    struct slab *slab;    /* that got is in; NULL: all of it was handed on */
    struct spool_got got;
    struct step more;     /* read on, in the next turn */
    struct pool_waiter waiter;
    ev_timer again;       /* the spool could not be read */
    struct list handed;   /* by place: what the sink has, and what is delivered behind that */
    size_t out;           /* tickets with holders */
    uint64_t lost;        /* records that the spool has told are lost, already counted */
    struct origin *origin;

    bool final;    /* nothing comes any more */
    bool settled;  /* and what came is on disk */
    bool stopping, ended;
    bool closing;  /* destroyed: waits for the round and for tickets */
    struct err why;
};

/* Hand on what there is, if it is wanted; or the end. */
void disk_queue_out(struct disk_queue *q);
void disk_queue_out_init(struct disk_queue *q);
/* Let go of what was read and not handed on. */
void disk_queue_out_clear(struct disk_queue *q);
/* Everything that was read and cannot be handed on any more counts: forget the rest. After that no ticket is out. */
void disk_queue_out_free(struct disk_queue *q);

/* The sink has delivered more: there may be something to write. */
void disk_queue_acked(struct disk_queue *q);
/* A ticket ended: when it was the last and the queue is closing, it can close. */
void disk_queue_close_if_done(struct disk_queue *q);

#endif
