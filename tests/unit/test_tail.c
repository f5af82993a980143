/* The tail source with the loop: files that come, grow, move and go. */
#include "rig.h"

#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

static struct rig r;
static struct config *config;
static struct stream *s;
static struct catcher c;
static bool few_descriptors; /* to be had from when the source was opened on */

static void setup(void)
{
    rig_open(&r, 4 << 20, 65536);
    rig_hush();
    s = NULL;
    c = (struct catcher){0};
    few_descriptors = false;
}

static void start(const char *more)
{
    struct err e = {0};
    config = rig_config("{'pipelines':{'p':{'sources':[{'type':'tail','include':['%s/*.log'],'rotate_wait':0.4,"
                        "'rescan_interval':0.1%s}],'sinks':[{'type':'blackhole'}]}}}", r.dir, more);
    const struct stage_config *stage = &config->pipelines[0].sources.items[0];
    s = stage->type->open(&r.env, stage->settings, &e);
    ck_assert_ptr_nonnull(s);
    c = (struct catcher){.hold = c.hold};
    catcher_on(&c, s);
    if (few_descriptors) {
        struct rlimit few;
        int next = dup(0);
        close(next);
        getrlimit(RLIMIT_NOFILE, &few);
        few.rlim_cur = (rlim_t)next + 4;
        setrlimit(RLIMIT_NOFILE, &few);
    }
    rig_run(&r, 0.01);
}

static void stop(void)
{
    catcher_release(&c, true);
    if (!c.ended)
        config->pipelines[0].sources.items[0].type->stop(s);
    RIG_UNTIL(&r, c.is_closed, 3);
    catcher_release(&c, true);
    catcher_off(&c);
    stream_free(&s);
    loop_tick(r.loop);
    config_free(&config);
}

static void teardown(void)
{
    if (s != NULL)
        stop();
    rig_close(&r);
}

static bool has(const char *text)
{
    return c.bytes.len == strlen(text) && memcmp(c.bytes.data, text, c.bytes.len) == 0;
}

static void put(const char *name, const char *text)
{
    rig_append(rig_path(&r, name), text, strlen(text));
}

static void move(const char *from, const char *to)
{
    ck_assert_int_eq(rename(rig_path(&r, from), rig_path(&r, to)), 0);
}

START_TEST(follows_what_grows_and_what_appears)
{
    put("a.log", "1\n");
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    put("a.log", "2");
    rig_run(&r, 0.05);
    put("a.log", "3\n");
    RIG_UNTIL(&r, has("1\n23\n"), 3);
    put("b.log", "new\n");
    RIG_UNTIL(&r, has("1\n23\nnew\n"), 3);
    put("c.txt", "no\n");
    rig_run(&r, 0.3);
    ck_assert(has("1\n23\nnew\n"));
}
END_TEST

START_TEST(does_not_wake_when_nothing_happens)
{
    put("a.log", "1\n");
    start("");
    rig_run(&r, 0.5);
    pid_t child = fork();
    if (child == 0) { /* ends the wait from outside, by a record */
        usleep(1500000);
        put("a.log", "2\n");
        _exit(0);
    }
    unsigned turns = 0;
    while (!has("1\n2\n")) {
        ev_run(loop_ev(r.loop), EVRUN_ONCE); /* blocks until something happens */
        ck_assert_uint_lt(turns++, 15);
    }
    waitpid(child, NULL, 0);
}
END_TEST

START_TEST(a_renamed_file_is_read_to_its_end_also_by_a_late_writer)
{
    put("a.log", "1\n");
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    rig_run(&r, 0.6); /* idle for longer than rotate_wait */
    int fd = open(rig_path(&r, "a.log"), O_WRONLY | O_APPEND);
    move("a.log", "a.log.1"); /* out of the pattern */
    put("a.log", "new\n");
    RIG_UNTIL(&r, has("1\nnew\n"), 3);
    rig_run(&r, 0.2); /* within rotate_wait */
    ck_assert_int_eq(write(fd, "late\n", 5), 5);
    RIG_UNTIL(&r, has("1\nnew\nlate\n"), 3);
    rig_run(&r, 0.2);
    ck_assert_int_eq(write(fd, "later, unfinished", 17), 17);
    close(fd);
    RIG_UNTIL(&r, has("1\nnew\nlate\nlater, unfinished\n"), 3);
}
END_TEST

