/* extra: what the sixty behaviours do not show: the low mark, unhandled errors, listeners,
 * finished, bounds, freeing. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "world.h"

static struct world *w;
static int finished_calls, finished_code;
static char called[16];

static void set_up(void)
{
    w = world_new();
    w->strict = true;
    finished_calls = 0;
    called[0] = 0;
}

static void tear_down(void)
{
    world_end(w);
}

static void hang(struct actor *a)
{
    (void)a;
}

START_TEST(low_mark)
{
    struct actor *x = cast(w, 'W', "w");
    x->o.write_mark = 10;
    x->o.low_mark = 4;
    x->on[WRITE] = hang;
    go(x);
    for (int i = 0; i < 5; i++)
        put_len(x, 2);
    for (int i = 0; i < 3; i++) {
        turn(w);
        ck_assert_uint_eq(x->count[DRAIN], 0);
        done(x, WRITE, 0);
    }
    turn(w); /* 4 of 10 are left */
    ck_assert_uint_eq(stream_writable_length(x->s), 4);
    ck_assert_uint_eq(x->count[DRAIN], 1);
    done(x, WRITE, 0);
    turn(w);
    done(x, WRITE, 0);
    turn(w);
    ck_assert_uint_eq(x->count[DRAIN], 1);
    struct actor *bad = cast(w, 'W', "bad");
    bad->o.write_mark = 10;
    bad->o.low_mark = 11;
    ck_assert(!go(bad));
    ck_assert_ptr_nonnull(strstr(w->error.text, "low_mark"));
}
END_TEST

static int unhandled_code;

static void on_unhandled(void *arg, struct stream *s, const struct err *e)
{
    ck_assert_ptr_eq(stream_self(s), arg);
    unhandled_code = e->code;
}

START_TEST(unhandled_hook)
{
    struct actor *x = cast(w, 'W', "w");
    x->o.unhandled = on_unhandled;
    x->o.unhandled_arg = x;
    go(x);
    deaf(x, STREAM_ERROR);
    destroy(x, E1);
    turn(w);
    ck_assert_int_eq(unhandled_code, E1);
    ck_assert_uint_eq(x->count[CLOSE], 1);
}
END_TEST

START_TEST(unhandled_aborts)
{
    struct actor *x = cast(w, 'W', "w");
    go(x);
    deaf(x, STREAM_ERROR);
    destroy(x, E1);
    turn(w);
}
END_TEST

static struct listener first, second, third;

static void on_third(void *arg, struct stream_news *n)
{
    (void)arg;
    (void)n;
    strcat(called, "3");
}

static void on_second(void *arg, struct stream_news *n)
{
    (void)arg;
    strcat(called, "2");
    if (third.stream == NULL)
        stream_on(n->stream, STREAM_CLOSE, &third, on_third, NULL);
}

static void on_first(void *arg, struct stream_news *n)
{
    (void)n;
    strcat(called, "1");
    stream_off(&first);
    stream_off(arg);
}

/* Listeners that remove themselves and others, and add some, while they are called. */
START_TEST(listeners)
{
    struct actor *x = cast(w, 'W', "w");
    struct listener victim = {0};
    go(x);
    stream_on(x->s, STREAM_CLOSE, &first, on_first, &victim);
    stream_on(x->s, STREAM_CLOSE, &victim, on_third, NULL);
    stream_on(x->s, STREAM_CLOSE, &second, on_second, NULL);
    destroy(x, 0);
    turn(w);
    ck_assert_str_eq(called, "12");
    stream_free(&x->s);
    ck_assert_ptr_null(third.stream);
    stream_off(&third); /* of a stream that is gone */
}
END_TEST

static struct listener taker;

static void on_taken(void *arg, struct stream_news *n)
{
    struct chunk *c = stream_take(n);
    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_null(stream_take(n));
    ++*(int *)arg;
    chunk_free(&c);
}

START_TEST(data_is_taken_once)
{
    struct actor *r = cast(w, 'R', "r");
    int taken = 0;
    go(r);
    stream_on(r->s, STREAM_DATA, &taker, on_taken, &taken);
    hear(r, STREAM_DATA); /* sees nothing in it */
    push(r, "a");
    turn(w);
    ck_assert_int_eq(taken, 1);
    expect(r, "resume read data");
    stream_off(&taker);
}
END_TEST

static void on_finished(void *arg, struct stream *s, const struct err *e)
{
    (void)arg;
    (void)s;
    finished_calls++;
    finished_code = e != NULL ? e->code : 0;
}

static void finish_case(int how, int expected)
{
    struct actor *r = cast(w, 'R', "r");
    struct finished f = {0};
    go(r);
    finished_calls = 0;
    stream_finished(r->s, &f, on_finished, NULL);
    if (how == 0) {
        push_end(r);
        resume(r);
    } else {
        destroy(r, how > 1 ? how : 0);
    }
    ck_assert_int_eq(finished_calls, 0);
    turn(w);
    ck_assert_int_eq(finished_calls, 1);
    ck_assert_int_eq(finished_code, expected);
    stream_finished(r->s, &f, on_finished, NULL); /* closed already: on the tick */
    ck_assert_int_eq(finished_calls, 1);
    turn(w);
    ck_assert_int_eq(finished_calls, 2);
    ck_assert_int_eq(finished_code, expected);
}

