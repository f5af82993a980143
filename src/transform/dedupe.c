/* The dedupe transform: passes one of equal records in a time. */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/pool.h"
#include "record/render.h"
#include "stage/each.h"
#include "stream/stream.h"
#include "transform/keyed.h"

#define REASON           "repeated"
#define COUNT_WINDOW_MAX 60.0 /* seconds: what is held keeps the checkpoint of its file from advancing */

struct dedupe_settings {
    struct paths fields;
    double window;
    int64_t max_keys;
    struct path *count;
};

/* The last repeat: a copy, so that it does not keep the memory of the whole chunk it came in. */
struct held {
    struct origin *origin;
    struct ticket_set tickets;
    uint64_t offset;
    int64_t read, time;
    size_t len;
    uint32_t flags;
    bool object; /* text is a JSON object that was parsed, or made */
    char text[];
};

struct seen {
    struct keyed_entry entry;
    double until;
    uint64_t repeats;
    struct held *held; /* NULL: none */
};

struct dedupe {
    struct stream *stream;
    struct stage_env *env;
    const struct dedupe_settings *set;
    struct keyed keys; /* all windows are of one length, so the oldest entry is the first whose time is over */
    struct list over; /* chunks of one record whose window has ended, to be passed on */
    struct buf text;
    ev_timer timer;
};

#define AT(name) offsetof(struct dedupe_settings, name)
static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATHS, .offset = AT(fields), .fallback = "[]",
     .words = "Records are equal when these fields are, or all are missing. Default: when they would be sent as the same bytes."},
    {.key = "window", .type = OPTION_DURATION, .offset = AT(window), .fallback = "\"5s\"", .min = 1, .max = 86400000,
     .words = "How long after the first one equal records are repeats; 60s at most with count."},
    {.key = "max_keys", .type = OPTION_INT, .offset = AT(max_keys), .fallback = "10000", .min = 1, .max = 10000000,
     .words = "How many different records are remembered, in about 100 bytes each. Past it the window of the oldest ends at once."},
    {.key = "count", .type = OPTION_PATH, .offset = AT(count),
     .words = "Where to put how many repeats there were: at the end of the window the last of them is passed on with their number. Without it "
              "repeats are only dropped."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct dedupe_settings *set = settings;
    if (set->count == NULL)
        return;
    if (set->count->meta != PATH_FIELD || set->count->count == 0)
        report_key(report, "count", "expected a field, got \"%s\"", set->count->text);
    if (set->window > COUNT_WINDOW_MAX)
        report_key(report, "window", "at most 60s with count: what is held keeps the checkpoint from advancing");
}

/* A repeat that is held is passed by what comes behind it. */
static const char *reorders(const void *settings)
{
    const struct dedupe_settings *set = settings;
    return set->count != NULL ? "count" : NULL;
}

/* ---- what is held -------------------------------------------------------------------------------- */

static void held_free(struct dedupe *t, struct held **h)
{
    struct held *dead = *h;
    *h = NULL;
    if (dead == NULL)
        return;
    ticket_set_end(&dead->tickets, false);
    origin_unref(dead->origin);
    pool_discharge(t->env->pool, sizeof *dead + dead->len);
    mem_free(dead);
}

/* A copy of ${r} that holds its tickets. NULL: no memory. */
static struct held *held_new(struct dedupe *t, const struct batch *b, const struct record *r)
{
    t->text.len = 0;
    render_record(&t->text, r, r->doc != NULL && (r->flags & RECORD_CHANGED) ? RENDER_JSON : RENDER_AUTO);
    struct held *h = t->text.failed ? NULL : mem_alloc(sizeof *h + t->text.len);
    if (h == NULL)
        return NULL;
    *h = (struct held){.offset = batch_offset(b, r), .read = b->body->time, .time = r->time, .len = t->text.len, .object = r->doc != NULL,
                       .flags = r->flags & (RECORD_CHANGED | RECORD_TRUNCATED)};
    if (h->len > 0)
        memcpy(h->text, t->text.data, h->len);
    if (ticket_set_fork(&h->tickets, &b->tickets) != 0) {
        mem_free(h);
        return NULL;
    }
    h->origin = b->body->origin != NULL ? origin_ref(b->body->origin) : NULL;
    pool_charge(t->env->pool, sizeof *h + h->len);
    return h;
}

