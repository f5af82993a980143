/*
 * stream: data that arrives piece by piece, and the pressure that goes the other way.
 *
 * The semantics are those of Node.js streams (doc/api/stream.md of Node.js): names, events and
 * their order are the same, so that what is written about them holds here. docs/streams.md is the
 * introduction; this is the contract.
 *
 * A stream has a readable side (a queue of chunks that somebody consumes), a writable side (a queue
 * of chunks that the stream consumes) or both. What a stream is about is in its hooks (struct
 * stream_ops); the module keeps the queues and says when a hook is due.
 *
 *     producer --stream_write--> [write queue] --write hook-->  the world
 *     the world --read hook, stream_push--> [read queue] --data event or stream_read--> consumer
 *
 * Back-pressure. Each queue has a high-water mark in units of chunk weight (mostly bytes).
 * stream_push and stream_write always take the chunk and answer whether the queue is still below
 * the mark. After a false a producer waits: the read hook until it is called again, a writer until
 * `drain`. A pipe does the latter by itself. The bound of a queue is its mark plus what is pushed
 * in spite of a false.
 *
 * When things happen. stream_* functions never call anybody. Hooks, events and completions run from
 * the stream's one step in the loop's tick (base/loop.h), never inside one another, so that they
 * may call every function here on every stream, stream_destroy and stream_free of their own
 * included. State changes at once: after stream_destroy no `data` comes, whatever is queued.
 *
 * Seven differences to Node:
 *  1. Everything is called from the tick. Where Node emits `data` or calls _write inside push or
 * write, it is later in the same turn here.
 *  2. stream_write decides its answer when it queues; false still means accepted.
 *  3. Every accepted write completes exactly once, before `close`; destroying completes the rest
 * with ERR_STREAM_DESTROYED (or with the error the stream was destroyed with).
 *  4. No data after destroy, nothing at all after `close`, `error` at most once. An error always
 * destroys.
 *  5. A low mark: `drain` comes when the queue is down to it, not only when it is empty.
 *  6. A chunk has one owner, so a stream has one pipe. Fan-out is stream_tee.
 *  7. An `error` nobody listens for goes to the handler given at creation; without one the process
 * aborts.
 *
 * Memory. A stream is allocated once, at creation. Nothing else allocates, except stream_pipeline
 * and stream_tee, once each. One thread: everything belongs to the thread of the loop.
 */
#ifndef WEIR_STREAM_STREAM_H
#define WEIR_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

struct stream;

enum stream_code {
    ERR_STREAM_DESTROYED = ERR_STREAM, /* the stream was destroyed before it could do this */
    ERR_STREAM_PREMATURE_CLOSE,        /* closed before `end` or `finish`, without an error */
    ERR_STREAM_PUSH_AFTER_END,
    ERR_STREAM_WRITE_AFTER_END,
    ERR_STREAM_FINISHED,   /* stream_end after `finish` */
    ERR_STREAM_DONE_TWICE, /* a hook was completed twice */
    ERR_STREAM_PIPED,      /* the source has a pipe already, or a side is missing */
};

/* ---- hooks -------------------------------------------------------------------------------------
 *
 * All are optional but read (of a Readable or Duplex), write or writev (Writable, Duplex) and
 * transform (Transform). A hook X other than read and free ends with stream_X_done, inside the hook
 * or later, exactly once, with the error or NULL; a second time is ERR_STREAM_DONE_TWICE. An error
 * destroys the stream. Each X is called again only when it is done. A completion that comes after
 * the stream was destroyed is dropped (only that of a write still decides what its writer is told);
 * none may come after the stream is freed, so destroy must stop what is under way.
 */
struct stream_ops {
    const char *type; /* for messages: "file", "tcp" … */

    /* Before any other hook, on the tick after creation: open, connect. Even destroy waits for its
     * completion. */
    void (*construct)(struct stream *s, void *self);

    /* The queue has room: bring something, now or later, with stream_push, stream_push_none or
     * stream_end_push. Not called again before one of these. Any number of pushes may follow one
     * call; pushing without being called is allowed. With data always at hand, push from a
     * loop_next step, or the loop gets to do nothing else.
     * Of a Transform: a transform is under way (its hook was called and not completed), and the
     * consumer wants more: go on with it. So one that makes much of little can wait in between. */
    void (*read)(struct stream *s, void *self);

    /* Consume ${c}, which is the hook's now (pass it on or free it before or after completion).
     * Ends with stream_write_done. */
    void (*write)(struct stream *s, void *self, struct chunk *c);

    /* Consume all of ${chunks} (struct chunk through member queued; at least two, at least one when
     * there is no write hook), with one stream_write_done for all. The hook must leave ${chunks},
     * which lives for the call, empty. Holds all that was queued, up to STREAM_WRITEV_MAX chunks of
     * which STREAM_WRITEV_DONE have a completion. */
    void (*writev)(struct stream *s, void *self, struct list *chunks);

