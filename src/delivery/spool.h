/*
 * spool: a queue of entries on disk. It knows nothing of streams, loops or chunks.
 *
 * A directory of its own, which nobody else may enter (0700):
 *
 *     0000000000000000.seg …  segments: entries one behind the other (spool_format.h). The name is the place of the first byte in the queue
 *     state                   what has been read and is done with
 *     *.bad                   what could not be read, kept for a person to look at
 *
 * Entries are appended to the last segment; one that is full is followed by the next. An entry counts when its segment (and, if it is new, the
 * directory) has been fsynced. It is read back only then. When everything in a segment is done with, and the state says so on
 * disk, the segment is deleted. All files together never take more than max_bytes.
 *
 * Opening reads names, the state, and of the last segment the heads of its entries and the payload of those that were written last. What is not whole at
 * its end was never counted: it is cut off. What is damaged elsewhere is found when it is read: it is copied to a *.bad
 * file (up to an eighth of max_bytes in all), logged with file and offset, and reading goes on with the next whole entry. How many
 * records are missing is known from the numbers that entries carry, also when a segment is gone.
 *
 * Writing is split so that what blocks can run on another thread: entries are collected in a struct spool_write, spool_round_run does all
 * that touches the disk, spool_round_done takes notice. Everything else belongs to one thread. Symbolic links are not followed.
 */
#ifndef WEIR_DELIVERY_SPOOL_H
#define WEIR_DELIVERY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "delivery/spool_format.h"
#include "delivery/spool_walk.h"

#define SPOOL_BYTES_MIN   ((uint64_t)4 << 20) /* least max_bytes */
#define SPOOL_SEGMENT_MAX ((uint64_t)64 << 20)
#define SPOOL_SEGMENTS    16 /* as many are max_bytes, if that makes them no larger than that */
#define SPOOL_NAME        32 /* room for the name of a file */
#define SPOOL_DEAD        32 /* segments deleted in one round */

struct spool_segment {
    struct list node;
    uint64_t base, size; /* in bytes; what is beyond size does not count (yet) */
};

struct spool {
    int dir_fd, state_fd;
    const char *path, *scope; /* for messages; the caller's */
    uint64_t max_bytes, segment_bytes;
    struct list segments; /* by base */
    size_t count;
    uint64_t bytes;       /* all files, and what is collected to be written */
    uint64_t bad_bytes;   /* of that, *.bad */

    /* The end: behind everything that counts, and behind everything that is collected. */
    uint64_t durable, durable_records, end, next_record;
    bool open;              /* there is a segment to append to: */
    struct spool_head head; /* its head */

    /* The beginning: everything before is done with; what the state on disk says of that. */
    uint64_t acked, acked_records, saved;
    uint64_t turn;

    /* Reading. */
    uint64_t read_at, read_record;
    uint64_t read_base; /* of the segment that is open */
    struct spool_file file; /* fd -1: none */
    unsigned read_failures;

    /* What could not be read, since it was opened. */
    uint64_t lost_records, damages;
    char names[SPOOL_NAME]; /* the name made last */
};

/* Open, and make if need be, the spool in ${dir_fd}, which becomes its own, also on failure; ${path} says where that is. -1 and ${e}. */
int spool_open(struct spool *s, int dir_fd, const char *path, uint64_t max_bytes, const char *scope, struct err *e);
/* Let go of it. Nothing is written: see spool_save. */
void spool_close(struct spool *s);

/* ---- writing ---- */

/* Entries of one segment on their way to it. Zero bytes are an empty one. */
struct spool_write {
    struct buf bytes;
    struct spool_head head;
    uint64_t start, end;  /* places in the queue */
    uint64_t end_record;  /* number of the record behind the last */
    uint64_t entries;
    size_t entry;         /* where the head of the entry that is being added stands in bytes */
    struct spool_segment *fresh; /* the segment is to be made; NULL: it exists */
};

