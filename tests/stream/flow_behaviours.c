/* 50 to 60: Duplex, Transform, pipe, pipeline. */
#include <string.h>

#include "behaviours.h"

static void wrote(struct actor *a)
{
    done(a, WRITE, 0);
}

static void write_later(struct actor *a)
{
    later(a, wrote);
}

static void hang(struct actor *a)
{
    (void)a;
}

static void destroy_plainly(struct actor *a)
{
    destroy(a, 0);
}

/* ---- 50, 51 */
static void duplex_end(struct world *w)
{
    struct actor *closing = cast(w, 'D', "closing"), *open = cast(w, 'D', "open");
    closing->o.half_open = false;
    go(closing);
    push_end(closing);
    resume(closing);
    go(open);
    push_end(open);
    resume(open);
    turn(w);
    expect(closing, "resume end final finish destroy close");
    expect(open, "resume end");
    end(open);
    turn(w);
    expect(open, "resume end final ended finish destroy close");
}

static void duplex_destroy(struct world *w)
{
    struct actor *both = cast(w, 'D', "both"), *writes = cast(w, 'D', "writes"),
                 *reads = cast(w, 'D', "reads");
    go(both);
    resume(both);
    destroy(both, 0);
    writes->o.readable = false;
    go(writes);
    end(writes);
    reads->o.writable = false;
    go(reads);
    push_end(reads);
    resume(reads);
    turn(w);
    expect(both, "destroy close");
    expect(writes, "final ended finish destroy close");
    expect(reads, "resume end destroy close");
}

/* ---- 52 */
static void transform_consumption(struct world *w)
{
    struct actor *t = cast(w, 'T', "t");
    t->o.read_mark = t->o.write_mark = 10;
    go(t);
    for (size_t i = 1; i <= 10; i++)
        put_len(t, i);
    turn(w);
    CHECK(w, stream_readable_length(t->s) == 10 && stream_readable_queued(t->s) == 4);
    CHECK(w, stream_writable_queued(t->s) == 6 && stream_writable_length(t->s) == 49);
    for (int i = 0; i < 3; i++)
        take(t);
    turn(w); /* 4 is left, 5 and 6 come in: 4+5 is below the mark, 4+5+6 is not */
    CHECK(w, stream_readable_length(t->s) == 15 && stream_writable_queued(t->s) == 4);
}

/* ---- 53 */
static void push_threes(struct actor *a)
{
    for (size_t i = 0; i < a->len; i++) {
        a->store[a->n++] = a->text[i];
        a->store[a->n] = '\0';
        if (a->n == 3) {
            push(a, a->store);
            a->n = 0;
        }
    }
    done(a, TRANSFORM, 0);
}

static void push_rest(struct actor *a)
{
    a->store[a->n] = '\0';
    push(a, a->store);
    done(a, FLUSH, 0);
}

static void push_double(struct actor *a)
{
    memcpy(a->store, a->text, a->len);
    a->store[a->len] = '\0';
    push(a, a->store);
    push(a, a->store);
    done(a, TRANSFORM, 0);
}

static void transform_sizes(struct world *w)
{
    struct actor *compress = cast(w, 'T', "compress"), *expand = cast(w, 'T', "expand");
    static const char *const items[] = {"ab", "cd", "ef", "gh"};
    unsigned hidden = 1u << TRANSFORM | 1u << WROTE;
    compress->on[TRANSFORM] = push_threes;
    compress->on[FLUSH] = push_rest;
    expand->on[TRANSFORM] = push_double;
    compress->hide = expand->hide = hidden;
    go(compress);
    go(expand);
    for (int i = 0; i < 4; i++) {
        put(compress, items[i]);
        put(expand, items[i]);
    }
    end(compress);
    end(expand);
    hear(compress, STREAM_DATA);
    hear(expand, STREAM_DATA);
    turn(w);
    expect(compress, "resume data(abc) data(def) flush ended finish data(gh) end destroy close");
    expect(expand, "resume data(ab) data(ab) data(cd) flush ended finish data(cd) data(ef) "
                   "data(ef) data(gh) data(gh) "
                   "end destroy close");
}

/* ---- 54 */
static void transformed(struct actor *a)
{
    push(a, "late");
    push_end(a);
    end(a);
    done(a, TRANSFORM, 0);
}

static void transform_destroy(struct world *w)
{
    struct actor *t = cast(w, 'T', "t");
    t->on[TRANSFORM] = hang;
    go(t);
    hear(t, STREAM_DATA);
    put(t, "a");
    tick(w);
    destroy(t, 0);
    transformed(t);
    turn(w);
    transformed(t);
    turn(w);
    expect(t, "transform(a) resume wrote ended(DESTROYED) destroy close ended(DESTROYED)");
}

