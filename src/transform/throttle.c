/* The throttle transform: lets so much through in a time. */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/batch.h"
#include "record/expr.h"
#include "record/render.h"
#include "record/scratch.h"
#include "stage/stage.h"
#include "stream/stream.h"
#include "transform/keyed.h"

#define WAIT_MIN 0.001 /* seconds: a shorter sleep only costs */

enum { EXCEEDED_DROP, EXCEEDED_BLOCK };

struct throttle_settings {
    int64_t rate;
    uint64_t rate_bytes, burst;
    double per;
    struct expr *key;
    int64_t max_keys;
    int when_exceeded;
};

/* What may still pass: it fills with time, up to the burst. */
struct bucket {
    struct keyed_entry entry;
    double left, at; /* so much, as of then */
};

struct throttle {
    struct stream *stream;
    struct stage_env *env;
    const struct throttle_settings *set;
    double rate, burst; /* records or bytes, a second and at once */
    struct bucket all;  /* without key */
    struct keyed keys;
    struct scratch scratch;
    struct buf text; /* of a key */
    ev_timer timer;
    struct batch *held; /* of which records from next on have to wait */
    size_t next;
    bool stopping; /* nothing waits any more */
};

static const char *const exceeded[] = {"drop", "block", NULL};

#define AT(name) offsetof(struct throttle_settings, name)
static const struct option options[] = {
    {.key = "rate", .type = OPTION_INT, .offset = AT(rate), .min = 1, .max = 1000000000,
     .words = "So many records pass in the time of per. This or rate_bytes is required."},
    {.key = "rate_bytes", .type = OPTION_SIZE, .offset = AT(rate_bytes), .min = 1,
     .words = "So many bytes of text, line feeds included, pass in the time of per."},
    {.key = "per", .type = OPTION_DURATION, .offset = AT(per), .fallback = "\"1s\"", .min = 1, .max = 86400000,
     .words = "The time that rate or rate_bytes is for: \"rate\": 1, \"per\": \"10m\" is one record in ten minutes."},
    {.key = "burst", .type = OPTION_SIZE, .offset = AT(burst), .min = 1,
     .words = "So many records, or bytes, may pass at once after a quiet time. Default: as many as rate or rate_bytes."},
    {.key = "key", .type = OPTION_EXPR, .offset = AT(key),
     .words = "Each value of this expression, also null, has a rate and burst of its own."},
    {.key = "max_keys", .type = OPTION_INT, .offset = AT(max_keys), .fallback = "10000", .min = 1, .max = 10000000,
     .words = "How many values are remembered, in about 100 bytes each. Past it the one that was not seen for longest is forgotten: it begins anew with a whole burst."},
    {.key = "when_exceeded", .type = OPTION_CHOICE, .offset = AT(when_exceeded), .fallback = "\"drop\"", .choices = exceeded,
     .words = "drop: records past the rate are dropped and counted; block: they wait, and so does all that comes after them, up to the sources. block takes no key."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct throttle_settings *set = settings;
    if ((set->rate == 0) == (set->rate_bytes == 0))
        report_key(report, set->rate != 0 ? "rate_bytes" : "", "expected either \"rate\" or \"rate_bytes\"");
    if (set->key != NULL && set->when_exceeded == EXCEEDED_BLOCK)
        report_key(report, "key", "not with \"when_exceeded\": \"block\": one value would hold up all others");
}

/* ---- buckets ------------------------------------------------------------------------------------- */

/* In a dry run no time passes: what it shows does not depend on the clock. */
static double now(const struct throttle *t)
{
    return t->env->dry ? 0 : loop_now();
}

static void refill(const struct throttle *t, struct bucket *b, double time)
{
    b->left += (time - b->at) * t->rate;
    b->at = time;
    if (b->left > t->burst)
        b->left = t->burst;
}

static double cost(const struct throttle *t, const struct record *r)
{
    return t->set->rate != 0 ? 1 : (double)r->len + 1;
}

/* What must be there for ${r} to pass. One that is longer than the burst passes when that is whole, and leaves a debt. */
static double wanted(const struct throttle *t, const struct record *r)
{
    double c = cost(t, r);
    return c < t->burst ? c : t->burst;
}

/* The bucket of ${r}. NULL: no memory. */
static struct bucket *find_bucket(struct throttle *t, const struct batch *b, const struct record *r, double time)
{
    uint64_t id[2];
    if (t->set->key == NULL)
        return &t->all;
    scratch_reset(&t->scratch);
    struct value v = expr_eval(t->set->key, b, r, &t->scratch);
    t->text.len = 0;
    render_value(&t->text, &v);
    if (t->text.failed)
        return NULL;
    keyed_id(&t->keys, t->text.data, t->text.len, id);
    struct keyed_entry *e = keyed_find(&t->keys, id);
    if (e != NULL) {
        keyed_touch(&t->keys, e);
        return (struct bucket *)(void *)e;
    }
    if (keyed_full(&t->keys))
        keyed_remove(&t->keys, keyed_oldest(&t->keys));
    e = keyed_add(&t->keys, id, sizeof(struct bucket));
    if (e == NULL)
        return NULL;
    struct bucket *fresh = (struct bucket *)(void *)e;
    fresh->left = t->burst;
    fresh->at = time;
    return fresh;
}

static void trace(const struct throttle *t, const struct record *r, const char *verdict, const char *reason)
{
    const struct stage_trace *to = t->env->trace;
    if (to != NULL && to->verdict != NULL)
        to->verdict(to->arg, r, verdict, reason);
}

/* ---- drop ---------------------------------------------------------------------------------------- */

#define REASON "over the rate"

static void trace_drop(const struct throttle *t, const struct record *r)
{
    char why[200];
    int shown = t->text.len < 100 ? (int)t->text.len : 100;
    if (t->env->trace == NULL)
        return;
    snprintf(why, sizeof why, "%s of %.*s", REASON, shown, t->text.data);
    trace(t, r, "drop", t->set->key != NULL ? why : REASON);
}

/* -1: no memory. */
static int drop_exceeding(struct throttle *t, struct batch *b)
{
    double time = now(t);
    size_t kept = 0, count = b->count;
    for (size_t i = 0; i < count; i++) {
        const struct record *r = &b->records[i];
        struct bucket *k = find_bucket(t, b, r, time);
        if (k == NULL)
            return -1;
        refill(t, k, time);
        if (k->left >= wanted(t, r)) {
            k->left -= cost(t, r);
            trace(t, r, "pass", NULL);
            b->records[kept++] = *r;
        } else {
            trace_drop(t, r);
        }
    }
    b->count = kept;
    stage_dropped(t->env, REASON, count - kept);
    return 0;
}

/* ---- block --------------------------------------------------------------------------------------- */

/* Pass ${count} of the held records on, those from next on. The last piece is the chunk itself, so its tickets end when all have. -1: no memory. */
static int pass_piece(struct throttle *t, size_t count)
{
    struct batch *b = t->held, whole = *b;
    struct chunk *c = &b->chunk;
    if (t->next + count < b->count) {
        b->records += t->next;
        b->count = count;
        c = chunk_fork(&b->chunk);
        b->records = whole.records;
        b->count = whole.count;
        if (c == NULL)
            return -1;
        t->next += count;
    } else {
        memmove(b->records, b->records + t->next, count * sizeof *b->records);
        b->count = count;
        t->held = NULL;
    }
    struct batch *piece = chunk_batch(c);
    piece->bytes = batch_count_text(piece);
    stage_pass(t->env, t->stream, c);
    return 0;
}

/* How many of the held records may pass now; their cost is taken. */
static size_t take_affordable(struct throttle *t)
{
    size_t i = t->next;
    for (; i < t->held->count; i++) {
        const struct record *r = &t->held->records[i];
        if (t->all.left < wanted(t, r))
            break;
        t->all.left -= cost(t, r);
    }
    return i - t->next;
}

static void sleep_until_affordable(struct throttle *t)
{
    double wait = (wanted(t, &t->held->records[t->next]) - t->all.left) / t->rate;
    struct ev_loop *ev = loop_ev(t->env->loop);
    ev_now_update(ev);
    ev_timer_set(&t->timer, wait > WAIT_MIN ? wait : WAIT_MIN, 0.);
    ev_timer_start(ev, &t->timer);
}

/* Pass on what may pass; the chunk is done with when all has. */
static void go_on(struct throttle *t)
{
    struct err e = {0};
    size_t count = t->held->count - t->next;
    if (!t->stopping && !*t->env->hurry) {
        refill(t, &t->all, now(t));
        count = take_affordable(t);
    }
    if (count > 0 && pass_piece(t, count) != 0)
        err_nomem(&e);
    if (t->held == NULL || err_is(&e))
        stream_transform_done(t->stream, &e);
    else
        sleep_until_affordable(t);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    go_on(w->data);
}

/* A dry run does not sleep: it says for how long each record would have to wait, and runs into debt. */
static void tell_waits(struct throttle *t, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        double wait = (wanted(t, r) - t->all.left) / t->rate;
        char why[80];
        snprintf(why, sizeof why, "would wait %.3g s, if all came at once", wait);
        trace(t, r, "pass", wait > 0 ? why : NULL);
        t->all.left -= cost(t, r);
    }
}