    /* After the last write, before `finish`: flush to disk, shut a socket down. Ends with
     * stream_final_done. */
    void (*final)(struct stream *s, void *self);

    /* Transform only, in place of write: consume ${c} (the hook's), stream_push what comes of it,
     * then stream_transform_done. */
    void (*transform)(struct stream *s, void *self, struct chunk *c);

    /* Transform only, in place of final: stream_push what is left, then stream_flush_done, which
     * also ends the readable side. */
    void (*flush)(struct stream *s, void *self);

    /* Let go of the world (close descriptors, stop watchers, free chunks of hooks not completed),
     * after which only `error` and `close` come. ${e} is why, NULL: no error. Ends with
     * stream_destroy_done, whose argument is the outcome: pass ${e} on, replace it, or swallow it
     * with NULL. */
    void (*destroy)(struct stream *s, void *self, const struct err *e);

    /* The stream is gone: free ${self}. Called once, last, after `close`. */
    void (*free)(void *self);
};

#define STREAM_WRITEV_MAX  1024  /* chunks in one writev: IOV_MAX of Linux */
#define STREAM_WRITEV_DONE 64    /* of which have a completion: kept without allocating */
#define STREAM_MARK        65536 /* the default mark of both sides */

/* Fill in with stream_defaults, then change. */
struct stream_opts {
    struct loop *loop;
    const char *name; /* "PIPELINE/STAGE", for messages; copied (cut at 47 bytes); NULL: the type */
    unsigned rank;    /* of its step: a stream further downstream has the higher one */
    int64_t read_mark;  /* of the read queue; 0: read on demand only. Negative: creation fails */
    int64_t write_mark; /* of the write queue; negative: creation fails */
    int64_t low_mark;   /* `drain` comes at this length; 0 as in Node. 0..write_mark */
    bool readable, writable; /* Duplex: false switches a side off (as if it had ended) */
    bool half_open;    /* Duplex: stay writable when reading has ended (true) or end writing too
                          (false) */
    bool auto_destroy; /* destroy (and so close) when all sides are done; true */
    /* An `error` that nobody listens for. NULL: the process says so and aborts. May call anything.
     */
    void (*unhandled)(void *arg, struct stream *s, const struct err *e);
    void *unhandled_arg;
};

/* Marks STREAM_MARK, low mark 0, rank 0, all booleans true, no name, nothing unhandled. */
struct stream_opts stream_defaults(struct loop *loop);

/* A new stream. ${ops} outlives it, ${self} is its own from now on (ops->free). NULL and ${e} on
 * failure (no memory; ERR_INVALID names the option): then ${self} stays the caller's. */
struct stream *stream_readable_new(const struct stream_ops *ops, void *self,
                                   const struct stream_opts *o, struct err *e);
struct stream *stream_writable_new(const struct stream_ops *ops, void *self,
                                   const struct stream_opts *o, struct err *e);
struct stream *stream_duplex_new(const struct stream_ops *ops, void *self,
                                 const struct stream_opts *o, struct err *e);
struct stream *stream_transform_new(const struct stream_ops *ops, void *self,
                                    const struct stream_opts *o, struct err *e);

/* Completion of hooks. ${e} is copied; NULL or no error in it: success. */
void stream_construct_done(struct stream *s, const struct err *e);
void stream_write_done(struct stream *s, const struct err *e);
void stream_final_done(struct stream *s, const struct err *e);
void stream_transform_done(struct stream *s, const struct err *e);
void stream_flush_done(struct stream *s, const struct err *e);
void stream_destroy_done(struct stream *s, const struct err *e);

/* ---- the end of a stream ------------------------------------------------------------------------
 */

/* Stop now: no data, no further hook but destroy. Then, on the tick: what was written and not
 * consumed completes with ${e} or ERR_STREAM_DESTROYED, then the destroy hook, then `error` if
 * there is one, then `close`. ${e} (copied) may be NULL. Waits for a construct under way.
 * Destroying again changes nothing. */
void stream_destroy(struct stream *s, const struct err *e);

/* Give the stream up: *${s} is cleared, the stream is destroyed unless it is already, and its
 * memory goes when `close` has been emitted, at once if it has been. Until then listeners are
 * called as ever: whoever frees the memory of one calls stream_off first. Allowed in every hook and
 * handler. The loop must still turn; one loop_tick is enough when no hook completes later. NULL is
 * allowed. */
void stream_free(struct stream **s);

/* ---- events -------------------------------------------------------------------------------------
 */

