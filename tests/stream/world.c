#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *const words[KINDS] = {
    "data",      "readable", "end",       "pause", "resume", "drain",  "finish",
    "error",     "close",    "construct", "read",  "write",  "writev", "final",
    "transform", "flush",    "destroy",   "wrote", "ended",
};

static const char *code_name(const struct err *e)
{
    switch (e->code) {
    case ERR_NOMEM: return "NOMEM";
    case E1: return "E1";
    case E2: return "E2";
    case ERR_STREAM_DESTROYED: return "DESTROYED";
    case ERR_STREAM_PREMATURE_CLOSE: return "PREMATURE_CLOSE";
    case ERR_STREAM_PUSH_AFTER_END: return "PUSH_AFTER_END";
    case ERR_STREAM_WRITE_AFTER_END: return "WRITE_AFTER_END";
    case ERR_STREAM_FINISHED: return "FINISHED";
    case ERR_STREAM_DONE_TWICE: return "DONE_TWICE";
    default: return "?";
    }
}

struct err error_of(int code)
{
    struct err e = {0};
    if (code != 0)
        err_set(&e, code, "error %d", code);
    return e;
}

static void trace(struct actor *a, enum kind k)
{
    if ((a->hide & (1u << k)) != 0 || a->traced > sizeof a->trace - 64)
        return;
    int n = snprintf(a->trace + a->traced, 64, "%s%s", a->traced > 0 ? " " : "", words[k]);
    if (a->why != NULL)
        n += snprintf(a->trace + a->traced + n, 40, "(%s)", code_name(a->why));
    else if (a->text != NULL)
        n += snprintf(a->trace + a->traced + n, 40, "(%.*s)", (int)(a->len < 20 ? a->len : 20),
                      a->text);
    a->traced += (size_t)n;
}

/* Every hook, event and completion comes through here. */
static void happens(struct actor *a, enum kind k, const char *text, size_t len,
                    const struct err *why)
{
    struct world *w = a->world;
    ck_assert_msg(!w->in_api, "%s: %s inside a call", a->name, words[k]);
    bool refusal = k == WROTE || k == ENDED; /* of what was refused after close */
    ck_assert_msg(refusal || a->count[CLOSE] == 0, "%s: %s after close", a->name, words[k]);
    bool once = k == END || k == FINISH || k == ERROR || k == CLOSE || k == FINAL || k == FLUSH ||
                k == DESTROY;
    ck_assert_msg(!once || a->count[k] == 0, "%s: %s twice", a->name, words[k]);
    bool alive = k == DATA || k == READABLE || k == END || k == FINISH || k == DRAIN || k == READ ||
                 k == WRITE || k == WRITEV || k == TRANSFORM || k == FINAL || k == FLUSH;
    ck_assert_msg(!alive || !stream_is_destroyed(a->s), "%s: %s after destroy", a->name, words[k]);
    if (k == CLOSE)
        ck_assert_msg(a->accepted == a->completed, "%s: %u writes accepted, %u completed at close",
                      a->name, a->accepted, a->completed);
    a->text = text;
    a->len = len;
    a->why = why;
    a->count[k]++;
    trace(a, k);
    if (++w->calls == w->free_at && a->s != NULL) {
        struct stream *s = a->s;
        stream_free(&s);
    }
    if (a->on[k] != NULL)
        a->on[k](a);
    a->text = NULL;
    a->why = NULL;
}

/* ---- hooks ---- */

static void hook(struct actor *a, enum kind k, const struct err *why)
{
    happens(a, k, NULL, 0, why);
    if (a->on[k] == NULL)
        done(a, k, why != NULL ? why->code : 0);
}

static void on_construct(struct stream *s, void *self)
{
    (void)s;
    hook(self, CONSTRUCT, NULL);
}

static void on_read(struct stream *s, void *self)
{
    (void)s;
    happens(self, READ, NULL, 0, NULL);
}

