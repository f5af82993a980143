#include "stage/join.h"

#include <ev.h>
#include <inttypes.h>
#include <stdalign.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "delivery/checkpoint.h"
#include "record/batch.h"
#include "record/pool.h"
#include "stage/join_group.h"
#include "stage/join_settle.h"
#include "stream/stream.h"

#define HELD_SHARE 4 /* what is held has this part of the pipeline's memory at most */

struct join {
    const struct join_ops *ops;
    const struct join_limits *limits;
    struct stage_env *env;
    const void *settings;
    struct stream *stream;
    struct join_groups groups;
    ev_timer timer;
    alignas(max_align_t) char self[];
};

/* A batch on its way through. */
struct pass {
    struct join *t;
    struct batch *b;
    struct join_log *log;
    size_t kept;
    struct join_settle settle;
    struct join_group *last; /* the group of the record before: mostly that of the next one */
    struct value stream;     /* and its stream */
};

/* ---- groups that end ---------------------------------------------------------------------------- */

/* The first record of ${g} says all of it now. -1: no memory. */
static int close_group(struct join *t, struct join_group *g, struct batch *b, struct record *r)
{
    struct value text;
    if (g->truncated)
        r->flags |= RECORD_TRUNCATED;
    if (g->pieces < 2)
        return 0;
    t->env->stats->merged += g->pieces - 1;
    if (!join_group_text(g, b, &text))
        return -1;
    return t->ops->put(t->self, t->settings, b, r, &text);
}

/* ${g}, which no batch is adding to, goes on as it is. -1: no memory. */
static int release(struct join *t, struct join_group *g)
{
    struct join_log *log = g->log;
    struct batch *b = g->held;
    if (close_group(t, g, b, &b->records[0]) != 0 || ticket_set_join(&b->tickets, &log->first) != 0)
        return -1;
    g->held = NULL;
    join_group_reset(&t->groups, g);
    if (log->open == 0)
        join_log_end_span(log);
    join_group_free(&t->groups, g);
    stage_pass(t->env, t->stream, &b->chunk);
    return 0;
}

static void keep(struct pass *p, const struct record *r, size_t at)
{
    p->b->records[p->kept++] = *r;
    join_settle_left(&p->settle, at);
}

/* ${g} is complete, now that ${at} records were looked at: a held one goes in front of the batch, one that began in it is the next record
 * that is left there. -1: no memory. */
static int complete(struct pass *p, struct join_group *g, size_t at)
{
    struct join *t = p->t;
    if (g->pieces == 0)
        return 0;
    struct batch *b = g->held != NULL ? g->held : p->b;
    struct record *r = g->held != NULL ? &b->records[0] : &g->first;
    if (close_group(t, g, b, r) != 0)
        return -1;
    if (g->held != NULL)
        join_settle_held(&p->settle, b);
    else
        keep(p, r, at);
    g->held = NULL;
    join_group_reset(&t->groups, g);
    return 0;
}

/* ---- one record ---------------------------------------------------------------------------------- */

static struct join_group *group_of(struct pass *p, const struct value *stream)
{
    if (p->last == NULL || !value_equal(&p->stream, stream)) {
        p->last = join_groups_get(&p->t->groups, p->log, stream);
        p->stream = *stream;
    }
    return p->last;
}

/* Would ${g} with ${text} be too long? Then it goes on in pieces: what there is is complete. -1: no memory. */
static int bound(struct pass *p, struct join_group *g, size_t at, const struct value *text)
{
    struct join *t = p->t;
    uint32_t state = g->state;
    if (g->pieces == 0 || join_group_length(g) + strlen(t->ops->between) + text->len <= t->limits->max_bytes)
        return 0;
    log_debug(t->env->scope, "a record of more than max_bytes %" PRIu64 " goes on in pieces", t->limits->max_bytes);
    t->env->stats->truncated++;
    g->truncated = true;
    int rc = complete(p, g, at);
    g->state = state;
    return rc;
}

