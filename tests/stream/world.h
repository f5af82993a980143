/*
 * world: a stage for scripted streams, with a checker that watches all of them.
 *
 * A scenario casts actors (streams whose hooks and events it may script), lets the world turn and
 * compares what each actor lived through. The checker holds in every mode, whatever the scenario:
 *  - no hook, event or completion inside a call of the API;
 *  - nothing after `close`; `error`, `end`, `finish`, `close` at most once; no data, end or finish
 * after destroy;
 *  - every accepted write completes exactly once, before `close`;
 *  - every stream closes and is freed, and no memory stays.
 * What is expected of a scenario (CHECK, expect) is looked at only where nothing is made to fail.
 */
#ifndef WEIR_TESTS_STREAM_WORLD_H
#define WEIR_TESTS_STREAM_WORLD_H

#include <check.h>

#include "stream/bytes.h"
#include "stream/stream.h"

enum kind {
    DATA = STREAM_DATA,
    READABLE = STREAM_READABLE,
    END = STREAM_END,
    PAUSE = STREAM_PAUSE,
    RESUME = STREAM_RESUME,
    DRAIN = STREAM_DRAIN,
    FINISH = STREAM_FINISH,
    ERROR = STREAM_ERROR,
    CLOSE = STREAM_CLOSE,
    CONSTRUCT,
    READ,
    WRITE,
    WRITEV,
    FINAL,
    TRANSFORM,
    FLUSH,
    DESTROY,
    WROTE,
    ENDED,
    KINDS
};

enum { E1 = 1001, E2 = 1002 }; /* errors of scripts */

struct world;

struct actor {
    struct world *world;
    const char *name;
    char type;        /* R W D T */
    struct stream *s; /* NULL: not created, or freed */
    struct stream_opts o;
    struct stream_ops ops;
    bool writev, construct;             /* it has these hooks */
    void (*on[KINDS])(struct actor *a); /* the script; a scripted hook completes by itself */
    const char *text;                   /* what came, for DATA, WRITE, TRANSFORM */
    size_t len;
    const struct err *why; /* for DESTROY, ERROR, WROTE, ENDED */
    unsigned count[KINDS];
    unsigned hide;     /* bits of kinds not traced */
    unsigned pipeline; /* the how manieth it is a part of; 0: none */
    char trace[4096];
    size_t traced;
    int n;               /* the script's */
    struct actor *other; /* the script's */
    char store[64];      /* the script's */
    struct listener listener[STREAM_EVENTS];
    struct stream_ended ender[4];
    unsigned enders;
    unsigned accepted, completed; /* writes */
    bool destroying;              /* destroy was seen: by hook */
    bool freed;
};

struct write_slip {
    struct actor *actor;
    bool accepted, told;
};

struct task {
    void (*fn)(struct actor *a);
    struct actor *actor;
};

#define ACTORS 12
#define SLIPS  512
#define TASKS  64

struct world {
    struct loop *loop;
    bool strict; /* look at what is expected */
    bool small;  /* scenario runs many times: keep it short */
    bool shuffled;
    bool in_api;
    unsigned long calls, free_at; /* free the stream in this call of a hook or handler */
    struct actor actor[ACTORS];
    unsigned actors;
    struct write_slip slip[SLIPS];
    unsigned slips;
    struct task task[TASKS];
    unsigned first_task, last_task;
    size_t written; /* bytes that came to write hooks */
    unsigned pipelines;
    struct pipeline_slip {
        struct world *world;
        unsigned number;
    } pipeline[ACTORS];
    int answers; /* of pipelines */
    struct err answer;
    struct err error; /* for creation */
};

#define CHECK(w, cond) ck_assert_msg(!(w)->strict || (cond), "%s", #cond)

/* Prepare ${a} of type R, W, D or T; script it, then go. */
struct actor *cast(struct world *w, char type, const char *name);
/* Create the stream. False: no memory. */
bool go(struct actor *a);
void hear(struct actor *a,
          enum stream_event event); /* listen for DATA or READABLE (the others: from the start) */
void deaf(struct actor *a, enum stream_event event);

/* The API, for an actor that may be freed and in a world without memory. */
bool push(struct actor *a, const char *text);
bool push_len(struct actor *a, size_t len); /* ${len} times x */
bool push_none(struct actor *a);
void push_end(struct actor *a);
bool put(struct actor *a, const char *text); /* write */
bool put_len(struct actor *a, size_t len);
void end(struct actor *a);  /* with a callback */
void take(struct actor *a); /* stream_read; traced as data */
bool take_one(struct actor *a);
void resume(struct actor *a);
void pause_(struct actor *a);
void destroy(struct actor *a, int code); /* 0: no error */
void cork(struct actor *a);
void uncork(struct actor *a);
void pipe_(struct actor *a, struct actor *b);
void unpipe(struct actor *a);
void pipeline(struct world *w, unsigned count, ...); /* of struct actor * */
/* Complete the hook of ${kind}; ${code} 0: success. */
void done(struct actor *a, enum kind kind, int code);

/* Run ${fn} when the tick is drained and the loop has turned: setImmediate. */
void later(struct actor *a, void (*fn)(struct actor *a));
void tick(struct world *w); /* drain the tick */
void turn(struct world *w); /* until nothing is left to do */

/* All that ${a} lived through, words with a space between; for CHECK. */
void expect(struct actor *a, const char *trace);
struct err error_of(int code);

struct world *world_new(void);
/* Free all streams, check what must hold. There is one world at a time. */
void world_end(struct world *w);

#endif