/* ---- 55 */
static void read_twenty_thousand(struct actor *a)
{
    if (a->n++ < 5)
        push_len(a, 20000);
}

static void transform_is_end(struct actor *a)
{
    push_end(a);
    done(a, TRANSFORM, 0);
}

static void cut_source(struct actor *a)
{
    unpipe(a->other);
}

static void duplex_readable_end(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *t = cast(w, 'T', "t");
    r->o.read_mark = t->o.write_mark = 16384;
    r->on[READ] = read_twenty_thousand;
    t->on[TRANSFORM] = transform_is_end;
    t->on[END] = cut_source;
    t->other = r;
    go(r);
    go(t);
    pipe_(r, t);
    hear(t, STREAM_DATA);
    turn(w);
    CHECK(w, r->count[READ] == 2 && stream_flowing(r->s) == STREAM_PAUSED);
    CHECK(w, t->count[END] == 1 && t->count[DATA] == 0 && t->count[ERROR] == 0);
}

/* ---- 56 */
static void pipe_need_drain(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    x->o.write_mark = 1;
    x->on[WRITE] = write_later;
    go(r);
    go(x);
    put(x, "aa");
    CHECK(w, stream_needs_drain(x->s));
    push(r, "b");
    push_end(r);
    pipe_(r, x);
    CHECK(w, stream_flowing(r->s) == STREAM_PAUSED);
    turn(w);
    expect(x, "write(aa) drain wrote write(b) final finish destroy close");
}

/* ---- 57 */
static void read_thousand(struct actor *a)
{
    if (a->n++ < (a->world->small ? 20 : 1000))
        push(a, "i");
    else
        push_end(a);
}

static void stray_read(struct actor *a)
{
    take(a);
    if (a->count[END] == 0 && a->s != NULL && !stream_is_destroyed(a->s))
        later(a, stray_read);
}

static void stray_resume(struct actor *a)
{
    resume(a);
    if (a->count[END] == 0 && a->s != NULL && !stream_is_destroyed(a->s))
        later(a, stray_resume);
}

static void pipe_manual_resume(struct world *w)
{
    void (*const strays[])(struct actor *) = {stray_read, stray_resume, NULL};
    for (int i = 0; i < 3; i++) {
        struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
        r->o.read_mark = x->o.write_mark = 16;
        r->on[READ] = read_thousand;
        x->on[WRITE] = write_later;
        go(r);
        go(x);
        if (strays[i] != NULL)
            later(r, strays[i]);
        pipe_(r, x);
        turn(w);
        CHECK(w, x->count[WRITE] == 1000 && x->count[FINISH] == 1);
    }
}

/* ---- 58 */
static void push_big(struct actor *a)
{
    push_len(a, 560000);
}

static void push_two_more(struct actor *a)
{
    push_big(a);
    later(a, push_big);
}

static void change_pipe(struct actor *a)
{
    struct actor *r = a->other, *w2 = a + 1;
    unpipe(r);
    pipe_(r, w2);
    push_big(r);
    later(r, push_two_more);
    done(a, WRITE, 0);
}

static void pipe_cleanup_pause(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *w1 = cast(w, 'W', "w1"), *w2 = cast(w, 'W', "w2");
    w1->on[WRITE] = change_pipe;
    w1->other = r;
    go(r);
    go(w1);
    go(w2);
    pipe_(r, w1);
    push_big(r);
    turn(w);
    CHECK(w, w1->count[WRITE] == 1 && w2->count[WRITE] == 3);
}

/* ---- 59 */
static void fail_transform(struct actor *a)
{
    done(a, TRANSFORM, E1);
}

static void transform_error(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *t = cast(w, 'T', "t"), *x = cast(w, 'W', "w");
    t->on[TRANSFORM] = fail_transform;
    r->hide = t->hide =
        1u << RESUME | 1u << READ; /* before or after the failure: as the order of steps has it */
    go(r);
    go(t);
    go(x);
    pipeline(w, 3, r, t, x);
    push(r, "a");
    turn(w);
    CHECK(w, w->answers == 1 && w->answer.code == E1);
    expect(r, "destroy(E1) error(E1) close");
    expect(t, "transform(a) destroy(E1) error(E1) close");
    expect(x, "destroy(E1) error(E1) close");
}

