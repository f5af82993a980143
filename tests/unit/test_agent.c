/* Whole pipelines and the agent: built, fed, failed and started again. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/agent.h"
#include "agent/pipeline.h"
#include "base/file.h"

static struct rig r;

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    rig_hush();
}

static void teardown(void)
{
    rig_close(&r);
}

static void put(const char *name, const char *text)
{
    ck_assert_int_eq(file_make_parents(rig_path(&r, name), 0700), 0);
    rig_append(rig_path(&r, name), text, strlen(text));
}

static unsigned lines_in(const char *name)
{
    size_t len;
    unsigned n = 0;
    if (access(rig_path(&r, name), F_OK) != 0)
        return 0;
    char *text = rig_read(rig_path(&r, name), &len);
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    free(text);
    return n;
}

/* Does the file hold ${line}? */
static bool holds(const char *name, const char *line)
{
    size_t len;
    if (access(rig_path(&r, name), F_OK) != 0)
        return false;
    char *text = rig_read(rig_path(&r, name), &len), *at = strstr(text, line);
    bool found = at != NULL && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
    free(text);
    return found;
}

static int run_once(struct config *config, struct err *e)
{
    struct agent_options options = {.once = true};
    return agent_run(&config, &options, e);
}

/* Two sources, a filter, and three sinks: everything, what a where picks, and a chain of its own behind a queue that drops. */
static struct config *wide(void)
{
    return rig_config("{'data_dir':'%s/data','pipelines':{'p':{"
                      "'sources':[{'type':'tail','include':['%s/in/a*']},{'type':'tail','include':['%s/in/b*']}],"
                      "'transforms':[{'type':'json'},{'type':'filter','where':'.level != \\'debug\\''}],"
                      "'sinks':[{'type':'file','path':'%s/all'},"
                      "{'type':'file','path':'%s/errors','where':'.level == \\'error\\''},"
                      "{'type':'file','path':'%s/some.gz','transforms':[{'type':'filter','where':'.n > 5'},"
                      "{'type':'gzip','queue':{'when_full':'drop_oldest'}}]}]}}}",
                      r.dir, r.dir, r.dir, r.dir, r.dir, r.dir);
}

static void fill_wide(void)
{
    for (int i = 0; i < 10; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"n\":%d,\"level\":\"%s\"}\n", i,
                 i % 5 == 0 ? "debug" : i % 2 ? "error" : "info");
        put("in/a", line);
        put(i % 2 ? "in/b1" : "in/b2", line);
    }
    put("in/a", "not json\n");
}

START_TEST(what_is_read_is_delivered_or_dropped)
{
    struct err e = {0};
    fill_wide();
    ck_assert_int_eq(run_once(wide(), &e), 0);
    ck_assert_uint_eq(lines_in("all"), 17);   /* 21 less 4 debug */
    ck_assert_uint_eq(lines_in("errors"), 8); /* 1 3 7 9, twice */
    ck_assert(holds("all", "not json"));
    ck_assert(holds("errors", "{\"n\":9,\"level\":\"error\"}"));
    ck_assert(!holds("errors", "{\"n\":8,\"level\":\"info\"}"));
    char command[400];
    snprintf(command, sizeof command, "test \"$(gzip -dc '%s' | wc -l)\" = 8", rig_path(&r, "some.gz"));
    ck_assert_int_eq(system(command), 0); /* 6 7 8 9, twice */
    ck_assert_int_eq(run_once(wide(), &e), 0); /* nothing is sent twice */
    ck_assert_uint_eq(lines_in("all"), 17);
    put("in/a", "{\"level\":\"info\"}\n");
    ck_assert_int_eq(run_once(wide(), &e), 0);
    ck_assert_uint_eq(lines_in("all"), 18);
}
END_TEST

