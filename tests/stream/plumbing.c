/* plumbing: what is built of streams beyond pipes: tee, and streams over descriptors. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "stream/fd.h"
#include "world.h"

static struct world *w;
static int finished_calls, finished_code;

static void set_up(void)
{
    w = world_new();
    w->strict = true;
    finished_calls = 0;
}

static void tear_down(void)
{
    world_end(w);
}

static void hang(struct actor *a)
{
    (void)a;
}

/* ---- tee ---- */

struct tee_case {
    struct stream *input, *branch[2];
    struct actor *sink[2];
    struct listener error;
};

static void on_tee_error(void *arg, struct stream_news *n)
{
    (void)n;
    ++*(int *)arg;
}

static int tee_errors;

static bool open_tee(struct tee_case *t)
{
    struct stream_opts o = stream_defaults(w->loop);
    o.name = "tee";
    o.read_mark = o.write_mark = 2;
    if (stream_tee(&o, 2, &t->input, t->branch, NULL) != 0)
        return false;
    stream_on(t->input, STREAM_ERROR, &t->error, on_tee_error, &tee_errors);
    for (int i = 0; i < 2; i++) {
        t->sink[i] = cast(w, 'W', i == 0 ? "fast" : "slow");
        t->sink[i]->o.write_mark = 1;
        if (i == 1)
            t->sink[i]->on[WRITE] = hang;
        go(t->sink[i]);
        if (t->sink[i]->s != NULL)
            stream_pipe(t->branch[i], t->sink[i]->s, 0, NULL);
    }
    return true;
}

static bool feed(struct stream *s, const char *text)
{
    struct bytes *b = bytes_new(text, strlen(text));
    return b != NULL && stream_write(s, &b->chunk, NULL, NULL);
}

static void close_tee(struct tee_case *t)
{
    stream_free(&t->branch[1]);
    stream_free(&t->input);
    stream_free(&t->branch[0]);
    turn(w);
}

START_TEST(tee_is_as_fast_as_the_slowest)
{
    struct tee_case t = {0};
    ck_assert(open_tee(&t));
    for (int i = 0; i < 6; i++)
        feed(t.input, "x");
    stream_end(t.input, NULL);
    turn(w); /* slow has one in flight, two wait in its branch: the third is not through */
    ck_assert_uint_eq(t.sink[0]->count[WRITE], 3);
    ck_assert_uint_eq(t.sink[1]->count[WRITE], 1);
    for (unsigned i = 2; i <= 6; i++) {
        done(t.sink[1], WRITE, 0);
        turn(w);
        ck_assert_uint_eq(t.sink[1]->count[WRITE], i);
    }
    done(t.sink[1], WRITE, 0);
    turn(w);
    ck_assert_uint_eq(t.sink[0]->count[WRITE], 6);
    ck_assert_uint_eq(t.sink[0]->count[FINISH], 1);
    ck_assert_uint_eq(t.sink[1]->count[FINISH], 1);
    ck_assert(stream_is_closed(t.input) && stream_is_closed(t.branch[0]) &&
              stream_is_closed(t.branch[1]));
    close_tee(&t);
}
END_TEST

START_TEST(tee_fails_together)
{
    struct tee_case t = {0};
    ck_assert(open_tee(&t));
    struct listener l = {0};
    int other = 0;
    stream_on(t.branch[0], STREAM_ERROR, &l, on_tee_error, &other);
    feed(t.input, "x");
    turn(w);
    tee_errors = 0;
    stream_destroy(t.branch[1], NULL);
    turn(w);
    ck_assert_int_eq(tee_errors, 1);
    ck_assert_int_eq(other, 1);
    ck_assert_int_eq(stream_error(t.input)->code, ERR_STREAM_PREMATURE_CLOSE);
    close_tee(&t);
}
END_TEST

START_TEST(tee_without_memory)
{
    bool more = true;
    tear_down();
    for (unsigned long nth = 1; more; nth++) {
        w = world_new();
        struct tee_case t = {0};
        mem_fail_at(nth);
        if (open_tee(&t)) {
            feed(t.input, "x");
            feed(t.input, "y");
            stream_end(t.input, NULL);
            turn(w);
            more = mem_failed();
            mem_fail_at(0);
            close_tee(&t);
        }
        mem_fail_at(0);
        world_end(w);
    }
    set_up();
}
END_TEST

/* ---- descriptors ---- */

static void on_finished(void *arg, struct stream *s, const struct err *e)
{
    (void)arg;
    (void)s;
    finished_calls++;
    finished_code = e != NULL ? e->code : 0;
}

#define FD_BYTES (3u << 20)

static void echo_pushed(struct actor *a)
{
    if (a->n * 65536 < (int)FD_BYTES) {
        push_len(a, 65536);
        a->n++;
    } else {
        push_end(a);
    }
}

/* 3 MiB through a socket and back again through an echo: short writes and short reads on every way.
 */
START_TEST(fd_echo)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct stream_opts o = stream_defaults(w->loop);
    struct err e = {0};
    struct stream *near = fd_duplex_new(fds[0], &o, &e), *echo = fd_duplex_new(fds[1], &o, &e);
    ck_assert(near != NULL && echo != NULL);
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    r->on[READ] = echo_pushed;
    go(r);
    go(x);
    ck_assert_int_eq(stream_pipe(r->s, near, 0, &e), 0);
    ck_assert_int_eq(stream_pipe(echo, echo, 0, &e), 0);
    ck_assert_int_eq(stream_pipe(near, x->s, 0, &e), 0);
    for (int i = 0; i < 100000 && x->count[CLOSE] == 0; i++)
        loop_turn(w->loop);
    ck_assert_uint_eq(w->written, FD_BYTES);
    ck_assert(stream_is_closed(near) && stream_is_closed(echo));
    stream_free(&near);
    stream_free(&echo);
}
END_TEST

START_TEST(fd_errors)
{
    int fds[2];
    struct err e = {0};
    struct stream_opts o = stream_defaults(w->loop);
    ck_assert_ptr_null(fd_readable_new(-1, &o, &e));
    ck_assert_int_eq(e.code, ERR_SYSTEM);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    signal(SIGPIPE, SIG_IGN);
    struct stream *s = fd_writable_new(fds[0], &o, &e);
    close(fds[1]);
    struct finished f = {0};
    stream_finished(s, &f, on_finished, NULL);
    feed(s, "x");
    turn(w);
    ck_assert_int_eq(finished_calls, 1);
    ck_assert_int_eq(finished_code, ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(stream_error(s)->text, "cannot write"));
    stream_free(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream plumbing");
    TCase *tc = tcase_create("plumbing");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, tee_is_as_fast_as_the_slowest);
    tcase_add_test(tc, tee_fails_together);
    tcase_add_test(tc, tee_without_memory);
    tcase_add_test(tc, fd_echo);
    tcase_add_test(tc, fd_errors);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
