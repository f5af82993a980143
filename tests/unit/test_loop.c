/* The loop: which step runs when. */
#include "rig.h"

#include <ev.h>

struct probe {
    struct step step;
    char name;
    struct loop *loop;
    struct probe *defer, *next, *cancel; /* what it does when it runs */
    int times;                           /* how often it defers again */
};

static char trace[4096];
static size_t traced;
static bool inside;

static void run(struct step *s)
{
    struct probe *p = LIST_ENTRY(s, struct probe, step);
    ck_assert(!inside);
    inside = true;
    trace[traced++] = p->name;
    trace[traced] = '\0';
    if (p->defer != NULL && p->times-- > 0)
        loop_defer(p->loop, &p->defer->step);
    if (p->next != NULL && p->times-- > 0)
        loop_next(p->loop, &p->next->step);
    if (p->cancel != NULL)
        loop_cancel(p->loop, &p->cancel->step);
    inside = false;
}

static struct loop *loop;

static struct probe probe(char name, unsigned rank)
{
    struct probe p = {.name = name, .loop = loop};
    step_init(&p.step, run, rank);
    return p;
}

/* A step is in a list by its address: initialise it where it stays. */
#define PROBE(var, letter, rank)                                                                   \
    struct probe var = probe(letter, rank);                                                        \
    step_init(&var.step, run, rank)

static void setup(void)
{
    struct err e = {0};
    loop = loop_new(&e);
    ck_assert_ptr_nonnull(loop);
    traced = 0;
    trace[0] = '\0';
    inside = false;
}

static void teardown(void)
{
    loop_free(&loop);
    ck_assert_ptr_null(loop);
    ck_assert_uint_eq(mem_live(), 0);
}

START_TEST(higher_ranks_first_and_in_order_within_one)
{
    PROBE(a, 'a', 0);
    PROBE(b, 'b', 255);
    PROBE(c, 'c', 64);
    PROBE(d, 'd', 63);
    PROBE(e, 'e', 64);
    PROBE(f, 'f', 10000); /* as 255 */
    loop_defer(loop, &a.step);
    loop_defer(loop, &b.step);
    loop_defer(loop, &c.step);
    loop_defer(loop, &d.step);
    loop_defer(loop, &e.step);
    loop_defer(loop, &f.step);
    loop_defer(loop, &a.step); /* stays where it is */
    loop_tick(loop);
    ck_assert_str_eq(trace, "bfceda");
}
END_TEST

START_TEST(a_deferred_step_runs_in_the_same_tick)
{
    PROBE(a, 'a', 0);
    PROBE(b, 'b', 1);
    PROBE(c, 'c', 0);
    a.defer = &b; /* of higher rank: before c */
    a.times = 1;
    loop_defer(loop, &a.step);
    loop_defer(loop, &c.step);
    loop_tick(loop);
    ck_assert_str_eq(trace, "abc");
    a.defer = &a; /* itself */
    a.times = 3;
    loop_defer(loop, &a.step);
    loop_tick(loop);
    ck_assert_str_eq(trace, "abcaaaa");
}
END_TEST

START_TEST(next_turn_lets_others_in)
{
    PROBE(a, 'a', 0);
    PROBE(b, 'b', 0);
    a.next = &a;
    a.times = 2;
    loop_defer(loop, &a.step);
    loop_defer(loop, &b.step);
    loop_tick(loop);
    ck_assert_str_eq(trace, "ab");
    ck_assert(a.step.pending);
    ck_assert(loop_turn(loop)); /* a again, and it asks once more */
    ck_assert_str_eq(trace, "aba");
    ck_assert(!loop_turn(loop));
    ck_assert_str_eq(trace, "abaa");
    loop_next(loop, &b.step);
    loop_defer(loop, &b.step); /* stays for the next turn */
    loop_tick(loop);
    ck_assert_str_eq(trace, "abaa");
    loop_run(loop); /* nothing else keeps it: runs the step and returns */
    ck_assert_str_eq(trace, "abaab");
}
END_TEST

START_TEST(a_cancelled_step_does_not_run)
{
    PROBE(a, 'a', 1);
    PROBE(b, 'b', 0);
    PROBE(c, 'c', 0);
    a.cancel = &b;
    loop_defer(loop, &b.step);
    loop_defer(loop, &c.step);
    loop_defer(loop, &a.step);
    loop_tick(loop);
    ck_assert_str_eq(trace, "ac");
    loop_next(loop, &b.step);
    loop_cancel(loop, &b.step);
    loop_cancel(loop, &b.step);
    ck_assert(!loop_turn(loop));
    ck_assert_str_eq(trace, "ac");
    loop_defer(loop, &b.step); /* usable again */
    loop_tick(loop);
    ck_assert_str_eq(trace, "acb");
}
END_TEST

