/*
 * tail: what the parts of the tail source share.
 *
 * tail.c       the descriptor and the stream: events, timers, scans, start and end
 * tail_turn.c  whose turn it is to be read
 * tail_files.c the set of followed files: scanning, appearing, vanishing
 * tail_places.c  where they are: by name and by inode, also when they were renamed
 * tail_log.c   what a log was rotated into, in order
 * tail_lost.c  files whose content is elsewhere, and files that look like that
 * tail_copy.c  where it is
 * tail_open.c  their descriptors, within bounds
 * tail_file.c  one file: opening, reading lines, truncation, long lines
 * tail_batch.c  what was read of it becomes a batch
 * tail_unpack.c  reading one that is compressed
 * tail_content.c  what stands in it: is it what was read?
 * tail_options.c  the option table
 * glob.c       patterns to paths; watch.c  inotify; unpack.c  decoders
 */
#ifndef WEIR_SOURCE_TAIL_H
#define WEIR_SOURCE_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "base/list.h"
#include "config/option.h"
#include "delivery/checkpoint.h"
#include "delivery/ledger.h"
#include "source/tail_copy.h"
#include "source/unpack.h"
#include "stage/stage.h"

struct batch;
struct slab;

/* What was read of a file does not stand in it any more: it has no turn until it is known where that is. */
enum tail_lost {
    TAIL_FOUND,    /* it does */
    TAIL_REPLACED, /* something else stands there */
    TAIL_GONE,     /* there is no such file any more */
};

enum tail_start { TAIL_BEGINNING, TAIL_END };
enum tail_long { TAIL_TRUNCATE, TAIL_SPLIT, TAIL_SKIP };

struct tail_settings {
    struct strings include, exclude;
    int start_at, on_long_line;
    uint64_t max_line_bytes;
    double rotate_wait, ignore_older, close_inactive, rescan_interval, forget_after;
    bool follow_symlinks, strip_cr, compressed;
};

extern const struct option tail_options[];

/* The hooks check and replays: struct stage. */
void tail_options_check(const void *settings, struct config_report *report);
const char *tail_options_replays(const void *settings);

/* One followed file. It is known by its inode; its path is where it was last seen. Offsets and the mark of one that is compressed are those of its text; its
 * head, size and stop those of the file. */
struct tail_file {
    uint64_t dev, ino;
    char *path;
    int fd;              /* -1: closed */
    enum unpack_kind kind;
    struct mark head;    /* of the first bytes, as far as known */
    struct mark mark;    /* of the bytes before offset */
    uint64_t offset;     /* everything before was handed on */
    uint64_t scanned;    /* no '\n' in offset..scanned, when it is past offset */
    uint64_t line_end;   /* end of the line at offset, terminator included; 0: not known */
    uint64_t size;       /* when last looked at */
    struct timespec written; /* its st_mtim then */
    uint64_t stop;       /* do not read past this: the present end of --once; else UINT64_MAX */
    const char *anew;    /* why it is not what was read: of the last TAIL_ANEW */
    double grown;        /* when it was last seen to grow, or to be gone or rotated: loop_now */
    uint64_t begun;      /* the offset that reading began at */
    uint64_t expected;   /* its part of what --once has to read */
    uint64_t whole, whole_text; /* it is compressed: its size, and the end of its text, when that was reached; 0: not yet */
    bool moved;          /* it is what was read of another file */
    bool left;           /* no pattern has found it in this life: what was known of it is only finished */
    bool passed_over;    /* it is compressed, and what it has now is not to be sent */
    bool damaged;        /* it cannot be decoded any further */
    bool told_short;     /* it was said that it ends too early */
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

    /* tail_lost.c: */
    enum tail_lost lost;
    struct list held;         /* looks like a copy of what is known: has no turn until that is certain */
    bool search_again;        /* it is lost, and not everything could be looked at */
    bool twin_tried;          /* what it is a copy of was looked for */
    bool vetted;              /* it is no copy, or what it is a copy of does not matter any more */

