/*
 * checkpoint: the delivered offsets of all files, kept on disk.
 *
 * One file, DATA_DIR/checkpoint, rewritten whole at most once a second while something changes and at exit: temporary
 * file, fsync, rename, fsync of the directory, on the worker. It never says more than was delivered. DATA_DIR/lock is held
 * with flock(2) while the agent runs, so that a second agent on the directory refuses to start.
 *
 * Format, text, one line each, fields separated by one space, names and paths with %XX for bytes outside 0x21..0x7e and for '%':
 *
 *     weir-checkpoint 4
 *     file PIPELINE STAGE DEV INO HEADLEN HEADCRC OFFSET MARKLEN MARKCRC SEEN PATH LOG WHOLE
 *     output PIPELINE STAGE DEV INO LENGTH MARKLEN MARKCRC PATH
 *     end COUNT CRC
 *
 * LOG is the path that the file had when it was first followed; WHOLE the size of a compressed file whose text ends at OFFSET, else 0. An output is a file that is
 * cut back to LENGTH when the pipeline starts (cut.h). Versions 1 (without LOG and WHOLE), 2 (without WHOLE) and 3 (without outputs) are read too. Numbers are decimal, CRCs are CRC-32 (zlib) in hexadecimal, SEEN is seconds since the epoch, the last CRC is over
 * all bytes before its line. A file that is damaged or of another version is renamed to checkpoint.bad (never
 * deleted, never overwritten: .bad.1, .bad.2 …), reported, and everything is read from its beginning.
 *
 * Without a directory the states are kept in memory only.
 */
#ifndef WEIR_DELIVERY_CHECKPOINT_H
#define WEIR_DELIVERY_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "delivery/ledger.h"

struct buf;
struct err;
struct loop;
struct work;

/* What is known of a file: identity, proof of content and delivered offset. */
struct file_state {
    uint64_t dev, ino;
    struct mark head; /* of the first bytes: len of them, CRC-32; grows with the file up to HEAD_BYTES */
    uint64_t offset;
    struct mark mark; /* of the bytes before offset */
    uint64_t whole;   /* it is compressed, and so long when offset is the end of its text; 0: not so */
    uint64_t seen;    /* when the file was last known to exist, seconds since the epoch */
};

#define HEAD_BYTES 1024

/* One entry; owned by the checkpoint. */
struct checkpoint_entry {
    struct list node;
    struct list by_ino; /* the checkpoint's: a bucket of its index */
    char *pipeline, *stage, *path;
    char *log; /* the path it had when it was first followed */
    struct file_state state;
    struct checkpoint *owner;
    struct checkpoint_hold *hold; /* of its pipeline; NULL: none */
    bool claimed; /* a source follows this file now */
};

/* How long a file was that a pipeline writes to, at the moment that the offsets of its sources are of. */
struct checkpoint_output {
    struct list node;
    char *pipeline, *stage, *path;
    uint64_t dev, ino, length;
    struct mark mark; /* of the bytes before length */
};

/* Somebody waits until what is known now is on disk. */
struct checkpoint_waiter {
    struct list node; /* initialised; list_remove cancels */
    uint64_t stamp;
    void (*wake)(struct checkpoint_waiter *w);
};

struct checkpoint;
struct checkpoint_hold;

enum checkpoint_mode {
    CHECKPOINT_KEEP, /* read, write, lock */
    CHECKPOINT_LOOK, /* read only: for dry-run; no lock, nothing is created or renamed */
};

/* Open the state in ${dir} (NULL: memory only), creating the directory if need be. NULL and ${e} when the directory cannot be
 * used or another agent holds it. */
struct checkpoint *checkpoint_open(struct loop *loop, struct work *work, const char *dir,
                                   enum checkpoint_mode mode, struct err *e);

/* Write what is not written yet and let go of everything. -1 and ${e} when the last write failed. */
int checkpoint_close(struct checkpoint **cp, struct err *e);

/* Will what was delivered be known after the next start? */
bool checkpoint_is_kept(const struct checkpoint *cp);

/* Was there a state that could not be read? Then nothing may be skipped: sources start at the beginning. */
bool checkpoint_damaged(const struct checkpoint *cp);

/* The unclaimed entry of ${pipeline} and ${stage} for the inode, or NULL. An entry for the same inode number and ${path} on another
 * device counts too: device numbers may change when a machine starts. The caller checks the content. */