START_TEST(a_removed_file_is_read_to_its_end_and_its_descriptor_goes)
{
    put("a.log", "1\nrest");
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    double before = loop_now();
    unlink(rig_path(&r, "a.log"));
    RIG_UNTIL(&r, has("1\nrest\n"), 3);
    ck_assert(loop_now() - before > 0.3);
    rig_run(&r, 0.1);
    char link[600], target[100];
    for (int fd = 3; fd < 64; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n > 0) {
            target[n] = '\0';
            ck_assert_msg(strstr(target, "weir-unit") == NULL || strstr(target, "deleted") == NULL, "%s", target);
        }
    }
    put("a.log", "again\n"); /* often with the inode that came free */
    RIG_UNTIL(&r, has("1\nrest\nagain\n"), 3);
}
END_TEST

START_TEST(renamed_within_the_pattern_is_the_same_file)
{
    put("a.log", "1\n");
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    for (int i = 0; i < 5; i++) {
        char from[20], to[20];
        snprintf(from, sizeof from, i == 0 ? "a.log" : "a%d.log", i);
        snprintf(to, sizeof to, "a%d.log", i + 1);
        move(from, to);
        rig_run(&r, 0.05);
    }
    put("a5.log", "2\n");
    RIG_UNTIL(&r, has("1\n2\n"), 3);
    rig_run(&r, 0.3);
    ck_assert(has("1\n2\n"));
}
END_TEST

START_TEST(ten_rotations_in_a_row)
{
    struct buf want = {0};
    put("a.log", "start\n");
    buf_str(&want, "start\n");
    start("");
    RIG_UNTIL(&r, has("start\n"), 3);
    for (int i = 0; i < 10; i++) {
        char line[40], to[20];
        snprintf(line, sizeof line, "line %d\n", i);
        snprintf(to, sizeof to, "old%d.log", i);
        put("a.log", line);
        buf_str(&want, line);
        move("a.log", to);
        if (i % 2)
            rig_run(&r, 0.02);
        put("a.log", "head\n");
        buf_str(&want, "head\n");
    }
    RIG_UNTIL(&r, c.records == 21, 3);
    rig_run(&r, 0.6);
    ck_assert_uint_eq(c.records, 21);
    buf_clear(&want);
}
END_TEST

START_TEST(rotation_behind_a_link)
{
    ck_assert_int_eq(file_make_dirs(rig_path(&r, "pod"), 0700), 0);
    put("pod/0", "1\n");
    ck_assert_int_eq(symlink("pod/0", rig_path(&r, "a.log")), 0);
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    rig_run(&r, 0.3);
    put("pod/0", "2\n");
    RIG_UNTIL(&r, has("1\n2\n"), 3);
    move("pod/0", "pod/old");
    rig_run(&r, 0.7); /* the safety net has come and gone */
    put("pod/0", "3\n");
    RIG_UNTIL(&r, has("1\n2\n3\n"), 3);
}
END_TEST

START_TEST(goes_on_where_it_was)
{
    put("a.log", "1\n2\n");
    put("b.log", "b1\n");
    start("");
    RIG_UNTIL(&r, c.records == 3, 3);
    stop();
    put("a.log", "3\n");
    move("b.log", "b.old"); /* rotated while nobody looked */
    put("b.old", "b2\n");
    put("b.log", "b3\n");
    start("");
    RIG_UNTIL(&r, c.records == 3, 3);
    rig_run(&r, 0.3);
    ck_assert_uint_eq(c.records, 3);
    ck_assert_ptr_nonnull(strstr(buf_cstr(&c.bytes), "b2\n"));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&c.bytes), "b3\n"));
}
END_TEST

START_TEST(once_reads_everything_and_ends)
{
    r.env.once = true;
    for (int i = 0; i < 20; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d.log", i);
        put(name, "one\ntwo\nthree, unfinished");
    }
    start("");
    RIG_UNTIL(&r, c.ended, 5);
    ck_assert_uint_eq(c.records, 60);
    ck_assert_uint_eq(r.stats.expected, r.stats.bytes_out);
}
END_TEST

START_TEST(once_with_few_descriptors)
{
    struct rlimit old;
    r.env.once = true;
    for (int i = 0; i < 60; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d.log", i);
        put(name, "one\n");
    }
    getrlimit(RLIMIT_NOFILE, &old);
    few_descriptors = true; /* the source sizes itself by the limit when it opens: others use them up after that */
    start("");
    RIG_UNTIL(&r, c.ended, 5);
    setrlimit(RLIMIT_NOFILE, &old);
    ck_assert_uint_eq(c.records, 60);
}
END_TEST