static struct ev_timer timer;
static int rings;

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    rings++;
    ev_timer_stop(ev, w);
    loop_stop(w->data);
}

START_TEST(a_step_that_never_ends_lets_timers_in_and_stop_works)
{
    PROBE(a, 'a', 0);
    a.next = &a;
    a.times = 1 << 30;
    rings = 0;
    ev_timer_init(&timer, on_timer, 0.0005, 0.);
    timer.data = loop;
    ev_timer_start(loop_ev(loop), &timer);
    /* The trace is short: run once, then do not record. */
    loop_next(loop, &a.step);
    double end = loop_now() + 5;
    while (rings == 0 && loop_now() < end) {
        traced = 0;
        loop_turn(loop);
    }
    ck_assert_int_eq(rings, 1);
    loop_cancel(loop, &a.step);
}
END_TEST

static void stopping(struct step *s)
{
    struct probe *p = LIST_ENTRY(s, struct probe, step);
    trace[traced++] = p->name;
    trace[traced] = '\0';
    loop_stop(p->loop);
}

START_TEST(stop_in_a_step_ends_run)
{
    PROBE(a, 'a', 0);
    PROBE(b, 'b', 0);
    ev_timer_init(&timer, on_timer, 30., 0.); /* would keep it for long */
    timer.data = loop;
    ev_timer_start(loop_ev(loop), &timer);
    a.step.run = stopping;
    loop_defer(loop, &a.step);
    loop_next(loop, &b.step);
    double before = loop_now();
    loop_run(loop);
    ck_assert(loop_now() - before < 5);
    ck_assert_str_eq(trace, "a");
    loop_cancel(loop, &b.step);
    ev_timer_stop(loop_ev(loop), &timer);
}
END_TEST

START_TEST(a_blocked_poll_does_not_spin)
{
    ev_timer_init(&timer, on_timer, 0.3, 0.);
    timer.data = loop;
    rings = 0;
    ev_timer_start(loop_ev(loop), &timer);
    PROBE(a, 'a', 0);
    loop_next(loop, &a.step);
    double before = rig_cpu();
    loop_run(loop);
    ck_assert_int_eq(rings, 1);
    ck_assert(rig_cpu() - before < 0.1);
}
END_TEST

START_TEST(shuffling_keeps_every_step_and_is_repeatable)
{
    char first[64], second[64];
    bool moved = false;
    struct probe probes[20];
    for (int seed = 1; seed < 6; seed++) {
        for (int again = 0; again < 2; again++) {
            traced = 0;
            loop_shuffle(loop, (uint64_t)seed * 7919);
            for (int i = 0; i < 20; i++) {
                probes[i] = probe((char)('a' + i), (unsigned)i * 10);
                step_init(&probes[i].step, run, (unsigned)i * 10);
                loop_defer(loop, &probes[i].step);
            }
            loop_tick(loop);
            ck_assert_uint_eq(traced, 20);
            memcpy(again ? second : first, trace, 21);
        }
        ck_assert_str_eq(first, second);
        moved |= strcmp(first, "tsrqponmlkjihgfedcba") != 0;
        for (int i = 0; i < 20; i++)
            ck_assert_ptr_nonnull(strchr(first, 'a' + i));
    }
    ck_assert(moved);
    loop_shuffle(loop, 0);
}
END_TEST

START_TEST(creation_without_memory)
{
    struct err e = {0};
    mem_fail_at(1);
    struct loop *none = loop_new(&e);
    ck_assert(mem_failed());
    mem_fail_at(0);
    ck_assert_ptr_null(none);
    ck_assert(err_is(&e));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *t = tcase_create("steps");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, higher_ranks_first_and_in_order_within_one);
    tcase_add_test(t, a_deferred_step_runs_in_the_same_tick);
    tcase_add_test(t, next_turn_lets_others_in);
    tcase_add_test(t, a_cancelled_step_does_not_run);
    tcase_add_test(t, a_step_that_never_ends_lets_timers_in_and_stop_works);
    tcase_add_test(t, stop_in_a_step_ends_run);
    tcase_add_test(t, a_blocked_poll_does_not_spin);
    tcase_add_test(t, shuffling_keeps_every_step_and_is_repeatable);
    tcase_add_test(t, creation_without_memory);
    suite_add_tcase(s, t);
    return rig_main(s);
}
