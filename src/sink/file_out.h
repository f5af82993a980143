/*
 * file_out: one output file: opened when there is something to write, let go of when its name leads elsewhere, rotated between records.
 *
 * A file that was not left whole (a crash, a full disk) is mended when it is opened: an unfinished line is closed with a line feed, an unfinished
 * compressed member is cut off. Nothing here waits: what cannot be done now is told to the caller, who tries again.
 */
#ifndef WEIR_SINK_FILE_OUT_H
#define WEIR_SINK_FILE_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "sink/file_place.h"

struct cut;
struct cut_output;
struct wire;

/* Settings of `rotate`. */
struct file_rotation {
    bool given;
    uint64_t max_bytes; /* 0: no matter how large */
    double max_age;     /* seconds; 0: no matter how old */
    int64_t keep;
};

/* The same for all files of a sink. */
struct file_rules {
    const char *scope; /* for the log */
    mode_t mode;       /* of a file that is created */
    bool sync;         /* nothing counts before it is on the disk */
    const struct file_rotation *rotation;
    const char *stage;
    struct cut *cut;   /* exactly_once: what is written is cut back to the checkpoint (file_exact.h); NULL: at_least_once */
};

struct file_out {
    struct list used, bucket; /* its set's (file_set.h) */
    uint64_t hash;
    const struct file_rules *rules;
    int fd;            /* -1: closed */
    bool regular;      /* no FIFO or device */
    bool text;         /* lines, not compressed members */
    bool dirty;        /* written to and not synced, where that counts */
    bool complained;   /* an obstacle was told in the log */
    bool foreign;      /* so was that somebody else writes to it */
    bool rotate_told;  /* so was a rotation that failed */
    dev_t dev;
    ino_t ino;
    uint64_t size;
    int64_t born;        /* when it was created: nanoseconds since 1970; with max_age only */
    double rotate_after; /* loop_now: not again before; 0: at once */
    double touched;      /* loop_now: last written */
    struct cut_output *output; /* while it is open, exactly_once */
    struct file_place place;
    char path[];
};

/* A closed one for the ${len} bytes at ${path}, of which those from ${below} on came out of records (0: none). NULL: no memory. */
struct file_out *file_out_new(const char *path, size_t len, size_t below, const struct file_rules *rules);

/* Close and free *${o}, which may be NULL, and is in no list. */
void file_out_free(struct file_out **o);

enum out_step {
    OUT_DONE,
    OUT_KEEP,    /* go on when the checkpoint names the file: file_exact_wait */
    OUT_SYNC,    /* go on when file_out_sync was called, on a worker, and file_out_synced */
    OUT_WAIT,    /* something is in the way: told in the log, once */
    OUT_NO_ROOM, /* a FIFO is full */
};

/* Write what ${w} has left. */
enum out_step file_out_write(struct file_out *o, struct wire *w);

/* May be called from another thread, with nothing else done to ${o} meanwhile. 0 or an errno. */
int file_out_sync(const struct file_out *o);
void file_out_synced(struct file_out *o);

/* Is the file still what its path leads to? */
bool file_out_moved(const struct file_out *o);

#endif