    /* tail_log.c: */
    struct tail_file *after;  /* the next older file of its log that is not read to its end; NULL: none */
    struct tail_file *before; /* the next newer one that waits for this; NULL: none */
};

/* The compressed file that is being read: one at a time, for a decoder takes memory. What another one has decoded is decoded again when its turn comes. */
struct tail_unpack {
    struct unpack *decoder; /* NULL: none is read */
    struct tail_file *owner;
    uint64_t at;            /* what is decoded next, as an offset of the text */
    struct buf carry;       /* the text from the owner's offset up to there; of a line that is too long only its head */
    struct buf rest;        /* text behind such a line, when that has ended */
    bool is_long;           /* the line at the offset is too long */
    bool is_ended;          /* and ends at long_end */
    uint64_t long_end;
    char before[MARK_BYTES]; /* the text in front of the offset, or of `at` while that is behind */
    char last[MARK_BYTES];  /* of a line that is too long: the text in front of what was looked at last */
    size_t before_len, last_len;
    size_t held;            /* of the pool */
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
    struct tail_unpack unpack;
};

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
    TAIL_ANEW,    /* it is not what was read, as f->anew says */
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

/* Let the checkpoint know what is known of ${f}. */
void tail_file_keep(struct tail_file *f);

/* After TAIL_ANEW: everything in the file is new. -1: no memory. */
int tail_file_start_over(struct tail_reader *r, struct tail_file *f);

/* What was read of ${f} stands in another file: go on in that. Nothing of ${f} may be known by its inode any more. -1: no memory, nothing was
 * changed. */
int tail_file_move(struct tail_reader *r, struct tail_file *f, struct tail_copy *to);

/* ---- what was read becomes a batch ---- */

/* Let go of the slab that is being filled. */
void tail_reader_let_go(struct tail_reader *r);

/* Is there a slab with ${need} bytes free? It is r->slab then, preferably the one being filled. */
bool tail_batch_room(struct tail_reader *r, size_t need);

/* How many bytes to read at once: as much as the pipeline's share of memory bears; ${line}, the length of a line that is known, at least. */
size_t tail_batch_most(struct tail_reader *r, size_t line);

/* An empty batch over the slab; ${text} stands for the offset. NULL: no memory. */
struct batch *tail_batch_new(struct tail_reader *r, struct tail_file *f, const char *text);

/* ${len} bytes of what is free in ${s} are used. */
void tail_batch_take(struct slab *s, size_t len);

/* ${b} holds everything from the offset to ${end}; ${mark} is that of ${end}. Frees ${b} on failure. */
enum tail_outcome tail_batch_hand_on(struct tail_reader *r, struct tail_file *f, struct batch *b, uint64_t end,
                                     struct mark mark, struct batch **out, struct err *e);

/* The ${len} bytes at ${text}, in the free part of the slab, are the head or a piece of a line that is too long: a record that stands for all in front of
 * ${end}, whose mark is ${mark}. */
enum tail_outcome tail_batch_piece(struct tail_reader *r, struct tail_file *f, char *text, size_t len, uint64_t end,
                                   struct mark mark, struct batch **out, struct err *e);

/* The line from the offset to ${end} was left out for its length: count it and say so. */
void tail_batch_skipped(struct tail_reader *r, const struct tail_file *f, uint64_t end);

/* The ${got} bytes at ${text}, in the free part of the slab behind as many as the mark covers, are what stands at the offset: records of
 * its whole lines, and of what is left if it is the ${last}. TAIL_MORE: there is none; scanned and line_end say what is known of the line. */
enum tail_outcome tail_batch_cut(struct tail_reader *r, struct tail_file *f, char *text, size_t got, bool last,
                                 struct batch **out, struct err *e);

/* ---- compressed files ---- */

/* Is ${f} one? */
bool tail_unpack_is(const struct tail_file *f);

/* As tail_file_read, for one whose size and content were looked at. */
enum tail_outcome tail_unpack_read(struct tail_reader *r, struct tail_file *f, bool finish, struct batch **out,
                                   struct err *e);