/* What dry-run tells of ${r}. */
static void tell(const struct pass *p, const struct join_group *g, const struct record *r, enum join_verdict v)
{
    static const char *const words[] = {
        [JOIN_BEGIN] = "begins a record",
        [JOIN_MORE] = "goes on with the record begun before",
        [JOIN_LAST] = "completes the record begun before",
    };
    const struct stage_trace *to = p->t->env->trace;
    if (to == NULL || to->verdict == NULL)
        return;
    bool alone = v == JOIN_ALONE || (v == JOIN_LAST && g->pieces == 0);
    if (v == JOIN_MORE && g->pieces == 0)
        v = JOIN_BEGIN;
    to->verdict(to->arg, r, alone ? "pass" : "merge", alone ? NULL : words[v]);
}

/* ${r}, which came as the one behind ${at} others, is ${piece}. -1: no memory. */
static int take_piece(struct pass *p, size_t at, const struct record *r, const struct join_piece *piece)
{
    struct join *t = p->t;
    struct join_group *g = group_of(p, &piece->stream);
    if (g == NULL)
        return -1;
    enum join_verdict v = t->ops->judge(t->self, t->settings, piece, &g->state);
    uint32_t state = g->state;
    tell(p, g, r, v);
    if ((v == JOIN_ALONE || v == JOIN_BEGIN) && complete(p, g, at) != 0)
        return -1;
    g->state = state;
    if (bound(p, g, at, &piece->text) != 0)
        return -1;
    join_settle_between(&p->settle, at, r->text);
    if (join_group_add(&t->groups, g, t->ops->between, r, &piece->text) != 0)
        return -1;
    return v == JOIN_ALONE || v == JOIN_LAST ? complete(p, g, at + 1) : 0;
}

/* The record behind ${at} others. -1: no memory. */
static int take(struct pass *p, size_t at, struct each_why *why)
{
    struct join *t = p->t;
    struct join_piece piece = {.text = value_null(), .stream = value_null()};
    struct record r = p->b->records[at]; /* its place may be taken by one that is kept */
    enum each_verdict verdict = t->ops->look(t->self, t->settings, p->b, &r, &piece, why);
    int rc = verdict == EACH_NOMEM ? -1 : 0;
    if (verdict == EACH_PASS)
        rc = take_piece(p, at, &r, &piece);
    else if (rc == 0 && each_settle(t->env, &r, verdict, why))
        keep(p, &r, at + 1);
    join_settle_between(&p->settle, at + 1, at + 1 < p->b->count ? p->b->records[at + 1].text : NULL);
    return rc;
}

/* ---- one batch ------------------------------------------------------------------------------------ */

/* Groups that began in the batch and are not complete are copied out of it. */
static int hold_the_rest(struct pass *p)
{
    struct join_groups *gs = &p->t->groups;
    LIST_EACH(node, &gs->fresh) {
        struct join_group *g = LIST_ENTRY(node, struct join_group, node);
        if (g->pieces > 0 && g->held == NULL && join_group_hold(gs, g, p->b) != 0)
            return -1;
    }
    p->b->count = p->kept;
    return 0;
}

static int pass_through(struct pass *p)
{
    struct each_why why = {.wanted = p->t->env->trace != NULL};
    p->log = join_groups_log(&p->t->groups, p->b);
    if (p->log == NULL)
        return -1;
    join_settle_init(&p->settle, p->b, p->log);
    for (size_t i = 0; i < p->b->count; i++)
        if (take(p, i, &why) != 0)
            return -1;
    return hold_the_rest(p) == 0 ? join_settle_tickets(&p->settle) : -1;
}

static void arm(struct join *t)
{
    struct ev_loop *ev = loop_ev(t->env->loop);
    if (t->env->dry || list_empty(&t->groups.held) || ev_is_active(&t->timer))
        return; /* no clock decides what a dry run shows */
    const struct join_group *g = LIST_ENTRY(t->groups.held.next, struct join_group, node);
    double after = g->touched + t->limits->timeout - loop_now();
    ev_now_update(ev);
    ev_timer_set(&t->timer, after > 0 ? after : 0, 0.);
    ev_timer_start(ev, &t->timer);
}

