/* The small things everything stands on: lists, growing buffers, errors, the log, files, blocking work. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/list.h"
#include "base/log.h"

/* ---- list and buf ------------------------------------------------------------------------------ */

START_TEST(list_keeps_order_and_survives_removal)
{
    struct list head, other, node[6];
    list_init(&head);
    list_init(&other);
    ck_assert(list_empty(&head));
    ck_assert_ptr_null(list_shift(&head));
    for (int i = 0; i < 3; i++)
        list_push(&head, &node[i]);
    for (int i = 3; i < 6; i++)
        list_push(&other, &node[i]);
    list_splice(&head, &other);
    ck_assert(list_empty(&other));
    list_splice(&head, &other);
    int seen = 0;
    LIST_EACH(at, &head) {
        ck_assert_ptr_eq(at, &node[seen++]);
        list_remove(at);
        list_remove(at); /* twice is allowed */
    }
    ck_assert_int_eq(seen, 6);
    ck_assert(list_empty(&head));
    list_push(&head, &node[0]);
    list_before(&node[0], &node[1]);
    ck_assert_ptr_eq(list_shift(&head), &node[1]);
    ck_assert_ptr_eq(list_shift(&head), &node[0]);
}
END_TEST

START_TEST(buf_grows)
{
    struct buf b = {0};
    ck_assert_str_eq(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++) {
        buf_fmt(&b, "%d", i % 10);
        buf_char(&b, 'x');
        buf_str(&b, "yz");
        buf_add(&b, NULL, 0);
    }
    ck_assert_uint_eq(b.len, 4000);
    ck_assert_uint_eq(strlen(buf_cstr(&b)), 4000);
    ck_assert_mem_eq(b.data + 3996, "9xyz", 4);
    ck_assert(!buf_reserve(&b, SIZE_MAX - 100));
    ck_assert(b.failed);
    buf_clear(&b);
    ck_assert(!b.failed && b.len == 0 && b.data == NULL);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(buf_that_failed_takes_no_more)
{
    for (unsigned long n = 1;; n++) {
        struct buf b = {0};
        mem_fail_at(n);
        for (int i = 0; i < 100; i++) {
            size_t before = b.len;
            bool failed = b.failed;
            buf_fmt(&b, "%s %d", "some words", i);
            ck_assert(!failed || b.len == before);
        }
        bool over = !mem_failed();
        mem_fail_at(0);
        ck_assert(b.failed != over);
        ck_assert((buf_cstr(&b) == NULL) == b.failed);
        buf_clear(&b);
        ck_assert_uint_eq(mem_live(), 0);
        if (over)
            break;
    }
}
END_TEST

/* ---- err --------------------------------------------------------------------------------------- */

START_TEST(first_error_wins)
{
    struct err e = {0};
    ck_assert(!err_is(&e) && !err_is(NULL));
    ck_assert_int_eq(err_sys(&e, ENOENT, "cannot open %s", "x"), -1);
    ck_assert_str_eq(e.text, "cannot open x: No such file or directory");
    ck_assert_int_eq(e.sys, ENOENT);
    err_set(&e, ERR_INVALID, "later");
    err_nomem(&e);
    ck_assert_int_eq(e.code, ERR_SYSTEM);
    ck_assert_str_eq(e.text, "cannot open x: No such file or directory");
    err_clear(&e);
    ck_assert(!err_is(&e));
    ck_assert_int_eq(err_nomem(&e), -1);
    ck_assert_int_eq(e.code, ERR_NOMEM);
    ck_assert_int_eq(err_set(NULL, ERR_INVALID, "nobody"), -1);
    ck_assert_int_eq(err_sys(NULL, 1, "nobody"), -1);
}
END_TEST

START_TEST(long_errors_are_cut)
{
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct err e = {0};
    err_sys(&e, ENOENT, "%s", text);
    ck_assert_uint_eq(strlen(e.text), sizeof e.text - 1);
}
END_TEST

/* ---- log --------------------------------------------------------------------------------------- */

static char line[8192];

/* What one call writes, as one write(2). */
static const char *logged(enum log_format format, const char *scope, const char *text)
{
    int pipes[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    log_setup(LOG_INFO, format, false);
    log_warn(scope, "%s", text);
    log_debug(scope, "not wanted");
    log_setup(LOG_ERROR, LOG_TEXT, false);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    ssize_t n = read(pipes[0], line, sizeof line - 1);
    close(pipes[0]);
    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
    return line;
}

static const char *const odd[] = {
    "plain", "quote \" and \\ backslash", "\x01\x1f\x7f\b\t\n\r", "caf\xc3\xa9 \xe2\x82\xac",
    "broken \xff\xfe UTF-8 \xc3", "\xed\xa0\x80", "",
};

START_TEST(json_log_is_json)
{
    json_error_t error;
    const char *text = logged(LOG_JSON, odd[_i], odd[_i]);
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(j != NULL, "%s: %s", error.text, text);
    ck_assert_str_eq(json_string_value(json_object_get(j, "level")), "warn");
    const char *message = json_string_value(json_object_get(j, "message"));
    ck_assert_ptr_nonnull(message);
    if (_i < 4)
        ck_assert_str_eq(message, odd[_i]);
    ck_assert_str_eq(json_string_value(json_object_get(j, "scope")), message);
    json_decref(j);
}
END_TEST

START_TEST(long_lines_stay_one_line_and_json)
{
    char text[6000];
    for (int i = 0; i < 4; i++) {
        static const char *const unit[] = {"a", "\x01", "\"", "\xc3\xa9"};
        text[0] = '\0';
        while (strlen(text) < 5000)
            strcat(text, unit[i]);
        json_t *j = json_loads(logged(LOG_JSON, i % 2 ? text : NULL, text), 0, NULL);
        ck_assert_msg(j != NULL, "unit %d: %s", i, line);
        json_decref(j);
        logged(LOG_TEXT, text, text);
    }
}
END_TEST

START_TEST(text_log_cannot_be_forged)
{
    const char *text = logged(LOG_TEXT, "app/t\nail", "a\nb\033[31mc\x7f");
    ck_assert_ptr_nonnull(strstr(text, "Z warn  app/t?ail: a?b?[31mc?\n"));
}
END_TEST

/* ---- file -------------------------------------------------------------------------------------- */

START_TEST(replaces_whole_files)
{
    struct rig r;
    struct err e = {0};
    size_t len;
    rig_open(&r, 1 << 20, 4096);
    int dir = open(r.dir, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(file_replace(dir, "state", "one", 3, 0600, &e), 0);
    ck_assert_int_eq(file_replace(dir, "state", "number two", 10, 0600, &e), 0);
    char *text = rig_read(rig_path(&r, "state"), &len);
    ck_assert_str_eq(text, "number two");
    free(text);
    struct stat st;
    ck_assert_int_eq(stat(rig_path(&r, "state"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);

    /* No room for it: the old one stays, and nothing is left behind. */
    struct rlimit old, small = {4, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    ck_assert_int_eq(file_replace(dir, "state", "longer than four", 16, 0600, &e), -1);
    setrlimit(RLIMIT_FSIZE, &old);
    ck_assert_int_eq(e.sys, EFBIG);
    text = rig_read(rig_path(&r, "state"), &len);
    ck_assert_str_eq(text, "number two");
    free(text);
    ck_assert_int_ne(access(rig_path(&r, "state.new"), F_OK), 0);

    /* The name is a directory: rename fails. */
    err_clear(&e);
    ck_assert_int_eq(mkdirat(dir, "taken", 0700), 0);
    ck_assert_int_eq(file_replace(dir, "taken", "x", 1, 0600, &e), -1);
    ck_assert_int_ne(access(rig_path(&r, "taken.new"), F_OK), 0);

    /* Somebody put a link in the way: it is not followed. */
    err_clear(&e);
    ck_assert_int_eq(symlinkat("victim", dir, "linked.new"), 0);
    ck_assert_int_eq(file_replace(dir, "linked", "x", 1, 0600, &e), -1);
    ck_assert_int_ne(access(rig_path(&r, "victim"), F_OK), 0);

    /* The directory is gone. */
    err_clear(&e);
    ck_assert_int_eq(mkdirat(dir, "gone", 0700), 0);
    int gone = openat(dir, "gone", O_RDONLY | O_DIRECTORY);
    unlinkat(dir, "gone", AT_REMOVEDIR);
    ck_assert_int_eq(file_replace(gone, "state", "x", 1, 0600, &e), -1);
    ck_assert_int_eq(e.sys, ENOENT);
    close(gone);
    close(dir);
    rig_close(&r);
}
END_TEST

START_TEST(makes_directories)
{
    struct rig r;
    struct stat st;
    rig_open(&r, 1 << 20, 4096);
    ck_assert_int_eq(file_make_dirs(rig_path(&r, "a//b/c/"), 0700), 0);
    ck_assert_int_eq(file_make_dirs(rig_path(&r, "a/b/c"), 0700), 0);
    ck_assert(stat(rig_path(&r, "a/b/c"), &st) == 0 && S_ISDIR(st.st_mode));
    ck_assert_int_eq(file_make_parents(rig_path(&r, "d/e/file"), 0700), 0);
    ck_assert(stat(rig_path(&r, "d/e"), &st) == 0 && S_ISDIR(st.st_mode));
    ck_assert_int_ne(access(rig_path(&r, "d/e/file"), F_OK), 0);
    ck_assert_int_eq(file_make_parents("file", 0700), 0);
    ck_assert_int_eq(file_make_parents("/file", 0700), 0);
    ck_assert_int_eq(file_make_dirs("", 0700), 0);
    rig_write(rig_path(&r, "plain"), "x", 1);
    ck_assert_int_ne(file_make_dirs(rig_path(&r, "plain/below"), 0700), 0);
    ck_assert_int_eq(errno, ENOTDIR);
    char path[5000];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_ne(file_make_dirs(path, 0700), 0);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    rig_close(&r);
}
END_TEST

/* ---- work -------------------------------------------------------------------------------------- */

struct task {
    struct job job;
    unsigned run_at, done_at;
    bool own_thread;
    pthread_t starter;
};

static unsigned ran, told;

static void task_run(struct job *j)
{
    struct task *t = LIST_ENTRY(j, struct task, job);
    t->own_thread = !pthread_equal(pthread_self(), t->starter);
    t->run_at = ++ran;
    usleep(1000);
}

static void task_done(struct job *j)
{
    struct task *t = LIST_ENTRY(j, struct task, job);
    t->done_at = ++told;
}

static void hand_over(struct rig *r, struct task *tasks, int n)
{
    ran = told = 0;
    for (int i = 0; i < n; i++) {
        tasks[i] = (struct task){.job = {.run = task_run, .done = task_done},
                                 .starter = pthread_self()};
        work_start(r->work, &tasks[i].job);
    }
}

START_TEST(jobs_run_in_order_and_keep_the_loop)
{
    struct rig r;
    struct task tasks[20];
    rig_open(&r, 1 << 20, 4096);
    hand_over(&r, tasks, 20);
    loop_run(r.loop); /* returns when no job is left */
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_uint_eq(tasks[i].run_at, i + 1);
        ck_assert_uint_eq(tasks[i].done_at, i + 1);
        ck_assert(tasks[i].own_thread);
    }
    hand_over(&r, tasks, 20);
    work_wait(r.work);
    ck_assert_uint_eq(told, 20);
    loop_run(r.loop);
    ck_assert_uint_eq(told, 20);
    rig_close(&r);
}
END_TEST

START_TEST(freeing_tells_about_every_job)
{
    struct rig r;
    struct task tasks[20];
    rig_open(&r, 1 << 20, 4096);
    hand_over(&r, tasks, 20);
    work_free(&r.work);
    ck_assert_uint_eq(told, 20);
    ck_assert_uint_lt(ran, 20);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(tasks[i].done_at, i + 1);
    rig_close(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("list, buf, err");
    tcase_add_test(t, list_keeps_order_and_survives_removal);
    tcase_add_test(t, buf_grows);
    tcase_add_test(t, buf_that_failed_takes_no_more);
    tcase_add_test(t, first_error_wins);
    tcase_add_test(t, long_errors_are_cut);
    suite_add_tcase(s, t);
    t = tcase_create("log");
    tcase_add_loop_test(t, json_log_is_json, 0, (int)(sizeof odd / sizeof odd[0]));
    tcase_add_test(t, long_lines_stay_one_line_and_json);
    tcase_add_test(t, text_log_cannot_be_forged);
    suite_add_tcase(s, t);
    t = tcase_create("file");
    tcase_add_test(t, replaces_whole_files);
    tcase_add_test(t, makes_directories);
    suite_add_tcase(s, t);
    t = tcase_create("work");
    tcase_add_test(t, jobs_run_in_order_and_keep_the_loop);
    tcase_add_test(t, freeing_tells_about_every_job);
    suite_add_tcase(s, t);
    return rig_main(s);
}