/* The decoder of ${f}, if it has one, is not needed any more. */
void tail_unpack_let_go(struct tail_reader *r, const struct tail_file *f);

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
    struct list ready, open, waiting, held;
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
    bool known;             /* there is something that new files may be copies of */
    struct tail_searches searches;
    double search_at;       /* when those that could not look at everything are made again: loop_now; 0: there are none */
    void (*settled)(void *arg, bool moved); /* it is known of a lost file where it is; or (moved) it is elsewhere: its old path is to be looked at */
    void *arg;
};

void tail_files_init(struct tail_files *fs, struct tail_reader *reader, void (*settled)(void *arg, bool moved), void *arg);
void tail_files_clear(struct tail_files *fs);

/* Look at all patterns: new files appear, renamed ones move, vanished ones are marked gone. */
void tail_files_scan(struct tail_files *fs);

/* What was ${from}, and may have been there too shortly for a scan, is ${to} now: follow it there if patterns want ${from}. */
void tail_files_moved(struct tail_files *fs, const char *from, const char *to);

/* Something happened to ${path}. False: no followed file. */
bool tail_files_changed(struct tail_files *fs, const char *path);

/* ${f} may have something to read. */
void tail_files_ready(struct tail_files *fs, struct tail_file *f);

/* Go on with what the checkpoint knows of a file that no pattern finds. */
void tail_files_resume(struct tail_files *fs, struct checkpoint_entry *entry);

/* Do the patterns want ${path}? */
bool tail_files_want(const struct tail_files *fs, const char *path);

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

/* Is it under its path? */
bool tail_places_is_there(const struct tail_file *f);

/* The followed file with the inode of ${st}, or at ${path}; NULL: none. */
struct tail_file *tail_places_inode(const struct tail_files *fs, const struct stat *st);
struct tail_file *tail_places_path(const struct tail_files *fs, const char *path);

/* ${f} is what its path names; whoever was there before is somewhere else or gone. */
void tail_places_put(struct tail_files *fs, struct tail_file *f);
/* It is not any more. */
void tail_places_leave(struct tail_files *fs, struct tail_file *f);
/* It was renamed to ${path}, which the patterns want. */
void tail_places_move(struct tail_files *fs, struct tail_file *f, const char *path);

/* ${f} is gone from where it was: look for its new name, to hear of what is still written to it. False: there is none, or (*${busy}) no descriptor to look. */
bool tail_places_find(struct tail_files *fs, struct tail_file *f, bool *busy);

/* Tell the origins of files that are in their directories under no name any more: the next start will not find them. */
void tail_places_note_gone(struct tail_files *fs);

/* ---- lost files, and copies ---- */

/* To be called first. */
void tail_lost_init(struct tail_files *fs);

/* What was read of ${f} is not where it was: look for it elsewhere. False: there is no point in that. Else it has no turn until it is found
 * or given up: then it starts over (replaced), or is retired (gone). */
bool tail_lost_search(struct tail_files *fs, struct tail_file *f, enum tail_lost lost);

/* Search again, when it is time, where not everything could be looked at. Returns when that is (loop_now), 0: there is no such search. */
double tail_lost_again(struct tail_files *fs);

/* It is not to be found: do that. -1: no memory. */
int tail_lost_give_up(struct tail_files *fs, struct tail_file *f, enum tail_lost lost);

/* ${f}, which may be new, has something to read. It may be a copy of what is known, its original being truncated or removed in a moment: then it has no
 * turn until that is certain, and this returns true. It may not be complete yet: it waits until it has not grown for rotate_wait; a plain one, while it
 * grows, only as long as it is what its original begins with. */
bool tail_lost_hold(struct tail_files *fs, struct tail_file *f);

/* ${f}, which is held back, has changed: perhaps it need not be any more. */
void tail_lost_review(struct tail_files *fs, struct tail_file *f);

/* Let those go that have been held long enough (${all}: every one). Returns when the next is due (loop_now), 0: none is held. */
double tail_lost_release(struct tail_files *fs, bool all);

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