enum stream_event {
    STREAM_DATA,     /* a chunk, to a flowing stream's listener */
    STREAM_READABLE, /* something (a chunk or the end) can be had with stream_read */
    STREAM_END,      /* the readable side is consumed; once */
    STREAM_PAUSE,    /* after stream_pause */
    STREAM_RESUME,   /* after stream_resume */
    STREAM_DRAIN,    /* write again: after a false, the queue is down to the low mark */
    STREAM_FINISH,   /* the writable side is done: all written, final completed; once */
    STREAM_ERROR,    /* at most once, right before `close` */
    STREAM_CLOSE,    /* last of all */
    STREAM_EVENTS
};

/* What a handler gets; valid during the call. */
struct stream_news {
    struct stream *stream;
    enum stream_event event;
    struct chunk *chunk;   /* STREAM_DATA: see stream_take */
    const struct err *err; /* STREAM_ERROR */
};

/* The caller's, in its own object; stays where it is while it listens. Zero bytes are a listener
 * that does not. */
struct listener {
    void (*fn)(void *arg, struct stream_news *n);
    void *arg;
    /* The stream's: */
    struct list node;
    struct stream *stream;
    enum stream_event event;
    bool watching; /* does not count as somebody who handles `error` */
};

/* Call ${fn}(${arg}, …) at each ${event} of ${s} from now on, after the listeners that are there;
 * not for one being emitted already. ${l} must not be listening. `data`: starts the flow, unless
 * paused explicitly. `readable`: stops it, the stream is read with stream_read. */
void stream_on(struct stream *s, enum stream_event event, struct listener *l,
               void (*fn)(void *arg, struct stream_news *n), void *arg);

/* Stop listening. At any time, in any handler, also when ${l} does not listen or the stream is
 * freed. */
void stream_off(struct listener *l);

/* In a `data` handler: take the chunk over; NULL when an earlier handler has. What nobody took is
 * freed. */
struct chunk *stream_take(struct stream_news *n);

/* ---- readable side: for the producer ------------------------------------------------------------
 */

/* Queue ${c}, which is consumed always (freed when the stream is destroyed). Returns whether more
 * is wanted now. After the end: false, and the stream fails with ERR_STREAM_PUSH_AFTER_END. NULL is
 * stream_end_push. A chunk of weight 0 is freed and counts as stream_push_none. */
bool stream_push(struct stream *s, struct chunk *c);

/* Nothing right now: the read hook may be called again. From inside the read hook, not before the
 * next push, read or resume, so that it does not spin. */
bool stream_push_none(struct stream *s);

/* No more chunks: `end` comes when the queue is consumed. Again: nothing happens. Returns false. */
bool stream_end_push(struct stream *s);

/* ---- readable side: for the consumer ------------------------------------------------------------
 */

/* Let `data` flow. The state changes at once, `resume` comes on the tick. With nobody listening for
 * `data` the chunks are freed. No effect while somebody listens for `readable`. */
void stream_resume(struct stream *s);

/* Stop the flow: no `data` from now on, until stream_resume. */
void stream_pause(struct stream *s);

/* Take the first chunk of the queue; the caller's. NULL: nothing there now. Asks the read hook for
 * more either way. When the queue is empty and has ended, `end` follows. While somebody listens for
 * `data` (and nobody for `readable`) the chunk is handed to them on the tick, and NULL returned. */
struct chunk *stream_read(struct stream *s);

/* ---- writable side ------------------------------------------------------------------------------
 */

/* Queue ${c}, which is consumed always. ${done}(${arg}, error or NULL) is called once on the tick
 * when it was consumed by the hook, or never will be (NULL: nobody asks). Returns whether the queue
 * is still below the mark; after false `drain` comes. After stream_end: ERR_STREAM_WRITE_AFTER_END
 * to ${done}, then `error`. After destroy: ERR_STREAM_DESTROYED to ${done}, no event. */
bool stream_write(struct stream *s, struct chunk *c, void (*done)(void *arg, const struct err *e),
                  void *arg);

/* The caller's: who wants to know how stream_end went. */
struct stream_ended {
    void (*fn)(void *arg, const struct err *e);
    void *arg;
    struct list node; /* the stream's */
};

/* No more writes; removes all corks. When all is written and final completed: ${cb} (may be NULL)
 * and `finish`. Again before that: ${cb} waits too. After `finish`: ERR_STREAM_FINISHED; after
 * destroy: ERR_STREAM_DESTROYED. ${cb} with its fn and arg set by the caller stays where it is
 * until it is called. */
void stream_end(struct stream *s, struct stream_ended *cb);

/* Hold writes back until as many stream_uncork as stream_cork (or stream_end), to have them in one
 * writev. */
void stream_cork(struct stream *s);
void stream_uncork(struct stream *s);

/* ---- looking at a stream ------------------------------------------------------------------------
 */