/* Let go of the longest untouched ones until the rest is within bounds. -1: no memory. */
static int keep_within_bounds(struct join *t)
{
    size_t most = pool_limit(t->env->pool) / HELD_SHARE;
    while (t->groups.bytes > most && !list_empty(&t->groups.held)) {
        struct join_group *g = LIST_ENTRY(t->groups.held.next, struct join_group, node);
        t->env->stats->truncated++;
        g->truncated = true;
        if (release(t, g) != 0)
            return -1;
    }
    return 0;
}

/* Held ones that are complete now go first, then what is left of the batch. */
static void hand_on(struct pass *p)
{
    struct list *node;
    while ((node = list_shift(&p->settle.done)) != NULL)
        stage_pass(p->t->env, p->t->stream, LIST_ENTRY(node, struct chunk, queued));
    stage_pass(p->t->env, p->t->stream, &p->b->chunk);
}

static void join_transform(struct stream *s, void *self, struct chunk *c)
{
    struct join *t = self;
    struct pass p = {.t = t, .b = chunk_batch(c)};
    struct err e = {0};
    list_init(&p.settle.done);
    t->env->stats->records_in += p.b->count;
    t->env->stats->bytes_in += p.b->text;
    if (pass_through(&p) == 0) {
        join_groups_keep(&t->groups, p.log, loop_now());
        hand_on(&p);
        if (keep_within_bounds(t) != 0)
            err_nomem(&e);
        arm(t);
    } else {
        join_settle_clear(&p.settle);
        chunk_free(&c);
        err_nomem(&e);
    }
    stream_transform_done(s, &e);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct join *t = w->data;
    double now = loop_now();
    while (!list_empty(&t->groups.held)) {
        struct join_group *g = LIST_ENTRY(t->groups.held.next, struct join_group, node);
        if (g->touched + t->limits->timeout > now)
            break;
        if (release(t, g) != 0) {
            struct err e = {0};
            err_nomem(&e);
            stream_destroy(t->stream, &e);
            return;
        }
    }
    arm(t);
}

/* ---- the stream ----------------------------------------------------------------------------------- */

static bool is_gone(const struct origin *o)
{
    return o != NULL && o->gone;
}

/* An incomplete group that will be read again is better found whole then. */
static bool is_given_back(const struct join *t, const struct join_group *g)
{
    return t->ops->give_back && !t->env->once && g->log->first.count > 0 && checkpoint_is_kept(t->env->checkpoint) &&
           !is_gone(g->held->body->origin) && !is_gone(g->log->origin);
}

static void join_flush(struct stream *s, void *self)
{
    struct join *t = self;
    struct err e = {0};
    while (!list_empty(&t->groups.held)) {
        struct join_group *g = LIST_ENTRY(t->groups.held.next, struct join_group, node);
        if (is_given_back(t, g)) {
            log_info(t->env->scope, "a record that is not complete is left for the next start");
            join_group_free(&t->groups, g); /* with the last one the tickets of the span fail */
        } else if (release(t, g) != 0) {
            err_nomem(&e);
            break;
        }
    }
    stream_flush_done(s, &e);
}

static void join_destroy(struct stream *s, void *self, const struct err *e)
{
    struct join *t = self;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    join_groups_clear(&t->groups);
    stream_destroy_done(s, e);
}

static void join_free(void *self)
{
    struct join *t = self;
    if (t->ops->clear != NULL)
        t->ops->clear(t->self);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "transform",
    .transform = join_transform,
    .flush = join_flush,
    .destroy = join_destroy,
    .free = join_free,
};

struct stream *join_open(const struct join_ops *join, const struct join_limits *limits,
                         struct stage_env *env, const void *settings, struct err *e)
{
    struct join *t = mem_zalloc(1, sizeof *t + join->self_size);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->ops = join;
    t->limits = limits;
    t->env = env;
    t->settings = settings;
    join_groups_init(&t->groups, env->pool);
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    if (join->init != NULL && join->init(t->self, env, settings, e) != 0) {
        mem_free(t);
        return NULL;
    }
    struct stream_opts o = stage_stream_opts(env);
    t->stream = stream_transform_new(&ops, t, &o, e);
    if (t->stream == NULL)
        join_free(t);
    return t->stream;
}