enum spool_fit {
    SPOOL_FITS,
    SPOOL_LATER, /* it belongs to the next segment: when this write is done */
    SPOOL_FULL,  /* when segments have been deleted */
    SPOOL_NEVER, /* not even if the spool were empty */
    SPOOL_NOMEM,
};

/* Add an entry: spool_entry_begin, then append its payload to ${w}->bytes, then spool_entry_end. All but SPOOL_FITS leave ${w} as it was before. */
enum spool_fit spool_entry_begin(struct spool *s, struct spool_write *w);
enum spool_fit spool_entry_end(struct spool *s, struct spool_write *w, uint32_t kind, uint32_t records, int64_t time);
/* ${w} is empty and can be used again; its buffer is kept unless ${free} is set. */
void spool_write_clear(struct spool_write *w, bool free);

/* What is done to the disk in one go. */
struct spool_round {
    int dir_fd, state_fd;
    struct spool_write *write; /* NULL: nothing to write */
    bool save;                 /* the state */
    struct spool_slot slot;
    uint64_t dead[SPOOL_DEAD]; /* segments that can go when it is saved */
    size_t dead_count, gone;
    struct err write_err, state_err;
};

/* Is there anything to delete? Then a round is worth its while at once. */
bool spool_has_dead(const struct spool *s);

/* Prepare a round that writes ${w} (NULL: nothing) and saves the state if it has changed. False: there is nothing to do. */
bool spool_round_prepare(struct spool *s, struct spool_round *r, struct spool_write *w);
/* On any thread: write, fsync, make the directory entry durable; state; delete. Fault points: see fault.h, "segment" and "state". */
void spool_round_run(struct spool_round *r);
/* What came of it. What was written counts now if write_err is not set; else the same ${r}->write can be tried again. */
void spool_round_done(struct spool *s, struct spool_round *r);

/* The same on this thread, without writing entries; for the end. */
int spool_save(struct spool *s, struct err *e);

/* ---- reading ---- */

enum spool_read {
    SPOOL_READ,      /* at least one entry */
    SPOOL_EMPTY,     /* everything that counts has been read */
    SPOOL_ROOM,      /* the next entry needs ${got}->need bytes */
    SPOOL_SKIPPED,   /* something was damaged or missing: ask again */
    SPOOL_TROUBLE,   /* it cannot be read now (logged): later */
};

struct spool_got {
    char *data;
    size_t len, at;     /* at: how far spool_next has come */
    uint64_t place;     /* of data */
    struct spool_head head;
    size_t need;
};

/* Read as many whole entries as fit into the ${room} bytes at ${to}, and are in one segment. */
enum spool_read spool_read(struct spool *s, char *to, size_t room, struct spool_got *got);
/* The next entry of what was read. False: there are no more. */
bool spool_next(struct spool_got *got, struct spool_entry *entry);

/* Everything before the place ${at} is done with; the record behind has the number ${records}. */
void spool_acked(struct spool *s, uint64_t at, uint64_t records);

/* ---- looking ---- */

/* Records that are not done with, those collected to be written included. */
uint64_t spool_waiting(const struct spool *s);
/* When the oldest of them was written: nanoseconds since the epoch; 0: there is none, or it cannot be read. */
int64_t spool_oldest(struct spool *s);

/* ---- for the files of the spool ---- */

const char *spool_name(struct spool *s, uint64_t base, const char *ending);
/* Keep ${from} to ${to} of ${f} as a *.bad file, if there is room for it. */
void spool_quarantine(struct spool *s, struct spool_file *f, uint64_t from, uint64_t to);
/* Rename the whole segment ${base}, of ${size} bytes, to *.bad, or delete it when there is no room. */
void spool_set_aside(struct spool *s, uint64_t base, uint64_t size);
/* Read the directory ${s} has open: spool_open does. */
int spool_scan(struct spool *s, struct err *e);

#endif
