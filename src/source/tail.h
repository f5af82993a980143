/*
 * tail: what the parts of the tail source share.
 *
 * tail.c       the descriptor and the stream: whose turn it is, timers, start and end
 * tail_files.c the set of followed files: scanning, appearing, vanishing
 * tail_places.c  where they are: by name and by inode, also when they were renamed
 * tail_log.c   what a log was rotated into, in order
 * tail_open.c  their descriptors, within bounds
 * tail_file.c  one file: opening, reading lines, truncation, long lines
 * tail_content.c  what stands in it: is it what was read?
 * tail_options.c  the option table
 * glob.c       patterns to paths; watch.c  inotify
 */
#ifndef WEIR_SOURCE_TAIL_H
#define WEIR_SOURCE_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "base/list.h"
#include "config/option.h"
#include "delivery/checkpoint.h"
#include "delivery/ledger.h"
#include "stage/stage.h"

struct batch;

enum tail_start { TAIL_BEGINNING, TAIL_END };
enum tail_long { TAIL_TRUNCATE, TAIL_SPLIT, TAIL_SKIP };

struct tail_settings {
    struct strings include, exclude;
    int start_at, on_long_line;
    uint64_t max_line_bytes;
    double rotate_wait, ignore_older, close_inactive, rescan_interval, forget_after;
    bool follow_symlinks, strip_cr;
};

extern const struct option tail_options[];

/* Problems that one option alone does not show: struct stage. */
void tail_options_check(const void *settings, struct config_report *report);

/* One followed file. It is known by its inode; its path is where it was last seen. */
struct tail_file {
    uint64_t dev, ino;
    char *path;
    int fd;              /* -1: closed */
    struct mark head;    /* of the first bytes, as far as known */
    struct mark mark;    /* of the bytes before offset */
    uint64_t offset;     /* everything before was handed on */
    uint64_t scanned;    /* no '\n' in offset..scanned, when it is past offset */
    uint64_t line_end;   /* end of the line at offset, terminator included; 0: not known */
    uint64_t size;       /* when last looked at */
    struct timespec written; /* its st_mtim then */
    uint64_t stop;       /* do not read past this: the present end of --once; else UINT64_MAX */
    double grown;        /* when it was last seen to grow, or to be gone or rotated: loop_now */
    struct ledger *ledger;
    struct checkpoint_entry *entry;
    struct origin *origin;

    /* tail_files.c: */
    struct list all;     /* in struct tail.files or .retired */
    struct list ready;   /* waits for its turn */
    struct list open;    /* has a descriptor; the longest unread first */
    struct list waiting; /* finished when rotate_wait has passed */
    double read_at;      /* last turn */
    unsigned seen;       /* number of the scan that last found it */
    bool placed;         /* path is its name now */
    bool unproven;       /* a pattern found it, and it was not opened since: its head may be that of a file which had its inode before */
    bool gone;           /* renamed away or removed: finish and forget */
    bool rotated;        /* renamed within the patterns: its last line may be finished */
    bool resumed;        /* there was a checkpoint for it */
    bool over;           /* gone or rotated, and has not grown for rotate_wait */
    bool failed;         /* could not be read: tried again at the next rescan */

    /* tail_log.c: */
    struct tail_file *after;  /* the next older file of its log that is not read to its end; NULL: none */
    struct tail_file *before; /* the next newer one that waits for this; NULL: none */
};

/* What reading needs besides the file. */
struct tail_reader {
    struct stage_env *env;
    const struct tail_settings *set;
    struct slab *slab; /* being filled, or NULL */
    char *window;      /* TAIL_WINDOW bytes to look for the end of a long line in */
    size_t line_bytes; /* what a line of the last batch had, on average; 0: none yet */
    size_t records;    /* how many it had */
    size_t before;     /* what the pool held before it */
};

/* Let go of the slab that is being filled. */
void tail_reader_let_go(struct tail_reader *r);