/* The record itself again, alone in a batch, which gets the tickets. NULL: no memory. */
static struct batch *held_batch(struct dedupe *t, struct held *h)
{
    struct batch *b = batch_new(t->env->pool, NULL, h->origin);
    if (b == NULL)
        return NULL;
    struct chunk *c = &b->chunk;
    struct record *r = batch_add(b);
    char *text = arena_text(&b->body->arena, h->len + 1);
    if (r == NULL || text == NULL) {
        chunk_free(&c);
        return NULL;
    }
    if (h->len > 0)
        memcpy(text, h->text, h->len);
    b->body->base_offset = h->offset;
    b->body->time = h->read;
    b->bytes = h->len;
    *r = (struct record){.text = text, .len = (uint32_t)h->len, .flags = h->flags, .time = h->time};
    if (h->object && doc_parse(&r->doc, &b->body->arena, text, h->len, NULL) == DOC_NOMEM) {
        chunk_free(&c);
        return NULL;
    }
    b->tickets = h->tickets;
    h->tickets = (struct ticket_set){0};
    return b;
}

/* ---- the end of a window ------------------------------------------------------------------------- */

/* Pass on what windows held that have ended. */
static void pass_over(struct dedupe *t)
{
    struct list *node;
    while ((node = list_shift(&t->over)) != NULL)
        stage_pass(t->env, t->stream, LIST_ENTRY(node, struct chunk, queued));
}

/* Forget ${s}; what it holds is to be passed on. -1: no memory. */
static int end_window(struct dedupe *t, struct seen *s)
{
    int rc = 0;
    if (s->held != NULL) {
        struct value n = value_int((int64_t)s->repeats);
        struct batch *b = held_batch(t, s->held);
        held_free(t, &s->held);
        struct chunk *c = b != NULL ? &b->chunk : NULL;
        rc = b == NULL || record_adopt(b, &b->records[0], t->set->count, &n) == DOC_NOMEM ? -1 : 0;
        if (rc == 0)
            list_push(&t->over, &c->queued);
        else
            chunk_free(&c);
    }
    keyed_remove(&t->keys, &s->entry);
    return rc;
}

static struct seen *oldest(const struct dedupe *t)
{
    return (struct seen *)(void *)keyed_oldest(&t->keys);
}

/* End the windows that are over. -1: no memory. */
static int end_windows(struct dedupe *t, double now)
{
    struct seen *s;
    int rc = 0;
    while (rc == 0 && (s = oldest(t)) != NULL && s->until <= now)
        rc = end_window(t, s);
    pass_over(t);
    return rc;
}

/* Nothing wakes up for what only is forgotten: that happens when the next record comes. */
static void set_timer(struct dedupe *t)
{
    struct ev_loop *ev = loop_ev(t->env->loop);
    const struct seen *s = oldest(t);
    if (t->env->dry || t->set->count == NULL || s == NULL || ev_is_active(&t->timer))
        return;
    double wait = s->until - loop_now();
    ev_now_update(ev);
    ev_timer_set(&t->timer, wait > 0 ? wait : 0, 0.);
    ev_timer_start(ev, &t->timer);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct dedupe *t = w->data;
    struct err e = {0};
    if (end_windows(t, loop_now()) == 0) {
        set_timer(t);
        return;
    }
    err_nomem(&e);
    stream_destroy(t->stream, &e);
}

/* ---- records ------------------------------------------------------------------------------------- */

/* What makes ${r} equal to others. False: no memory. */
static bool make_id(struct dedupe *t, const struct batch *b, const struct record *r, uint64_t id[2])
{
    const struct paths *fields = &t->set->fields;
    t->text.len = 0;
    if (fields->count == 0 && !(r->flags & RECORD_CHANGED)) {
        keyed_id(&t->keys, r->text, r->len, id);
        return true;
    }
    if (fields->count == 0)
        render_record(&t->text, r, RENDER_AUTO);
    for (size_t i = 0; i < fields->count; i++) {
        struct value v;
        if (record_get(b, r, fields->items[i], &v))
            render_value(&t->text, &v);
        buf_char(&t->text, '\n'); /* in no JSON text; a missing field is not null */
    }
    keyed_id(&t->keys, t->text.data, t->text.len, id);
    return !t->text.failed;
}

static void trace(const struct dedupe *t, const struct record *r, const char *verdict, const char *reason)
{
    const struct stage_trace *to = t->env->trace;
    if (to != NULL && to->verdict != NULL)
        to->verdict(to->arg, r, verdict, reason);
}

/* ${r} is the last repeat now; the one before is dropped. -1: no memory. */
static int hold(struct dedupe *t, struct seen *s, const struct batch *b, const struct record *r)
{
    char why[60];
    struct held *h = held_new(t, b, r);
    if (h == NULL)
        return -1;
    if (s->held != NULL) {
        ticket_set_end(&s->held->tickets, true); /* dropped on purpose, and counted */
        held_free(t, &s->held);
        stage_dropped(t->env, REASON, 1);
    }
    s->held = h;
    s->repeats++;
    snprintf(why, sizeof why, "repeat %llu, kept back", (unsigned long long)s->repeats);
    trace(t, r, "merge", why);
    return 0;
}