/* ---- the stream ---------------------------------------------------------------------------------- */

static void throttle_transform(struct stream *s, void *self, struct chunk *c)
{
    struct throttle *t = self;
    struct batch *b = chunk_batch(c);
    struct err e = {0};
    t->env->stats->records_in += b->count;
    t->env->stats->bytes_in += b->text;
    if (t->set->when_exceeded == EXCEEDED_BLOCK && !t->env->dry && b->count > 0) {
        t->held = b;
        t->next = 0;
        go_on(t);
        return;
    }
    if (t->set->when_exceeded == EXCEEDED_BLOCK) {
        tell_waits(t, b);
    } else if (drop_exceeding(t, b) != 0) {
        chunk_free(&c);
        err_nomem(&e);
    }
    if (c != NULL)
        stage_pass(t->env, s, c);
    stream_transform_done(s, &e);
}

static void throttle_destroy(struct stream *s, void *self, const struct err *e)
{
    struct throttle *t = self;
    struct chunk *c = t->held != NULL ? &t->held->chunk : NULL;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    t->held = NULL;
    chunk_free(&c);
    stream_destroy_done(s, e);
}

static void throttle_free(void *self)
{
    struct throttle *t = self;
    keyed_clear(&t->keys);
    scratch_clear(&t->scratch);
    buf_clear(&t->text);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "throttle",
    .transform = throttle_transform,
    .destroy = throttle_destroy,
    .free = throttle_free,
};