#define TAIL_WINDOW   ((size_t)64 << 10)
#define TAIL_ROOM_MIN ((size_t)32 << 10) /* a slab with less free is full */
/* What stages add to records is not bounded by the slab: one read brings so many lines at most, and what is made of them shall be one part in so many of the
 * pool. */
#define TAIL_RECORDS     ((size_t)2048)
#define TAIL_RECORDS_MIN ((size_t)32)
#define TAIL_SHARE       4
#define TAIL_LINE_GUESS  ((size_t)200) /* bytes of a line before any was read */

enum tail_outcome {
    TAIL_BATCH,   /* here are records; there may be more */
    TAIL_MORE,    /* none yet, look again next turn */
    TAIL_IDLE,    /* at the end of the file */
    TAIL_NO_ROOM, /* the pool gives no slab now */
    TAIL_VANISHED,/* the path does not lead to the file any more */
    TAIL_BUSY,    /* no descriptor free now */
    TAIL_FAILED,  /* ${e} says why */
};

/* A file of ${log} that starts at ${state} (resumed) or, with NULL, at 0. NULL: no memory. */
struct tail_file *tail_file_new(struct tail_reader *r, const char *path, const char *log,
                                const struct stat *st, const struct file_state *state);
/* Free *${f}, which is in no list; tickets may be out. Its checkpoint entry stays. */
void tail_file_free(struct tail_file **f);
void tail_file_close(struct tail_file *f);

/* Make sure that there is a descriptor and that it is the file that was followed so far; a file whose content was replaced starts
 * again at 0. TAIL_IDLE, _VANISHED, _BUSY or _FAILED. */
enum tail_outcome tail_file_open(struct tail_reader *r, struct tail_file *f, struct err *e);

/* Start at its present end instead of its beginning. Outcomes as tail_file_open. */
enum tail_outcome tail_file_skip(struct tail_reader *r, struct tail_file *f, struct err *e);

/* One turn: read what fits a slab. With ${finish} a last line without terminator counts as whole, unless the file was over and has
 * grown after all: then it is over no more. */
enum tail_outcome tail_file_read(struct tail_reader *r, struct tail_file *f, bool finish,
                                 struct batch **out, struct err *e);

/* ---- what stands in a file ---- */

/* pread(2) that goes on after EINTR and short reads; less than ${len} only at the end of the file. -1 with errno. */
ssize_t tail_content_fetch(const struct tail_file *f, char *to, size_t len, uint64_t offset);

/* Learn the head as it grows to its full length. */
void tail_content_learn_head(struct tail_reader *r, struct tail_file *f);

/* Is the head not what it was? */
bool tail_content_head_differs(struct tail_reader *r, struct tail_file *f);

/* The mark of what stands before ${offset}. */
struct mark tail_content_mark_before(struct tail_reader *r, struct tail_file *f, uint64_t offset);

/* Is what stands before the offset not what was read? */
bool tail_content_mark_differs(struct tail_reader *r, struct tail_file *f);

/* Does what is at ${path} begin as the file of ${state} did? */
bool tail_content_is(const char *path, const struct file_state *state);

/* ---- the set of files ---- */

struct tail_files {
    struct tail_reader *reader;
    struct list all;     /* followed */
    struct list retired; /* finished, tickets still out */
    struct list ready, open, waiting;
    void *by_path, *by_ino; /* tsearch(3) trees of struct tail_file */
    void *by_log;           /* and one of the newest of each log */
    void *complaints;       /* tsearch(3) tree of paths that were complained about */
    struct watch *watch;    /* NULL: --once, or inotify is not to be had */
    unsigned scan;          /* number of the present or last scan */
    unsigned found;         /* files so far */
    unsigned open_count, open_max;
    bool first, poll;       /* first scan; inotify alone is not enough here */
    bool incomplete;        /* the last scan could not look at everything, or not take it in */
    bool nomem;             /* that was for want of memory */
};

