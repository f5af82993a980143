/* 21 to 28: destroy. */
#include "behaviours.h"

static void swallow(struct actor *a)
{
    done(a, DESTROY, 0);
}

static void fail_destroy(struct actor *a)
{
    done(a, DESTROY, E1);
}

static void fail_destroy_later(struct actor *a)
{
    later(a, fail_destroy);
}

/* One of each type, destroyed with ${code}; ${hook} and what is to be seen. */
static void each_type(struct world *w, int code, void (*hook)(struct actor *a), const char *trace)
{
    static const char types[] = "RWDT";
    for (int i = 0; i < 4; i++) {
        struct actor *a = cast(w, types[i], "a");
        a->on[DESTROY] = hook;
        go(a);
        if (types[i] != 'W')
            resume(a);
        destroy(a, code);
        CHECK(w, stream_is_destroyed(a->s));
        expect(a, "");
        turn(w);
        expect(a, trace);
    }
}

static void plain(struct world *w)
{
    each_type(w, 0, NULL, "destroy close");
}

static void with_error(struct world *w)
{
    each_type(w, E1, NULL, "destroy(E1) error(E1) close");
}

static void swallowed(struct world *w)
{
    each_type(w, E1, swallow, "destroy(E1) close");
}

static void hook_error(struct world *w)
{
    each_type(w, 0, fail_destroy, "destroy error(E1) close");
}

static void twice(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[DESTROY] = fail_destroy_later;
    go(r);
    destroy(r, 0);
    tick(w);
    destroy(r, E2);
    turn(w);
    destroy(r, E2);
    turn(w);
    expect(r, "destroy error(E1) close");
}

static void push_in_vain(struct actor *a)
{
    bool more = push(a, "x");
    CHECK(a->world, !more);
}

static void push_in_handlers(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[ERROR] = r->on[CLOSE] = push_in_vain;
    go(r);
    hear(r, STREAM_DATA);
    destroy(r, E1);
    turn(w);
    expect(r, "destroy(E1) error(E1) close");
}

static void destroy_it(struct actor *a)
{
    destroy(a, E1);
}

static void data_queued(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *late = cast(w, 'R', "late");
    go(r);
    hear(r, STREAM_DATA);
    push(r, "a");
    push(r, "b");
    push_end(r);
    destroy(r, E1);
    late->on[DATA] = destroy_it;
    go(late);
    hear(late, STREAM_DATA);
    push(late, "a");
    push(late, "b");
    push_end(late);
    turn(w);
    expect(r, "destroy(E1) error(E1) close");
    expect(late, "resume data(a) destroy(E1) error(E1) close");
}

static void auto_destroy(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w"), *t = cast(w, 'T', "t"),
                 *off = cast(w, 'R', "off");
    go(r);
    push_end(r);
    resume(r);
    go(x);
    end(x);
    go(t);
    end(t);
    resume(t);
    off->o.auto_destroy = false;
    go(off);
    push_end(off);
    resume(off);
    turn(w);
    expect(r, "resume end destroy close");
    expect(x, "final ended finish destroy close");
    expect(t, "flush ended finish resume end destroy close");
    expect(off, "resume end");
}

const struct behaviour destroy_behaviours[] = {
    {21, "destroy plain", plain},
    {22, "destroy with error", with_error},
    {23, "destroy swallowed", swallowed},
    {24, "destroy hook error", hook_error},
    {25, "destroy twice", twice},
    {26, "push in error and close handlers", push_in_handlers},
    {27, "error with data queued", data_queued},
    {28, "auto-destroy", auto_destroy},
    {0, NULL, NULL},
};