static void on_write(struct stream *s, void *self, struct chunk *c)
{
    (void)s;
    struct bytes *b = bytes_of(c);
    struct actor *a = self;
    a->world->written += b->len;
    happens(a, WRITE, b->data, b->len, NULL);
    chunk_free(&c);
    if (a->on[WRITE] == NULL)
        done(a, WRITE, 0);
}

static void on_writev(struct stream *s, void *self, struct list *chunks)
{
    (void)s;
    struct actor *a = self;
    char all[256] = "";
    struct list *node;
    while ((node = list_shift(chunks)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        const struct bytes *b = bytes_of(c);
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%.*s", n > 0 ? "," : "", (int)b->len, b->data);
        chunk_free(&c);
    }
    happens(a, WRITEV, all, strlen(all), NULL);
    if (a->on[WRITEV] == NULL)
        done(a, WRITEV, 0);
}

static void on_final(struct stream *s, void *self)
{
    (void)s;
    hook(self, FINAL, NULL);
}

static void on_transform(struct stream *s, void *self, struct chunk *c)
{
    struct bytes *b = bytes_of(c);
    struct actor *a = self;
    happens(a, TRANSFORM, b->data, b->len, NULL);
    if (a->on[TRANSFORM] != NULL) {
        chunk_free(&c);
        return;
    }
    stream_push(s, c);
    stream_transform_done(s, NULL);
}

static void on_flush(struct stream *s, void *self)
{
    (void)s;
    hook(self, FLUSH, NULL);
}

static void on_destroy(struct stream *s, void *self, const struct err *e)
{
    struct actor *a = self;
    happens(a, DESTROY, NULL, 0, e);
    if (a->on[DESTROY] == NULL)
        stream_destroy_done(s, e);
}

static void on_free(void *self)
{
    struct actor *a = self;
    ck_assert_msg(!a->freed, "%s: freed twice", a->name);
    ck_assert_msg(a->count[CLOSE] == 1, "%s: freed before close", a->name);
    a->freed = true;
    a->s = NULL;
}

static void on_event(void *arg, struct stream_news *n)
{
    struct actor *a = arg;
    const struct bytes *b = n->chunk != NULL ? bytes_of(n->chunk) : NULL;
    happens(a, (enum kind)n->event, b != NULL ? b->data : NULL, b != NULL ? b->len : 0, n->err);
}

/* ---- actors ---- */

struct actor *cast(struct world *w, char type, const char *name)
{
    ck_assert_uint_lt(w->actors, ACTORS);
    struct actor *a = &w->actor[w->actors++];
    a->world = w;
    a->type = type;
    a->name = name;
    a->o = stream_defaults(w->loop);
    a->o.name = name;
    a->o.rank = w->actors;
    return a;
}

bool go(struct actor *a)
{
    bool reads = a->type == 'R' || a->type == 'D', writes = a->type == 'W' || a->type == 'D';
    bool transforms = a->type == 'T';
    a->ops = (struct stream_ops){
        .type = a->name,
        .construct = a->construct ? on_construct : NULL,
        .read = reads ? on_read : NULL,
        .write = writes ? on_write : NULL,
        .writev = writes && a->writev ? on_writev : NULL,
        .final = writes ? on_final : NULL,
        .transform = transforms ? on_transform : NULL,
        .flush = transforms ? on_flush : NULL,
        .destroy = on_destroy,
        .free = on_free,
    };
    struct err e = {0};
    a->s = a->type == 'R'   ? stream_readable_new(&a->ops, a, &a->o, &e)
           : a->type == 'W' ? stream_writable_new(&a->ops, a, &a->o, &e)
           : a->type == 'D' ? stream_duplex_new(&a->ops, a, &a->o, &e)
                            : stream_transform_new(&a->ops, a, &a->o, &e);
    a->world->error = e;
    if (a->s == NULL)
        return false;
    for (int i = END; i <= CLOSE; i++)
        hear(a, (enum stream_event)i);
    return true;
}

void hear(struct actor *a, enum stream_event event)
{
    if (a->s != NULL && a->listener[event].stream == NULL)
        stream_on(a->s, event, &a->listener[event], on_event, a);
}

void deaf(struct actor *a, enum stream_event event)
{
    stream_off(&a->listener[event]);
}

/* ---- the API ---- */

#define API(a, call)                                                                               \
    do {                                                                                           \
        bool nested = (a)->world->in_api;                                                          \
        (a)->world->in_api = true;                                                                 \
        call;                                                                                      \
        (a)->world->in_api = nested;                                                               \
    } while (0)

static struct chunk *bytes_or_fail(struct actor *a, const char *text, size_t len)
{
    if (a->s == NULL)
        return NULL;
    struct bytes *b = bytes_new(text, len);
    if (b == NULL) {
        struct err e = {0};
        err_nomem(&e);
        API(a, stream_destroy(a->s, &e));
        return NULL;
    }
    if (text == NULL)
        memset(b->data, 'x', len);
    return &b->chunk;
}

static bool push_bytes(struct actor *a, const char *text, size_t len)
{
    struct chunk *c = bytes_or_fail(a, text, len);
    bool more = false;
    if (c != NULL)
        API(a, more = stream_push(a->s, c));
    return more;
}

bool push(struct actor *a, const char *text)
{
    return push_bytes(a, text, strlen(text));
}

bool push_len(struct actor *a, size_t len)
{
    return push_bytes(a, NULL, len);
}

bool push_none(struct actor *a)
{
    bool more = false;
    if (a->s != NULL)
        API(a, more = stream_push_none(a->s));
    return more;
}

void push_end(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_push(a->s, NULL));
}

