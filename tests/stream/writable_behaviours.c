/* 29 to 49: Writable. */
#include "behaviours.h"

static void wrote(struct actor *a)
{
    done(a, WRITE, 0);
}

static void write_later(struct actor *a)
{
    later(a, wrote);
}

static void fail_write(struct actor *a)
{
    done(a, WRITE, E1);
}

static void fail_write_later(struct actor *a)
{
    later(a, fail_write);
}

static void hang(struct actor *a)
{
    (void)a;
}

/* ---- 29, 30 */
static void in_order(struct actor *a)
{
    CHECK(a->world, a->len == (size_t)a->store[0]);
    a->store[0]++;
    later(a, wrote);
}

static void fast(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->o.write_mark = 100;
    x->on[WRITE] = in_order;
    go(x);
    for (size_t i = 0; i < 50; i++)
        put_len(x, i);
    end(x);
    turn(w);
    CHECK(w, x->count[WRITE] == 50 && x->count[WROTE] == 50 && x->count[FINISH] == 1);
}

static void write_until_full(struct actor *a)
{
    if (a->n == 50)
        return;
    bool more = true;
    while (more && a->n < 50 && a->s != NULL && !stream_is_destroyed(a->s))
        more = put_len(a, (size_t)a->n++);
    if (a->n == 50)
        end(a);
    else
        CHECK(a->world, stream_writable_length(a->s) >= 50);
}

static void backpressure(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->o.write_mark = 50;
    x->on[WRITE] = in_order;
    x->on[DRAIN] = write_until_full;
    go(x);
    write_until_full(x);
    turn(w);
    CHECK(w, x->count[WRITE] == 50 && x->count[DRAIN] == 17 && x->count[FINISH] == 1);
}

/* ---- 31 */
static void write_drain(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->o.write_mark = 1;
    go(x);
    bool more = put(x, "a");
    CHECK(w, !more);
    end(x);
    turn(w);
    expect(x, "write(a) wrote final ended finish destroy close");
}

/* ---- 32 */
static void needs_drain(struct actor *a)
{
    CHECK(a->world, stream_needs_drain(a->s));
    done(a, TRANSFORM, 0);
}

static void needs_no_drain(struct actor *a)
{
    CHECK(a->world, !stream_needs_drain(a->s));
}

static void needdrain_state(struct world *w)
{
    struct actor *t = cast(w, 'T', "t");
    t->o.write_mark = 1;
    t->on[TRANSFORM] = needs_drain;
    t->on[WROTE] = needs_no_drain;
    go(t);
    CHECK(w, !stream_needs_drain(t->s));
    put(t, "asdasd");
    CHECK(w, stream_needs_drain(t->s));
    turn(w);
    expect(t, "transform(asdasd) drain wrote");
}

/* ---- 33 */
static void write_cb_error(struct world *w)
{
    struct actor *sync = cast(w, 'W', "sync"), *async = cast(w, 'W', "async"),
                 *spin = cast(w, 'W', "spin");
    sync->on[WRITE] = fail_write;
    go(sync);
    put(sync, "a");
    async->on[WRITE] = fail_write_later;
    go(async);
    put(async, "a");
    turn(w);
    expect(sync, "write(a) wrote(E1) destroy(E1) error(E1) close");
    expect(async, "write(a) wrote(E1) destroy(E1) error(E1) close");
    spin->on[WRITE] = fail_write;
    spin->o.write_mark = 3;
    go(spin);
    while (put(spin, "a"))
        continue;
    turn(w);
    bool more = put(spin, "a");
    CHECK(w, !more && spin->count[WRITE] == 1 && spin->count[ERROR] == 1);
}

/* ---- 34 */
static void wrote_twice(struct actor *a)
{
    wrote(a);
    wrote(a);
}

static void wrote_now_and_later(struct actor *a)
{
    wrote(a);
    later(a, wrote);
}

static void wrote_twice_later(struct actor *a)
{
    later(a, wrote_twice);
}

static void write_cb_twice(struct world *w)
{
    void (*const ways[])(struct actor *) = {wrote_twice, wrote_now_and_later, wrote_twice_later};
    for (int i = 0; i < 3; i++) {
        struct actor *x = cast(w, 'W', "w");
        x->on[WRITE] = ways[i];
        go(x);
        put(x, "a");
        turn(w);
        expect(x, "write(a) wrote destroy(DONE_TWICE) error(DONE_TWICE) close");
    }
}