START_TEST(without_room_it_waits_and_then_goes_on)
{
    struct buf text = {0};
    for (int i = 0; i < 200000; i++)
        buf_fmt(&text, "line %d of many\n", i);
    rig_write(rig_path(&r, "a.log"), text.data, text.len);
    pool_set_limit(r.pool, 300000);
    c.hold = true;
    start("");
    rig_run(&r, 0.2);
    ck_assert_uint_lt(c.bytes.len, text.len);
    ck_assert_uint_le(pool_used(r.pool), 300000 + 200000);
    double cpu = rig_cpu();
    rig_run(&r, 0.3);
    ck_assert(rig_cpu() - cpu < 0.2);
    double end = loop_now() + 10;
    while (c.bytes.len < text.len && loop_now() < end) {
        catcher_release(&c, true);
        rig_run(&r, 0.001);
    }
    ck_assert_uint_eq(c.bytes.len, text.len);
    ck_assert_mem_eq(c.bytes.data, text.data, text.len);
    buf_clear(&text);
}
END_TEST

START_TEST(an_idle_source_does_not_starve_another)
{
    struct err e = {0};
    put("a.log", "1\n");
    start("");
    RIG_UNTIL(&r, has("1\n"), 3);
    /* A second source in the same pool needs more than all of it for one line. */
    struct buf line = {0};
    for (int i = 0; i < 6 << 20; i++)
        buf_char(&line, 'x');
    buf_char(&line, '\n');
    rig_write(rig_path(&r, "long.txt"), line.data, line.len);
    struct config *other = rig_config(
        "{'pipelines':{'p':{'sources':[{'type':'tail','include':['%s/long.txt'],'max_line_bytes':'8MiB'}],"
        "'sinks':[{'type':'blackhole'}]}}}", r.dir);
    struct stage_env env = r.env;
    env.name = "other";
    const struct stage_config *stage = &other->pipelines[0].sources.items[0];
    struct stream *second = stage->type->open(&env, stage->settings, &e);
    struct catcher d = {0};
    catcher_on(&d, second);
    RIG_UNTIL(&r, d.records == 1, 5);
    ck_assert_uint_eq(d.bytes.len, line.len);
    rig_run(&r, 0.01);
    ck_assert_uint_le(pool_used(r.pool), 2 * 65536); /* nothing so large is kept for later */
    stage->type->stop(second);
    RIG_UNTIL(&r, d.is_closed, 3);
    catcher_off(&d);
    stream_free(&second);
    loop_tick(r.loop);
    config_free(&other);
    buf_clear(&line);
}
END_TEST

START_TEST(without_memory_it_fails_or_goes_on)
{
    bool over = false;
    put("a.log", "1\n2\n");
    put("b.log", "3\n");
    for (unsigned long n = 1; !over; n++) {
        struct err e = {0};
        config = rig_config("{'pipelines':{'p':{'sources':[{'type':'tail','include':['%s/*.log'],'rescan_interval':0.1}],"
                            "'sinks':[{'type':'blackhole'}]}}}", r.dir);
        const struct stage_config *stage = &config->pipelines[0].sources.items[0];
        c = (struct catcher){0};
        buf_reserve(&c.bytes, 1000);
        mem_fail_at(n);
        s = stage->type->open(&r.env, stage->settings, &e);
        if (s == NULL) {
            ck_assert_int_eq(e.code, ERR_NOMEM);
        } else {
            catcher_on(&c, s);
            double end = loop_now() + 2;
            while (c.records < 3 && !c.is_closed && loop_now() < end)
                if (!loop_turn(r.loop))
                    usleep(200);
            ck_assert_msg(c.records == 3 || c.err.code == ERR_NOMEM, "allocation %lu: %zu records", n, c.records);
        }
        over = !mem_failed();
        mem_fail_at(0);
        if (s != NULL)
            stop();
        else
            config_free(&config);
        buf_clear(&c.bytes);
        checkpoint_close(&r.checkpoint, NULL); /* nothing is known at the next start */
        r.checkpoint = r.env.checkpoint = checkpoint_open(r.loop, r.work, NULL, CHECKPOINT_KEEP, &e);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tail");
    TCase *t = tcase_create("tail");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, follows_what_grows_and_what_appears);
    tcase_add_test(t, does_not_wake_when_nothing_happens);
    tcase_add_test(t, a_renamed_file_is_read_to_its_end_also_by_a_late_writer);
    tcase_add_test(t, a_removed_file_is_read_to_its_end_and_its_descriptor_goes);
    tcase_add_test(t, renamed_within_the_pattern_is_the_same_file);
    tcase_add_test(t, ten_rotations_in_a_row);
    tcase_add_test(t, rotation_behind_a_link);
    tcase_add_test(t, goes_on_where_it_was);
    tcase_add_test(t, once_reads_everything_and_ends);
    tcase_add_test(t, once_with_few_descriptors);
    tcase_add_test(t, without_room_it_waits_and_then_goes_on);
    tcase_add_test(t, an_idle_source_does_not_starve_another);
    tcase_add_test(t, without_memory_it_fails_or_goes_on);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