static void on_wrote(void *arg, const struct err *e)
{
    struct write_slip *slip = arg;
    ck_assert_msg(!slip->told, "%s: a write completed twice", slip->actor->name);
    slip->told = true;
    if (slip->accepted)
        slip->actor->completed++;
    happens(slip->actor, WROTE, NULL, 0, e);
}

static bool put_bytes(struct actor *a, const char *text, size_t len)
{
    struct chunk *c = bytes_or_fail(a, text, len);
    bool more = false;
    if (c == NULL)
        return false;
    ck_assert_uint_lt(a->world->slips, SLIPS);
    struct write_slip *slip = &a->world->slip[a->world->slips++];
    slip->actor = a;
    slip->accepted = !stream_is_destroyed(a->s) && !stream_is_ending(a->s);
    if (slip->accepted)
        a->accepted++;
    API(a, more = stream_write(a->s, c, on_wrote, slip));
    return more;
}

bool put(struct actor *a, const char *text)
{
    return put_bytes(a, text, strlen(text));
}

bool put_len(struct actor *a, size_t len)
{
    return put_bytes(a, NULL, len);
}

static void on_ended(void *arg, const struct err *e)
{
    happens(arg, ENDED, NULL, 0, e);
}

void end(struct actor *a)
{
    if (a->s == NULL)
        return;
    ck_assert_uint_lt(a->enders, 4);
    struct stream_ended *cb = &a->ender[a->enders++];
    cb->fn = on_ended;
    cb->arg = a;
    API(a, stream_end(a->s, cb));
}

bool take_one(struct actor *a)
{
    struct chunk *c = NULL;
    if (a->s != NULL)
        API(a, c = stream_read(a->s));
    if (c == NULL)
        return false;
    const struct bytes *b = bytes_of(c);
    a->text = b->data;
    a->len = b->len;
    a->count[DATA]++;
    trace(a, DATA);
    a->text = NULL;
    chunk_free(&c);
    return true;
}

void take(struct actor *a)
{
    (void)take_one(a);
}

void resume(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_resume(a->s));
}

void pause_(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_pause(a->s));
}

void destroy(struct actor *a, int code)
{
    struct err e = error_of(code);
    if (a->s != NULL)
        API(a, stream_destroy(a->s, &e));
}

void cork(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_cork(a->s));
}

void uncork(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_uncork(a->s));
}

void pipe_(struct actor *a, struct actor *b)
{
    if (a->s != NULL && b->s != NULL)
        API(a, stream_pipe(a->s, b->s, 0, NULL));
}