/* ---- 35, 36 */
static void write_after_end(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    go(x);
    end(x);
    bool more = put(x, "a");
    CHECK(w, !more && x->count[WROTE] == 0);
    turn(w);
    expect(x, "ended(WRITE_AFTER_END) wrote(WRITE_AFTER_END) destroy(WRITE_AFTER_END) "
              "error(WRITE_AFTER_END) close");
}

static void write_after_destroy(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    go(x);
    destroy(x, 0);
    bool more = put(x, "a");
    CHECK(w, !more && x->count[WROTE] == 0);
    turn(w);
    put(x, "b");
    turn(w);
    expect(x, "wrote(DESTROYED) destroy close wrote(DESTROYED)");
}

/* ---- 37 */
static void write_destroy(struct world *w)
{
    for (int late = 0; late < 2; late++) { /* the one in flight completes in time, or never */
        struct actor *x = cast(w, 'W', "w");
        x->o.write_mark = 1;
        x->on[WRITE] = hang;
        go(x);
        put(x, "a");
        tick(w);
        wrote(x);
        tick(w);
        put(x, "b");
        tick(w);
        put(x, "c");
        destroy(x, 0);
        if (late == 0)
            wrote(x);
        turn(w);
        expect(
            x,
            late == 0
                ? "write(a) drain wrote write(b) wrote wrote(DESTROYED) destroy close"
                : "write(a) drain wrote write(b) destroy wrote(DESTROYED) wrote(DESTROYED) close");
    }
}

/* ---- 38 */
static void double_error(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[WRITE] = hang;
    go(x);
    put(x, "a");
    tick(w);
    destroy(x, E1);
    destroy(x, E2);
    done(x, WRITE, E2);
    turn(w);
    expect(x, "write(a) wrote(E2) destroy(E1) error(E1) close");
}

/* ---- 39 */
static void end_late(struct actor *a)
{
    end(a);
}

static void end_after_error(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[ERROR] = end_late;
    go(x);
    destroy(x, E1);
    turn(w);
    expect(x, "destroy(E1) error(E1) ended(DESTROYED) close");
}

/* ---- 40 */
static void end_multiple(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[FINISH] = end_late;
    go(x);
    put(x, "a");
    end(x);
    end(x);
    turn(w);
    expect(x, "write(a) wrote final ended ended finish ended(FINISHED) destroy close");
}

/* ---- 41 */
static void end_cb_error(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[WRITE] = fail_write_later;
    go(x);
    put(x, "a");
    end(x);
    end(x);
    turn(w);
    expect(x, "write(a) wrote(E1) ended(E1) ended(E1) destroy(E1) error(E1) close");
}

/* ---- 42 to 44 */
static void finalled(struct actor *a)
{
    a->n = 1;
    done(a, FINAL, 0);
}

static void wait_more(struct actor *a)
{
    later(a, finalled);
}

static void final_later(struct actor *a)
{
    later(a, wait_more);
}

static void after_final(struct actor *a)
{
    CHECK(a->world, a->n == 1);
}

static void write_final(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[WRITE] = write_later;
    x->on[FINAL] = final_later;
    x->on[FINISH] = after_final;
    go(x);
    put(x, "a");
    end(x);
    turn(w);
    expect(x, "write(a) wrote final ended finish destroy close");
}

static void fail_final(struct actor *a)
{
    done(a, FINAL, E1);
}

static void final_error(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[FINAL] = fail_final;
    go(x);
    end(x);
    turn(w);
    expect(x, "final ended(E1) destroy(E1) error(E1) close");
}

static void final_destroy(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->on[FINAL] = final_later;
    go(x);
    end(x);
    tick(w);
    destroy(x, 0);
    turn(w);
    expect(x, "final ended(DESTROYED) destroy close");
}

/* ---- 45 to 47 */
static void uncorked_count(struct world *w)
{
    struct actor *x = cast(w, 'W', "w"), *ended = cast(w, 'W', "ended");
    x->writev = true;
    go(x);
    cork(x);
    cork(x);
    put(x, "a");
    put(x, "b");
    uncork(x);
    turn(w);
    CHECK(w, stream_corked(x->s) == 1 && stream_writable_queued(x->s) == 2);
    expect(x, "");
    uncork(x);
    turn(w);
    CHECK(w, stream_corked(x->s) == 0 && stream_writable_queued(x->s) == 0);
    expect(x, "writev(a,b) wrote wrote");
    go(ended);
    cork(ended);
    put(ended, "a");
    end(ended);
    CHECK(w, stream_corked(ended->s) == 0);
    turn(w);
    expect(ended, "write(a) wrote final ended finish destroy close");
}

