/* Files, directories, includes, secrets in files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"
#include "config_stages.h"
#include "config_text.h"
#include "fixture.h"
#include "stage/config.h"

#define ONE_PIPELINE(name)                                                                         \
    "\"pipelines\":{\"" name "\":{\"sources\":[" TAIL "],\"sinks\":[" TCP "]}}"

static char dir[64];

static void enter(void)
{
    strcpy(dir, "/tmp/weir-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void leave(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* Load ${path}: the names of its pipelines, or the report. */
static void expect(const char *path, const char *want)
{
    struct config_report report = {0};
    struct buf out = {0};
    struct config *c = config_load(path, config_stages, &report);
    ck_assert(!report.failed);
    if (c == NULL)
        report_text(&report, &out);
    for (size_t i = 0; c != NULL && i < c->pipeline_count; i++)
        buf_fmt(&out, "%s ", c->pipelines[i].name);
    ck_assert_str_eq(buf_cstr(&out), want);
    config_free(&c);
    report_clear(&report);
    buf_clear(&out);
    ck_assert_uint_eq(mem_live(), 0);
}

START_TEST(directory_in_name_order)
{
    ck_assert_int_eq(mkdir("d", 0700), 0);
    expect("d", "d:1:1: cannot read it: no *.json in this directory\n1 error\n");
    put("d/20.json", "{" ONE_PIPELINE("b") "}");
    put("d/10.json", "{\"data_dir\":\"/x\"," ONE_PIPELINE("a") "}");
    put("d/.hidden.json", "{");
    put("d/notes.txt", "{");
    expect("d", "a b ");
    expect("d/", "a b ");
    put("d/30.json", "{\"data_dir\":\"/y\",\n" ONE_PIPELINE("a") "}");
    expect("d", "d/30.json:1:2: data_dir: already set in d/10.json:1:2\n"
                "d/30.json:2:14: pipelines.a: a pipeline of this name is already defined in "
                "d/10.json:1:31\n"
                "2 errors\n");
}
END_TEST

START_TEST(includes)
{
    ck_assert_int_eq(mkdir("conf.d", 0700), 0);
    put("w.json",
        "{\"include\":[\"conf.d/*.json\",\"none.d/*.json\",\"w.json\"]," ONE_PIPELINE("a") "}");
    put("conf.d/1.json", "{\"include\":\"../more.json\"," ONE_PIPELINE("b") "}");
    put("conf.d/2.json", "{" ONE_PIPELINE("c") "}");
    put("more.json", "{\"include\":\"w.json\"," ONE_PIPELINE("d") "}");
    expect("w.json", "a b c d ");
    put("bad.json", "{\"include\":[\"gone.json\",3,\"conf.d\",\"$x\"]," ONE_PIPELINE("a") "}");
    expect("bad.json", "bad.json:1:13: include[0]: there is no file \"gone.json\"\n"
                       "bad.json:1:25: include[1]: expected a string, got 3\n"
                       "bad.json:1:27: include[2]: cannot read \"conf.d\": Is a directory\n"
                       "bad.json:1:36: include[3]: there is no file \"$x\"\n4 errors\n");
    put("conf.d/2.json", "{");
    expect("w.json", "conf.d/2.json:1:2: not valid JSON: expected a member name in double quotes, "
                     "found the end\n1 error\n");
}
END_TEST

START_TEST(unreadable)
{
    expect("gone.json", "gone.json:1:1: cannot read it: No such file or directory\n1 error\n");
    put("only.json", "{\"data_dir\":\"/x\"}");
    expect("only.json", "only.json:1:1: pipelines: required option missing\n1 error\n");
    FILE *f = fopen("big.json", "w");
    ck_assert_int_eq(ftruncate(fileno(f), (16 << 20) + 1), 0);
    fclose(f);
    expect("big.json", "big.json:1:1: cannot read it: larger than 16 MiB\n1 error\n");
}
END_TEST

START_TEST(secrets_in_files)
{
    struct config_report report = {0};
    put("secret", "h:1\n");
    setenv("T_FOLDER", dir, 1);
    char text[400];
    snprintf(text, sizeof text,
             "{\"pipelines\":{\"p\":{\"sources\":[" TAIL "],\"sinks\":"
             "[{\"type\":\"tcp\",\"address\":\"${file:%s/secret}\"}]}}}",
             dir);
    put("w.json", text);
    struct config *c = config_load("w.json", config_stages, &report);
    ck_assert_ptr_nonnull(c);
    const struct test_tcp *tcp = c->pipelines[0].sinks.items[0].settings;
    ck_assert_str_eq(tcp->address.items[0], "h:1");
    ck_assert_str_eq(c->secrets.items[0], "pipelines.p.sinks[0].address");
    config_free(&c);
    put("secret", "opensesame\n");
    expect("w.json", "w.json:1:95: pipelines.p.sinks[0].address: expected \"host:port\", got "
                     "\"***\"\n1 error\n");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("files");
    tcase_add_checked_fixture(tc, enter, leave);
    tcase_add_test(tc, directory_in_name_order);
    tcase_add_test(tc, includes);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, secrets_in_files);
    Suite *s = suite_create("config files");
    suite_add_tcase(s, tc);
    return fixture_main(s);
}