static void source_destroyed(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    go(r);
    go(x);
    pipeline(w, 2, r, x);
    push(r, "a");
    turn(w);
    destroy(r, 0);
    turn(w);
    CHECK(w, w->answers == 2 && w->answer.code == ERR_STREAM_PREMATURE_CLOSE);
    expect(r, "resume read destroy close");
    expect(x, "write(a) destroy(PREMATURE_CLOSE) error(PREMATURE_CLOSE) close");
}

static void read_forever(struct actor *a)
{
    push(a, "i");
}

static void fail_tenth(struct actor *a)
{
    done(a, WRITE, a->count[WRITE] == 10 ? E1 : 0);
}

static void six_transforms(struct world *w)
{
    unsigned first = w->actors;
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_forever;
    for (int i = 0; i < 6; i++)
        (void)cast(w, 'T', "t");
    struct actor *x = cast(w, 'W', "w");
    x->on[WRITE] = fail_tenth;
    for (unsigned i = first; i < w->actors; i++) {
        w->actor[i].o.read_mark = w->actor[i].o.write_mark = 16;
        go(&w->actor[i]);
    }
    struct actor *t = r + 1;
    pipeline(w, 8, r, t, t + 1, t + 2, t + 3, t + 4, t + 5, x);
    turn(w);
    CHECK(w, w->answer.code == E1 && x->count[WRITE] == 10);
    for (unsigned i = first; i < w->actors; i++)
        CHECK(w, w->actor[i].count[CLOSE] == 1);
}

static void destroyed(struct actor *a)
{
    if (a->n++ < 3)
        later(a, destroyed);
    else
        done(a, DESTROY, E1);
}

static void slow_destroy(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    r->on[DESTROY] = destroyed;
    x->on[WRITE] = hang;
    go(r);
    go(x);
    pipeline(w, 2, r, x);
    tick(w);
    destroy(x, E1);
    turn(w); /* that r has closed when the answer comes is checked with every answer */
    CHECK(w, w->answer.code == E1 && r->count[CLOSE] == 1 && x->count[CLOSE] == 1);
}

static void flushed(struct actor *a)
{
    push(a, "rest");
    done(a, FLUSH, 0);
}

static void flush_later(struct actor *a)
{
    later(a, flushed);
}

static void flush_awaited(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *t = cast(w, 'T', "t"), *x = cast(w, 'W', "w");
    t->on[FLUSH] = flush_later;
    x->on[WRITE] = write_later;
    go(r);
    go(t);
    go(x);
    pipeline(w, 3, r, t, x);
    push(r, "a");
    push_end(r);
    turn(w);
    CHECK(w, w->answer.code == 0);
    expect(x, "write(a) write(rest) final finish destroy close");
}

static void pipelines(struct world *w)
{
    transform_error(w);
    source_destroyed(w);
    CHECK(w, w->answers == 2);
    slow_destroy(w);
    CHECK(w, w->answers == 3);
    flush_awaited(w);
    CHECK(w, w->answers == 4);
}

static void pipelines_of_eight(struct world *w)
{
    six_transforms(w);
    CHECK(w, w->answers == 1);
}

/* ---- 60 */
static void end_in_destroy(struct actor *a)
{
    end(a);
    done(a, DESTROY, a->why != NULL ? a->why->code : 0);
}

static void queued_end_in_destroy(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *d = cast(w, 'D', "d");
    d->on[WRITE] = hang;
    d->on[DESTROY] = end_in_destroy;
    go(r);
    go(d);
    pipeline(w, 2, r, d);
    push(r, "foo");
    later(r, destroy_plainly);
    turn(w);
    CHECK(w, w->answers == 1 && w->answer.code == ERR_STREAM_PREMATURE_CLOSE);
    expect(d, "write(foo) destroy(PREMATURE_CLOSE) ended(DESTROYED) error(PREMATURE_CLOSE) close");
}

const struct behaviour flow_behaviours[] = {
    {50, "duplex-end", duplex_end},
    {51, "duplex-destroy", duplex_destroy},
    {52, "transform consumption", transform_consumption},
    {53, "transform compress/expand", transform_sizes},
    {54, "transform-destroy", transform_destroy},
    {55, "duplex-readable-end", duplex_readable_end},
    {56, "pipe-needDrain", pipe_need_drain},
    {57, "pipe-manual-resume", pipe_manual_resume},
    {58, "pipe-cleanup-pause", pipe_cleanup_pause},
    {59, "pipeline", pipelines},
    {59, "pipeline (c)", pipelines_of_eight},
    {60, "queued-end-in-destroy", queued_end_in_destroy},
    {0, NULL, NULL},
};