/* What waits goes on at once, or a stop would take as long as the rate says. */
static void stop(struct stream *s)
{
    struct throttle *t = stream_self(s);
    t->stopping = true;
    if (t->held == NULL || stream_is_destroyed(s))
        return;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    go_on(t);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct throttle *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    const struct throttle_settings *set = t->set = settings;
    double rate = set->rate != 0 ? (double)set->rate : (double)set->rate_bytes;
    t->env = env;
    t->rate = rate / set->per;
    t->all.left = t->burst = set->burst != 0 ? (double)set->burst : rate;
    t->all.at = now(t);
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    struct stream_opts o = stage_stream_opts(env);
    if (keyed_init(&t->keys, (size_t)set->max_keys, e) == 0)
        t->stream = stream_transform_new(&ops, t, &o, e);
    struct stream *stream = t->stream;
    if (stream == NULL)
        throttle_free(t);
    return stream;
}

static const struct stage_case cases[] = {
    {"\"rate\": 1", "the first", "the first"},
    {"\"rate\": 1, \"per\": \"1h\", \"when_exceeded\": \"block\"", "{\"a\":1}", "{\"a\":1}"},
    {"\"rate_bytes\": 1", "longer than the burst, which is whole", "longer than the burst, which is whole"},
    {"\"rate\": 5, \"key\": \".host\", \"max_keys\": 1", "{\"host\":[[[1]]]}", "{\"host\":[[[1]]]}"},
    {"\"rate\": 5, \"key\": \".host\"", "\xff", "\xff"},
    {0},
};

const struct stage stage_throttle = {
    .kind = STAGE_TRANSFORM,
    .type = "throttle",
    .summary = "Lets so much through in a time.",
    .description =
        "A bucket holds burst, and fills again at the rate; each record takes one from it, or the bytes of its text, and one that finds too little is dropped or "
        "waits. A record longer than the burst passes when the bucket is full. The time is that of arrival, not @time.\n\n"
        "With block, chunks are passed on piece by piece. When weir stops or takes a new configuration, what waits is passed on at once. A dry run does "
        "not wait: it takes all records as having come at once, and says how long each would.",
    .example = "{ \"type\": \"throttle\", \"rate\": 100, \"burst\": 1000, \"key\": \".host\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct throttle_settings),
    .check = check,
    .open = open_stage,
    .stop = stop,
};