/* Whatever allocation fails: no crash, no leak, and what was not delivered then is delivered next time. */
START_TEST(the_whole_agent_without_memory)
{
    bool over = false;
    char command[300];
    unsigned failed = 0;
    fill_wide();
    snprintf(command, sizeof command, "cd '%s' && rm -rf data all errors some.gz", r.dir);
    size_t live = mem_live();
    unsigned long step = 1 + (unsigned long)_i;
    for (unsigned long n = step; !over; n += 4) {
        struct err e = {0};
        ck_assert_int_eq(system(command), 0);
        struct config *config = wide();
        struct agent_options options = {.once = true};
        mem_fail_at(n);
        int rc = agent_run(&config, &options, &e);
        over = !mem_failed();
        mem_fail_at(0);
        config_free(&config);
        ck_assert_msg(mem_live() == live, "allocation %lu: %zu stay", n, mem_live() - live);
        if (rc != 0) {
            failed++;
            ck_assert(!over);
            ck_assert_int_eq(run_once(wide(), &e), 0);
        }
        ck_assert_msg(lines_in("all") >= 17, "allocation %lu (%d): %u lines", n, rc, lines_in("all")); /* at least once */
        static const char *const must[] = {"not json", "{\"n\":1,\"level\":\"error\"}", "{\"n\":8,\"level\":\"info\"}"};
        for (int i = 0; i < 3; i++)
            ck_assert_msg(holds("all", must[i]), "allocation %lu (%d): %s is missing", n, rc, must[i]);
        ck_assert(holds("errors", "{\"n\":9,\"level\":\"error\"}"));
    }
    ck_assert_uint_gt(failed, 10);
}
END_TEST

static int live_agent(unsigned long fail_at, const char *text)
{
    struct err e = {0};
    struct agent_options options = {0};
    size_t live = mem_live();
    struct config *config = rig_config("%s", text);
    mem_fail_at(fail_at);
    int rc = agent_run(&config, &options, &e);
    mem_fail_at(0);
    config_free(&config);
    return mem_live() == live ? rc : 42;
}

/* A pipeline that fails is built again and goes on from what was delivered. */
START_TEST(a_failed_pipeline_starts_again)
{
    unsigned restarted = 0;
    for (unsigned long n = 33; n < 120; n += 6) {
        char text[1000], dir[40];
        snprintf(dir, sizeof dir, "%lu/in", n);
        snprintf(text, sizeof text,
                 "{'data_dir':'%s/%lu/data','pipelines':{'p':{'sources':[{'type':'tail','include':['%s/%lu/in']}],"
                 "'sinks':[{'type':'file','path':'%s/%lu/out'}]}}}",
                 r.dir, n, r.dir, n, r.dir, n);
        for (int i = 0; i < 50; i++) {
            char line[20];
            snprintf(line, sizeof line, "line %d\n", i);
            put(dir, line);
        }
        pid_t child = fork();
        if (child == 0)
            _exit(live_agent(n, text));
        char out[40], last[] = "line 49";
        snprintf(out, sizeof out, "%lu/out", n);
        double end = loop_now() + 5;
        int status = 0;
        pid_t gone = 0;
        while (!holds(out, last) && (gone = waitpid(child, &status, WNOHANG)) == 0 && loop_now() < end)
            usleep(2000);
        if (gone == 0) {
            ck_assert_msg(holds(out, last), "allocation %lu: not delivered", n);
            kill(child, SIGTERM);
            waitpid(child, &status, 0);
            restarted += WIFEXITED(status) && WEXITSTATUS(status) == 0; /* 1: it was the last checkpoint that could not be written */
        }
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "allocation %lu: %x", n, status);
    }
    ck_assert_uint_gt(restarted, 3);
}
END_TEST

/* A stop with a sink that takes nothing: given up after shutdown_timeout, and sent at the next start. */
START_TEST(a_stop_gives_up_in_time)
{
    char text[1000];
    put("in", "one\n");
    ck_assert_int_eq(mkdir(rig_path(&r, "out"), 0700), 0);
    snprintf(text, sizeof text,
             "{'data_dir':'%s/data','shutdown_timeout':0.3,'pipelines':{'p':{'sources':[{'type':'tail','include':['%s/in']}],"
             "'sinks':[{'type':'file','path':'%s/out'}]}}}", r.dir, r.dir, r.dir);
    pid_t child = fork();
    if (child == 0)
        _exit(live_agent(0, text));
    usleep(300000);
    double before = loop_now();
    int status;
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    ck_assert(loop_now() - before > 0.25 && loop_now() - before < 3);
    ck_assert_int_eq(rmdir(rig_path(&r, "out")), 0);
    struct err e = {0};
    ck_assert_int_eq(run_once(rig_config("%s", text), &e), 0);
    ck_assert(holds("out", "one"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent");
    TCase *t = tcase_create("agent");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_read_is_delivered_or_dropped);
    tcase_add_loop_test(t, the_whole_agent_without_memory, 0, 4);
    tcase_add_test(t, a_failed_pipeline_starts_again);
    tcase_add_test(t, a_stop_gives_up_in_time);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