/* 1: ${r} passes; 0: it does not; -1: no memory. */
static int look_at(struct dedupe *t, const struct batch *b, const struct record *r, double now)
{
    uint64_t id[2];
    if (!make_id(t, b, r, id))
        return -1;
    struct keyed_entry *e = keyed_find(&t->keys, id);
    if (e != NULL && t->set->count != NULL)
        return hold(t, (struct seen *)(void *)e, b, r);
    if (e != NULL) {
        trace(t, r, "drop", REASON);
        stage_dropped(t->env, REASON, 1);
        return 0;
    }
    if (keyed_full(&t->keys) && end_window(t, oldest(t)) != 0)
        return -1;
    struct seen *s = (struct seen *)(void *)keyed_add(&t->keys, id, sizeof *s);
    if (s == NULL)
        return -1;
    s->until = now + t->set->window;
    trace(t, r, "pass", NULL);
    return 1;
}

static int look_at_all(struct dedupe *t, struct batch *b)
{
    double now = t->env->dry ? 0 : loop_now(); /* no clock decides what a dry run shows */
    size_t kept = 0;
    int rc = end_windows(t, now);
    for (size_t i = 0; i < b->count && rc >= 0; i++) {
        rc = look_at(t, b, &b->records[i], now);
        if (rc == 1)
            b->records[kept++] = b->records[i];
    }
    b->count = kept;
    return rc < 0 ? -1 : 0;
}

/* ---- the stream ---------------------------------------------------------------------------------- */

static void dedupe_transform(struct stream *s, void *self, struct chunk *c)
{
    struct dedupe *t = self;
    struct batch *b = chunk_batch(c);
    struct err e = {0};
    t->env->stats->records_in += b->count;
    t->env->stats->bytes_in += b->text;
    if (look_at_all(t, b) == 0) {
        stage_pass(t->env, s, c);
        pass_over(t); /* not before the first of them, which may be in this chunk */
        set_timer(t);
    } else {
        chunk_free(&c);
        err_nomem(&e);
    }
    stream_transform_done(s, &e);
}

static void dedupe_flush(struct stream *s, void *self)
{
    struct dedupe *t = self;
    struct err e = {0};
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    while (t->keys.count > 0 && !err_is(&e))
        if (end_window(t, oldest(t)) != 0)
            err_nomem(&e);
    pass_over(t);
    stream_flush_done(s, &e);
}

static void dedupe_destroy(struct stream *s, void *self, const struct err *e)
{
    struct dedupe *t = self;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    for (struct seen *k; (k = oldest(t)) != NULL; keyed_remove(&t->keys, &k->entry))
        held_free(t, &k->held);
    for (struct list *node; (node = list_shift(&t->over)) != NULL;) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
    stream_destroy_done(s, e);
}

static void dedupe_free(void *self)
{
    struct dedupe *t = self;
    keyed_clear(&t->keys);
    buf_clear(&t->text);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "dedupe",
    .transform = dedupe_transform,
    .flush = dedupe_flush,
    .destroy = dedupe_destroy,
    .free = dedupe_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct dedupe *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->env = env;
    t->set = settings;
    list_init(&t->over);
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    struct stream_opts o = stage_stream_opts(env);
    if (keyed_init(&t->keys, (size_t)t->set->max_keys, e) == 0)
        t->stream = stream_transform_new(&ops, t, &o, e);
    struct stream *stream = t->stream;
    if (stream == NULL)
        dedupe_free(t);
    return stream;
}

static const struct stage_case cases[] = {
    {"", "the first passes", "the first passes"},
    {"\"fields\": [\".a\", \".b\"], \"count\": \".repeats\"", "{\"a\":1.0}", "{\"a\":1.0}"},
    {"\"fields\": \".a\"", "{\"a\":[[[{}]]]}", "{\"a\":[[[{}]]]}"},
    {"\"fields\": \".missing\", \"max_keys\": 1", "\xff", "\xff"},
    {0},
};

const struct stage stage_dedupe = {
    .kind = STAGE_TRANSFORM,
    .type = "dedupe",
    .summary = "Passes one of equal records in a time.",
    .description =
        "The first record passes at once; equal ones that come within window after it are repeats, which are dropped and counted. The first one after the window passes again. The time is "
        "that of arrival, not @time.\n\n"
        "With count the last repeat is held until the window ends (or the input does, or max_keys is reached), and then passed on with the number of repeats, itself included. What is held is "
        "not acknowledged: it counts against memory_limit, and after a crash it is read again. A dry run has one window without end.",
    .example = "{ \"type\": \"dedupe\", \"fields\": [\".level\", \".msg\"], \"window\": \"10s\", \"count\": \".repeats\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct dedupe_settings),
    .check = check,
    .reorders = reorders,
    .open = open_stage,
};