static void writev(struct world *w)
{
    struct actor *x = cast(w, 'W', "w");
    x->writev = true;
    x->on[WRITEV] = write_later;
    go(x);
    cork(x);
    put(x, "a");
    put(x, "b");
    put(x, "");
    put(x, "c");
    uncork(x);
    end(x);
    turn(w);
    expect(x, "writev(a,b,,c) wrote wrote wrote wrote final ended finish destroy close");
}

static void put_one_a_turn(struct actor *a)
{
    CHECK(a->world, a->count[WRITE] + a->count[WRITEV] == 0);
    if (a->n++ == 4) {
        end(a);
        return;
    }
    put(a, "x");
    later(a, put_one_a_turn);
}

static void cork_end(struct world *w)
{
    struct actor *x = cast(w, 'W', "w"), *v = cast(w, 'W', "v");
    go(x);
    cork(x);
    put_one_a_turn(x);
    v->writev = true;
    go(v);
    cork(v);
    put_one_a_turn(v);
    turn(w);
    CHECK(w, x->count[WRITE] == 4 && x->count[FINISH] == 1);
    expect(v, "writev(x,x,x,x) wrote wrote wrote wrote final ended finish destroy close");
}

/* ---- 48 */
static void writev_finish(struct world *w)
{
    struct actor *x = cast(w, 'W', "w"), *v = cast(w, 'W', "v"), *r = cast(w, 'R', "r"),
                 *p = cast(w, 'W', "p");
    x->on[WRITE] = fail_write;
    go(x);
    put(x, "a");
    end(x);
    v->writev = true;
    v->on[WRITEV] = fail_write_later;
    go(v);
    put(v, "a");
    put(v, "b");
    end(v);
    p->on[WRITE] = fail_write;
    go(r);
    go(p);
    push(r, "a");
    push(r, "b");
    push_end(r);
    pipe_(r, p);
    turn(w);
    expect(x, "write(a) wrote(E1) ended(E1) destroy(E1) error(E1) close");
    expect(v, "writev(a,b) wrote(E1) wrote(E1) ended(E1) destroy(E1) error(E1) close");
    expect(p, "write(a) destroy(E1) error(E1) close");
    CHECK(w, r->count[ERROR] == 0);
}

/* ---- 49 */
static void constructed(struct actor *a)
{
    done(a, CONSTRUCT, a->n);
}

static void construct_later(struct actor *a)
{
    later(a, constructed);
}

static void construct(struct world *w)
{
    struct actor *x = cast(w, 'W', "w"), *early = cast(w, 'W', "early"), *bad = cast(w, 'W', "bad"),
                 *r = cast(w, 'R', "r");
    x->construct = early->construct = bad->construct = r->construct = true;
    x->on[CONSTRUCT] = early->on[CONSTRUCT] = bad->on[CONSTRUCT] = construct_later;
    go(x);
    put(x, "a");
    end(x);
    go(early);
    put(early, "a");
    destroy(early, 0);
    bad->n = E1;
    go(bad);
    put(bad, "a");
    go(r);
    resume(r);
    turn(w);
    expect(x, "construct write(a) wrote final ended finish destroy close");
    expect(early, "construct wrote(DESTROYED) destroy close");
    expect(bad, "construct wrote(E1) destroy(E1) error(E1) close");
    expect(r, "construct resume read");
}

const struct behaviour writable_behaviours[] = {
    {29, "writable fast", fast},
    {30, "writable backpressure", backpressure},
    {31, "write-drain", write_drain},
    {32, "needdrain-state", needdrain_state},
    {33, "write-cb-error", write_cb_error},
    {34, "write-cb-twice", write_cb_twice},
    {35, "write after end", write_after_end},
    {36, "write after destroy", write_after_destroy},
    {37, "write-destroy", write_destroy},
    {38, "double error", double_error},
    {39, "end callback after error", end_after_error},
    {40, "end-multiple", end_multiple},
    {41, "end-cb-error", end_cb_error},
    {42, "write-final", write_final},
    {43, "final error", final_error},
    {44, "final-destroy", final_destroy},
    {45, "uncorked count", uncorked_count},
    {46, "writev", writev},
    {47, "cork-end", cork_end},
    {48, "writev-finish", writev_finish},
    {49, "construct", construct},
    {0, NULL, NULL},
};