struct checkpoint_entry *checkpoint_find(struct checkpoint *cp, const char *pipeline,
                                         const char *stage, uint64_t dev, uint64_t ino,
                                         const char *path);

/* Call ${each} for every entry of ${pipeline} and ${stage}. It may remove the entry it is given. */
void checkpoint_each(struct checkpoint *cp, const char *pipeline, const char *stage,
                     void (*each)(void *arg, struct checkpoint_entry *entry), void *arg);

/* A new, claimed entry; strings are copied. NULL: no memory. */
struct checkpoint_entry *checkpoint_add(struct checkpoint *cp, const char *pipeline,
                                        const char *stage, const char *path, const char *log,
                                        const struct file_state *state);

/* The path of ${entry} is now ${path}. -1: no memory, the old one stays. */
int checkpoint_rename(struct checkpoint *cp, struct checkpoint_entry *entry, const char *path);

/* ${entry} belongs to ${log} now. -1: no memory, the old one stays. */
int checkpoint_set_log(struct checkpoint *cp, struct checkpoint_entry *entry, const char *log);

/* ${entry}->state was changed (not its inode: add a new one for that): write it soon. */
void checkpoint_touch(struct checkpoint *cp, struct checkpoint_entry *entry);

/* Forget ${entry}. */
void checkpoint_remove(struct checkpoint *cp, struct checkpoint_entry *entry);

/* Write now, on this thread, if anything changed; no write may be under way on the worker. -1 and ${e} on failure (what was there before is intact). */
int checkpoint_write(struct checkpoint *cp, struct err *e);

/* ---- pipelines whose outputs are cut back: for cut.c ---- */

/*
 * From now on the file says of the sources of ${pipeline} not what their entries say but what was published last, or, before that, what they say
 * now. Held already: the entries, none of which is claimed, are set back to that. ${touched} is called when one of them changes
 * (NULL: nobody asks). NULL: no memory, nothing was changed.
 */
struct checkpoint_hold *checkpoint_hold(struct checkpoint *cp, const char *pipeline, void (*touched)(void *arg), void *arg);

/* Nobody asks any more. */
void checkpoint_hold_leave(struct checkpoint_hold *hold);

/* The file says again what the entries of ${pipeline} say, and knows no outputs of it. */
void checkpoint_unhold(struct checkpoint *cp, const char *pipeline);

/* Append what the entries say now to ${out}, for checkpoint_publish: that is what the file says from now on. ${out} is cleared. */
void checkpoint_hold_print(const struct checkpoint_hold *hold, struct buf *out);
void checkpoint_publish(struct checkpoint_hold *hold, struct buf *out);

/* A new output; strings are copied. NULL: no memory. */
struct checkpoint_output *checkpoint_add_output(struct checkpoint *cp, const struct checkpoint_output *like);
void checkpoint_remove_output(struct checkpoint *cp, struct checkpoint_output *output);

/* Call ${each} for every output of ${pipeline}, which it may remove. */
void checkpoint_each_output(struct checkpoint *cp, const char *pipeline, void (*each)(void *arg, struct checkpoint_output *output),
                            void *arg);

/* Something in the file is to change: write it soon. */
void checkpoint_changed(struct checkpoint *cp);

/* A stamp for what is to be written now; is that on disk; wait for it (${w}->wake is set): it is written at once then. */
uint64_t checkpoint_stamp(const struct checkpoint *cp);
bool checkpoint_has(const struct checkpoint *cp, uint64_t stamp);
void checkpoint_wait(struct checkpoint *cp, struct checkpoint_waiter *w, uint64_t stamp);

/* ---- its text: for checkpoint.c and its fuzzer ---- */

/* Parse ${text}; entries and outputs are added to ${into}. -1 and ${e} (line and what was expected) when it is not a whole
 * checkpoint of a known version; the lists then hold what was read so far. */
int checkpoint_parse(const char *text, size_t len, struct list *into, struct list *outputs, struct err *e);
void checkpoint_entries_free(struct list *entries);
void checkpoint_outputs_free(struct list *outputs);

/* ${out}, empty before, becomes a checkpoint: begun, a line for each, ended. */
void checkpoint_print_begin(struct buf *out);
void checkpoint_print_entry(const struct checkpoint_entry *e, struct buf *out);
void checkpoint_print_output(const struct checkpoint_output *o, struct buf *out);
void checkpoint_print_end(struct buf *out);

#endif
