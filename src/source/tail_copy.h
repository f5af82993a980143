/*
 * tail_copy: where the content of a file went that is not in its place any more.
 *
 * Renaming leaves the inode, and is found by that. What was copied and then truncated (logrotate's copytruncate), or compressed and
 * then removed, lives on under another inode, in the same directory as a rule. It is known by its content: the same first bytes, and
 * the same bytes before the offset that was read up to. Of a compressed file that means its text, which has to be decoded that
 * far: so the search is made on the worker. What several searches look for in a directory is looked for together.
 */
#ifndef WEIR_SOURCE_TAIL_COPY_H
#define WEIR_SOURCE_TAIL_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/list.h"
#include "delivery/checkpoint.h"
#include "source/unpack.h"

struct tail_search_job;
struct work;

/* What was found. */
struct tail_copy {
    char *path; /* of mem_alloc; NULL: nothing */
    uint64_t dev, ino, size;
    struct mark head; /* of its first bytes, as they stand in it */
    enum unpack_kind kind;
    uint64_t whole;   /* it is compressed, of this size, and nothing is behind the offset; 0: not known to be so */
    bool unsure;      /* nothing was found, and not everything could be looked at, for want of descriptors or memory */
};

/* The searches of one tail. */
struct tail_searches {
    struct work *work;
    struct list waiting;          /* for the next job */
    struct tail_search_job *job;  /* under way; NULL: none */
    void (*found)(void *arg, void *owner, struct tail_copy *copy);
    void *arg;
};

/* ${found} is called from the loop with what was found for ${owner}. It may take the path (then sets it to NULL), and search again. */
void tail_searches_init(struct tail_searches *all, struct work *work,
                        void (*found)(void *arg, void *owner, struct tail_copy *copy), void *arg);

/* Nobody waits for anything any more. What is under way ends soon, by itself. */
void tail_searches_clear(struct tail_searches *all);

/* Look in the directory of ${path} for what the file of ${state}, which was called ${log}, held. -1: no memory. */
int tail_search(struct tail_searches *all, const char *path, const char *log, const struct file_state *state, void *owner);

/* Is ${path} called as a rotated or compressed ${log} would be? That is app.log.1, app.log-20261125.gz, app-1.log or app.1.log for app.log. What has the
 * same content under another name (what a sink wrote, beside the log) is no copy. */
bool tail_copy_is_named(const char *path, const char *log);

/* ${owner} does not wait any more. */
void tail_search_drop(struct tail_searches *all, const void *owner);

/* Is anybody waiting? */
bool tail_searches_busy(const struct tail_searches *all);

/* The first text of a file: of a compressed one, what it holds. */
struct tail_beginning {
    char text[HEAD_BYTES];
    size_t len;
    struct mark head; /* of its first bytes, as they stand in it */
    enum unpack_kind kind;
};

/* Read it from ${fd}, which is ${size} bytes long. Of a compressed file that is not complete there may be none yet. False: the file is empty, or cannot
 * be read. */
bool tail_beginning_read(struct tail_beginning *b, int fd, uint64_t size);

/* Does ${b} begin with the bytes of ${head}, which is not empty? */
bool tail_beginning_fits(const struct tail_beginning *b, struct mark head);

#endif
