/*
 * internal: what the files of the stream module share.
 *
 * A stream is a struct with two queues, and a set of due work. Every function of stream.h changes
 * state and marks work as due (stream_wake); the one step then does it in the order of enum work,
 * each kind once a run, and defers itself again while some is left. That order is the order of
 * events, so it is the semantics: what a write brings (its hook, its completion, `finish`) before
 * what reading brings, and destroying last.
 */
#ifndef WEIR_STREAM_INTERNAL_H
#define WEIR_STREAM_INTERNAL_H

#include "stream/stream.h"

enum work {
    WORK_CONSTRUCT = 1 << 0, /* call the construct hook */
    WORK_WRITE = 1 << 1,     /* hand the next write to its hook */
    WORK_WRITTEN = 1 << 2,   /* a write completed: `drain`, its completion */
    WORK_FINAL = 1 << 3,     /* all written: call the final hook */
    WORK_FINISH = 1 << 4,    /* end callbacks, `finish` */
    WORK_PAUSE = 1 << 5,
    WORK_RESUME = 1 << 6,
    WORK_READ = 1 << 7, /* call the read hook */
    WORK_READABLE = 1 << 8,
    WORK_DATA = 1 << 9, /* emit the next chunk */
    WORK_END = 1 << 10,
    WORK_CANCEL = 1 << 11,  /* destroyed: complete what waits, free what is queued */
    WORK_REFUSED = 1 << 12, /* tell those whose write or end was refused */
    WORK_DESTROY = 1 << 13, /* call the destroy hook */
    WORK_ERROR = 1 << 14,
    WORK_CLOSE = 1 << 15,
    WORK_KINDS = 16
};

enum hook_state { HOOK_DUE, HOOK_RUNNING, HOOK_DONE };

struct completion {
    void (*fn)(void *arg, const struct err *e);
    void *arg;
};

struct readable {
    bool on;
    bool ended;    /* stream_end_push */
    bool emitted;  /* `end` */
    bool reading;  /* the read hook was called and has not answered */
    bool in_hook;  /* it is running */
    bool demanded; /* stream_read: ask the hook even at mark 0 */
    enum stream_flow flow;
    struct list queue;
    size_t length, count, mark;
    size_t handover; /* chunks due to `data` listeners although paused: stream_read */
};

struct writable {
    bool on;
    bool need_drain;
    bool ending;
    bool finished;
    bool in_flight; /* a hook has chunks it has not completed */
    bool held;      /* Transform: done, but the readable side is full */
    bool written;   /* completed, not yet told */
    bool failed;    /* … with error */
    enum hook_state final;
    unsigned corked;
    struct list queue;
    size_t length, count, mark, low_mark;
    size_t flight_weight;
    struct completion *told; /* of what is in flight; points to one when there is no writev hook */
    struct completion one;
    size_t told_count;
    struct list enders;      /* struct stream_ended: wait for `finish` */
    struct list late_ends;   /* struct stream_ended: came after finish or destroy */
    struct list late_chunks; /* written after stream_end */
    struct list dead_chunks; /* written after destroy */
    struct err error;        /* when failed */
};

/* A pipe is a part of its source. */
struct pipe {
    struct stream *to;                           /* NULL: none */
    bool waiting;                                /* for drain */
    bool keep;                                   /* STREAM_PIPE_KEEP */
    struct listener data, end, closed;           /* of the source */
    struct listener drain, to_finish, to_closed; /* of the destination */
};

struct stream {
    struct step step;
    struct loop *loop;
    const struct stream_ops *ops;
    void *self;
    unsigned work;
    bool transform;
    bool half_open, auto_destroy;
    bool running; /* inside its step */
    bool destroyed, closed, freed;
    bool failed; /* error is set */
    enum hook_state construct, destroy;
    struct readable r;
    struct writable w;
    struct pipe pipe;
    unsigned listening[STREAM_EVENTS];
    unsigned handlers; /* listeners of `error` that do not just watch */
    struct list listeners[STREAM_EVENTS];
    struct list here, stop; /* marks in the list that is being called */
    void (*unhandled)(void *arg, struct stream *s, const struct err *e);
    void *unhandled_arg;
    struct err error;
    char name[48];
};

/* stream.c: mark ${work} as due. */
void stream_wake(struct stream *s, unsigned work);
/* All sides are done: destroy, if the stream does so by itself. */
void stream_settle(struct stream *s);
/* Set ${e} to ${code} with the standard text for it. */
const struct err *stream_err(const struct stream *s, struct err *e, int code);
/* Free a stream that nobody has seen yet. */
void stream_discard(struct stream *s);
/* As stream_destroy, with the standard error ${code}. */
void stream_fail(struct stream *s, int code);

/* event.c */
void stream_emit(struct stream *s, enum stream_event event, struct chunk **chunk,
                 const struct err *e);
/* As stream_on; the listener does not count as handling `error`. */
void stream_watch(struct stream *s, enum stream_event event, struct listener *l,
                  void (*fn)(void *arg, struct stream_news *n), void *arg);

/* One function a kind of work: see enum work. */
void construct_run(struct stream *s);
void writable_run_write(struct stream *s);
void writable_run_written(struct stream *s);
void writable_run_final(struct stream *s);
void writable_run_finish(struct stream *s);
void writable_run_refused(struct stream *s);
void readable_run_pause(struct stream *s);
void readable_run_resume(struct stream *s);
void readable_run_read(struct stream *s);
void readable_run_readable(struct stream *s);
void readable_run_data(struct stream *s);
void readable_run_end(struct stream *s);
void destroy_run_cancel(struct stream *s);
void destroy_run_hook(struct stream *s);
void destroy_run_error(struct stream *s);
void destroy_run_close(struct stream *s);

/* readable.c */
void readable_init(struct stream *s, const struct stream_opts *o);
void readable_listens(struct stream *s, enum stream_event event);  /* somebody does now */
void readable_listened(struct stream *s, enum stream_event event); /* the last one stopped */
void readable_drop(struct stream *s);                              /* free the queue */

/* writable.c */
void writable_init(struct stream *s, const struct stream_opts *o);
/* Tell what is in flight, and then all that waits, that it will not be: ${e}. */
void writable_cancel_flight(struct stream *s, const struct err *e);
void writable_cancel_queue(struct stream *s, const struct err *e);

/* transform.c */
void transform_start(struct stream *s, struct chunk *c);
void transform_finish(struct stream *s);  /* the final of a Transform */
void transform_release(struct stream *s); /* the consumer wants more */

/* finished.c: how ${s}, which is closed, ended; NULL: well. */
const struct err *stream_outcome(const struct stream *s, struct err *e);

#endif