START_TEST(finished)
{
    finish_case(0, 0);
    finish_case(1, ERR_STREAM_PREMATURE_CLOSE);
    finish_case(E1, E1);
}
END_TEST

START_TEST(finished_cancel)
{
    struct actor *r = cast(w, 'R', "r");
    struct finished f = {0};
    go(r);
    stream_finished(r->s, &f, on_finished, NULL);
    stream_finished_cancel(&f);
    destroy(r, 0);
    turn(w);
    stream_finished(r->s, &f, on_finished, NULL);
    stream_finished_cancel(&f);
    stream_finished_cancel(&f);
    turn(w);
    ck_assert_int_eq(finished_calls, 0);
}
END_TEST

START_TEST(pipe_twice)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    struct err e = {0};
    go(r);
    go(x);
    pipe_(r, x);
    ck_assert_int_eq(stream_pipe(r->s, x->s, 0, &e), -1);
    ck_assert_int_eq(e.code, ERR_STREAM_PIPED);
    struct stream *backwards[] = {x->s, r->s};
    ck_assert_int_eq(stream_pipeline(backwards, 2, NULL, NULL, NULL), -1);
    ck_assert_int_eq(stream_pipeline(backwards, 1, NULL, NULL, NULL), -1);
}
END_TEST

/* A sink that ends itself early: the source is not left hanging. */
static void end_self(struct actor *a)
{
    end(a);
    done(a, WRITE, 0);
}

START_TEST(pipeline_sink_stops)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    x->on[WRITE] = end_self;
    go(r);
    go(x);
    pipeline(w, 2, r, x);
    push(r, "a");
    turn(w);
    ck_assert_int_eq(w->answers, 1);
    ck_assert_int_eq(w->answer.code, ERR_STREAM_PREMATURE_CLOSE);
    expect(x, "write(a) final ended finish destroy close");
}
END_TEST

/* Nothing to be had, said inside the read hook: asked again at the next occasion, not at once. */
static void read_nothing(struct actor *a)
{
    push_none(a);
}

START_TEST(push_none_does_not_spin)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_nothing;
    go(r);
    resume(r);
    turn(w);
    ck_assert_uint_eq(r->count[READ], 1);
    push(r, "a");
    turn(w);
    ck_assert_uint_le(r->count[READ], 3); /* for the push, and for the data taken */
}
END_TEST

/* A writev takes what is queued, but no more completions than are kept. */
START_TEST(writev_bound)
{
    struct actor *x = cast(w, 'W', "w");
    x->writev = true;
    go(x);
    cork(x);
    for (int i = 0; i < STREAM_WRITEV_DONE + 2; i++)
        put(x, "x");
    uncork(x);
    turn(w);
    ck_assert_uint_eq(x->count[WRITEV], 2);
    ck_assert_uint_eq(x->count[WROTE], STREAM_WRITEV_DONE + 2);
}
END_TEST

/* A chunk goes through a pipeline without an allocation. */
START_TEST(chunk_allocates_nothing)
{
    struct actor *r = cast(w, 'R', "r"), *t = cast(w, 'T', "t"), *x = cast(w, 'W', "w");
    struct chunk *chunks[32];
    go(r);
    go(t);
    go(x);
    pipeline(w, 3, r, t, x);
    for (int i = 0; i < 32; i++)
        chunks[i] = &bytes_new("x", 1)->chunk;
    mem_fail_at(1);
    for (int i = 0; i < 32; i++) {
        stream_push(r->s, chunks[i]);
        tick(w);
    }
    ck_assert(!mem_failed());
    mem_fail_at(0);
    ck_assert_uint_eq(x->count[WRITE], 32);
}
END_TEST

static void on_data_once(void *arg, struct stream_news *n)
{
    (void)arg;
    struct stream *s = n->stream;
    stream_free(&s);
}

/* Freed with everything under way: a pipe on both sides, a write in flight, listeners of its own.
 */
START_TEST(free_in_the_middle)
{
    struct actor *r = cast(w, 'R', "r"), *t = cast(w, 'T', "t"), *x = cast(w, 'W', "w");
    struct listener l = {0};
    go(r);
    go(t);
    go(x);
    pipe_(r, t);
    pipe_(t, x);
    stream_on(t->s, STREAM_DATA, &l, on_data_once, NULL);
    push(r, "a");
    push(r, "b");
    turn(w);
    ck_assert_ptr_null(t->s);
    ck_assert_ptr_null(stream_piped_to(r->s));
    ck_assert_int_eq(stream_flowing(r->s), STREAM_PAUSED);
    expect(x, "write(a)");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream extra");
    TCase *tc = tcase_create("extra");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, low_mark);
    tcase_add_test(tc, unhandled_hook);
    if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0)
        tcase_add_test_raise_signal(tc, unhandled_aborts, SIGABRT);
    tcase_add_test(tc, listeners);
    tcase_add_test(tc, data_is_taken_once);
    tcase_add_test(tc, finished);
    tcase_add_test(tc, finished_cancel);
    tcase_add_test(tc, pipe_twice);
    tcase_add_test(tc, pipeline_sink_stops);
    tcase_add_test(tc, push_none_does_not_spin);
    tcase_add_test(tc, writev_bound);
    tcase_add_test(tc, chunk_allocates_nothing);
    tcase_add_test(tc, free_in_the_middle);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