void tail_files_init(struct tail_files *fs, struct tail_reader *reader);
void tail_files_clear(struct tail_files *fs);

/* Look at all patterns: new files appear, renamed ones move, vanished ones are marked gone. */
void tail_files_scan(struct tail_files *fs);

/* What was ${from}, and may have been there too shortly for a scan, is ${to} now: follow it there if patterns want ${from}. */
void tail_files_moved(struct tail_files *fs, const char *from, const char *to);

/* Something happened to ${path}. False: no followed file. */
bool tail_files_changed(struct tail_files *fs, const char *path);

void tail_files_ready(struct tail_files *fs, struct tail_file *f);

/* ${f} is finished: forget it as soon as its tickets are back. */
void tail_files_retire(struct tail_files *fs, struct tail_file *f);

/* Free the retired ones whose tickets are back. */
void tail_files_reap(struct tail_files *fs);

/* Forget what is known of files that have not been seen for ${seconds}. */
void tail_files_forget(struct tail_files *fs, double seconds);

/* For check: would ${settings} follow a file called ${path}? A relative pattern is not compared with an absolute path, nor the other way. */
bool tail_files_reads(const void *settings, const char *path);

/* Say ${what} about ${path}, once until tail_files_praise. */
void tail_files_complain(struct tail_files *fs, const char *path, const char *what);
void tail_files_praise(struct tail_files *fs, const char *path);

/* ---- where they are ---- */

/* Know ${f} by its inode. -1: no memory. */
int tail_places_add(struct tail_files *fs, struct tail_file *f);
void tail_places_remove(struct tail_files *fs, struct tail_file *f);
void tail_places_clear(struct tail_files *fs);

/* The followed file with the inode of ${st}, or at ${path}; NULL: none. */
struct tail_file *tail_places_inode(const struct tail_files *fs, const struct stat *st);
struct tail_file *tail_places_path(const struct tail_files *fs, const char *path);

/* ${f} is what its path names; whoever was there before is somewhere else or gone. */
void tail_places_put(struct tail_files *fs, struct tail_file *f);
/* It is not any more. */
void tail_places_leave(struct tail_files *fs, struct tail_file *f);
/* It was renamed to ${path}, which the patterns want. */
void tail_places_move(struct tail_files *fs, struct tail_file *f, const char *path);

/* ${f} is gone from where it was: look for its new name, to hear of what is still written to it. False: there is none. */
bool tail_places_find(struct tail_files *fs, struct tail_file *f);

/* Tell the origins of files that are in their directories under no name any more: the next start will not find them. */
void tail_places_note_gone(struct tail_files *fs);

/* ---- rotated logs ---- */

/*
 * A log is known by the path its files had when they were first followed (origin->log, kept in the checkpoint). Its lines stay in order
 * across a rotation: what it was rotated out of is read to its end once before the newer file has a turn.
 */
void tail_log_add(struct tail_files *fs, struct tail_file *f);
void tail_log_remove(struct tail_files *fs, struct tail_file *f);
void tail_log_clear(struct tail_files *fs);

/* The oldest file that has to be read before ${f}; itself: none. */
struct tail_file *tail_log_oldest(struct tail_file *f);

/* ${f} was read to its end, or cannot be read: nobody waits for it any more. */
void tail_log_read(struct tail_file *f);

/* ---- descriptors ---- */

/* How many files may be open at once. */
unsigned tail_open_most(void);

/* ${f} was read: keep the open ones within bounds and in order. */
void tail_open_used(struct tail_files *fs, struct tail_file *f);

/* Close what was not read for ${seconds}. Returns when the next one is due (loop_now), 0: none. */
double tail_open_close_inactive(struct tail_files *fs, double seconds);

/* Close the longest unread one that can be opened again. False: there is none. */
bool tail_open_close_one(struct tail_files *fs);

#endif