void unpipe(struct actor *a)
{
    if (a->s != NULL)
        API(a, stream_unpipe(a->s));
}

static void on_answer(void *arg, const struct err *e)
{
    const struct pipeline_slip *slip = arg;
    struct world *w = slip->world;
    ck_assert(!w->in_api);
    w->answers++;
    w->answer = e != NULL ? *e : (struct err){0};
    for (unsigned i = 0; i < w->actors; i++)
        ck_assert_msg(w->actor[i].pipeline != slip->number || w->actor[i].s == NULL ||
                          stream_is_closed(w->actor[i].s),
                      "%s: open when its pipeline ended", w->actor[i].name);
}

void pipeline(struct world *w, unsigned count, ...)
{
    struct stream *streams[ACTORS];
    struct pipeline_slip *slip = &w->pipeline[w->pipelines++];
    *slip = (struct pipeline_slip){w, w->pipelines};
    va_list ap;
    va_start(ap, count);
    bool all = true;
    for (unsigned i = 0; i < count; i++) {
        struct actor *a = va_arg(ap, struct actor *);
        a->pipeline = slip->number;
        streams[i] = a->s;
        all = all && a->s != NULL;
    }
    va_end(ap);
    struct err e = {0};
    if (all && stream_pipeline(streams, count, on_answer, slip, &e) != 0)
        ck_assert_int_eq(e.code, ERR_NOMEM);
}

void done(struct actor *a, enum kind kind, int code)
{
    struct err e = error_of(code);
    struct stream *s = a->s;
    if (s == NULL)
        return;
    switch (kind) {
    case CONSTRUCT: API(a, stream_construct_done(s, &e)); return;
    case WRITE:
    case WRITEV: API(a, stream_write_done(s, &e)); return;
    case FINAL: API(a, stream_final_done(s, &e)); return;
    case TRANSFORM: API(a, stream_transform_done(s, &e)); return;
    case FLUSH: API(a, stream_flush_done(s, &e)); return;
    case DESTROY: API(a, stream_destroy_done(s, &e)); return;
    default: ck_abort_msg("%s is no hook to complete", words[kind]);
    }
}

/* ---- time ---- */

void later(struct actor *a, void (*fn)(struct actor *a))
{
    struct world *w = a->world;
    w->task[w->last_task++ % TASKS] = (struct task){fn, a};
    ck_assert_uint_le(w->last_task - w->first_task, TASKS);
}

void tick(struct world *w)
{
    loop_tick(w->loop);
}

void turn(struct world *w)
{
    for (;;) {
        bool more = loop_turn(w->loop);
        if (w->first_task != w->last_task) {
            struct task t = w->task[w->first_task++ % TASKS];
            t.fn(t.actor);
        } else if (!more) {
            return;
        }
    }
}

void expect(struct actor *a, const char *trace_)
{
    if (a->world->strict)
        ck_assert_msg(strcmp(a->trace, trace_) == 0, "%s\n  lived    %s\n  expected %s", a->name,
                      a->trace, trace_);
}

struct world *world_new(void)
{
    ck_assert_uint_eq(mem_live(), 0);
    static struct world the_world; /* nothing of it is of mem_alloc, so that nothing of it fails */
    struct world *w = &the_world;
    memset(w, 0, sizeof *w);
    struct err e = {0};
    w->loop = loop_new(&e);
    ck_assert_msg(w->loop != NULL, "%s", e.text);
    return w;
}

void world_end(struct world *w)
{
    for (unsigned i = 0; i < w->actors; i++) {
        struct actor *a = &w->actor[i];
        struct stream *s = a->s;
        stream_free(&s);
    }
    turn(w);
    for (unsigned i = 0; i < w->actors; i++)
        ck_assert_msg(w->actor[i].s == NULL, "%s: was not freed", w->actor[i].name);
    for (unsigned i = 0; i < w->slips; i++)
        ck_assert_msg(w->slip[i].told, "%s: write %u never completed", w->slip[i].actor->name, i);
    loop_free(&w->loop);
    ck_assert_uint_eq(mem_live(), 0);
}