enum stream_flow { STREAM_FLOW_UNSET, STREAM_FLOWING, STREAM_PAUSED };

void *stream_self(const struct stream *s);
struct loop *stream_loop(const struct stream *s);
const char *stream_name(const struct stream *s);
unsigned stream_rank(const struct stream *s);

bool stream_has_readable(const struct stream *s); /* a readable side, not switched off */
bool stream_has_writable(const struct stream *s);

enum stream_flow stream_flowing(const struct stream *s);
size_t stream_readable_length(const struct stream *s); /* weight queued */
size_t stream_readable_queued(const struct stream *s); /* chunks queued */
size_t stream_readable_mark(const struct stream *s);
bool stream_is_ended(const struct stream *s);   /* `end` was emitted (true inside its handlers) */
bool stream_is_aborted(const struct stream *s); /* destroyed before `end` */

size_t stream_writable_length(
    const struct stream *s); /* weight queued, what a hook has not completed included */
size_t stream_writable_queued(const struct stream *s); /* chunks that no hook got yet */
size_t stream_writable_mark(const struct stream *s);
bool stream_needs_drain(const struct stream *s); /* false was answered and `drain` is to come */
unsigned stream_corked(const struct stream *s);
bool stream_is_ending(const struct stream *s); /* stream_end was called */
bool stream_is_finished(
    const struct stream *s); /* `finish` was emitted (true inside its handlers) */

bool stream_is_destroyed(const struct stream *s);
bool stream_is_closed(const struct stream *s); /* `close` was emitted */
const struct err *
stream_error(const struct stream *s); /* what it failed with; NULL: nothing so far */

/* ---- putting streams together -------------------------------------------------------------------
 */

#define STREAM_PIPE_KEEP 1u /* do not end the destination when the source ends */

/* Pass what ${from} has to ${to}: a false pauses ${from} until `drain`; a ${to} that is full
 * already starts paused. When ${to} fails, closes or finishes, it is unpiped and ${from} stays
 * paused; when ${from} fails, nothing happens to ${to}. Use stream_pipeline unless that is what is
 * wanted. -1 and ERR_STREAM_PIPED: ${from} has a pipe already, or a side is missing. */
int stream_pipe(struct stream *from, struct stream *to, unsigned flags, struct err *e);

/* Take the pipe of ${from} away, which is left paused; nothing when there is none. */
void stream_unpipe(struct stream *from);

/* Where ${from} is piped to; NULL: nowhere. */
struct stream *stream_piped_to(const struct stream *from);

/* The caller's: who wants to know how a stream ended. Zero bytes are one that is not waiting. */
struct finished {
    /* ${e}: what it failed with, ERR_STREAM_PREMATURE_CLOSE, or NULL for success. */
    void (*fn)(void *arg, struct stream *s, const struct err *e);
    void *arg;
    struct listener closed; /* the stream's, as all below */
    struct listener failed;
    struct step later;
    struct stream *stream;
};

/* Call ${fn} once, after `close` of ${s} (on the tick when it has been), also if the stream is
 * freed meanwhile, if it was not closed yet. Counts as listening for `error`. */
void stream_finished(struct stream *s, struct finished *f,
                     void (*fn)(void *arg, struct stream *s, const struct err *e), void *arg);

/* Do not call any more; nothing when it is not waiting. */
void stream_finished_cancel(struct finished *f);

/* Pipe ${streams}[0] to [1] to … [${count} - 1], at least two. The first failure destroys all that
 * are not done, with its error (a stream that closes early counts as ERR_STREAM_PREMATURE_CLOSE,
 * and a real error that comes later replaces that). ${fn} (may be NULL) is called once, after all
 * have closed. The first one is done when it has been read to its end, the last one when it has
 * finished: what they still have open on their other side is destroyed. All need auto_destroy.
 * Frees no stream. -1 and ${e} on failure (no memory, ERR_INVALID, ERR_STREAM_PIPED): then nothing
 * was changed. */
int stream_pipeline(struct stream *const *streams, size_t count,
                    void (*fn)(void *arg, const struct err *e), void *arg, struct err *e);

/* Fan-out: a Writable *${input} whose chunks come out of each of ${count} Readables ${branches}[]
 * as forks (chunk_fork). It is as fast as the slowest branch: a write completes when every branch
 * is below its mark (o->read_mark). An end ends all branches. A branch that closes before its end
 * fails ${input} with its error (or ERR_STREAM_PREMATURE_CLOSE), and a failed or destroyed ${input}
 * destroys all branches. The branches run at rank o->rank + 1. Each is freed by stream_free, in any
 * order. -1 and ${e} on failure. */
int stream_tee(const struct stream_opts *o, size_t count, struct stream **input,
               struct stream **branches, struct err *e);

#endif
