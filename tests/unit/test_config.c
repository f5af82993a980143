/* What a good configuration becomes; twelve mistakes at once; no memory at any allocation. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"
#include "config_stages.h"
#include "config_text.h"
#include "fixture.h"
#include "record/path.h"
#include "stage/config.h"
#include "stage/manual.h"
#include "stage/reference.h"
#include "stage/schema.h"

static const char full[] =
    "{\"$schema\":\"x${y\",\"data_dir\":\"/"
    "d\",\"memory_limit\":\"8MiB\",\"shutdown_timeout\":\"1.5s\",\n"
    "\"pipelines\":{\"p\":{\n"
    "\"sources\":[{\"type\":\"tail\",\"include\":[\"a\",\"b\"],\"start_at\":\"end\",\"max_line_"
    "bytes\":2048,\n"
    "  \"rescan_interval\":\"250ms\",\"strip_cr\":true,\"queue\":{\"max_bytes\":\"2MB\"}}],\n"
    "\"transforms\":[{\"type\":\"json\",\"field\":\".a.b\",\"on_error\":\"drop\"},{\"type\":"
    "\"filter\",\"where\":\".x\"},\n"
    "  {\"type\":\"gzip\",\"level\":9}],\n"
    "\"sinks\":[{\"type\":\"tcp\",\"address\":\"h:1\",\"queue\":{\"when_full\":\"drop_oldest\"}},\n"
    "  {\"type\":\"tcp\",\"name\":\"tcp-2\",\"address\":[\"a:1\",\"[::1]:2\"],\"bind\":\"b:3\"},\n"
    "  {\"type\":\"file\",\"path\":\"/f\",\"mode\":\"0600\",\"rotate\":{\"max_bytes\":\"1KiB\"}},\n"
    "  {\"type\":\"tcp\",\"address\":\"c:1\"}]},\n"
    "\"q\":{\"sources\":[" TAIL "],\"sinks\":[{\"type\":\"lines\",\"where\":\".a == 1\",\n"
    "  \"transforms\":[{\"type\":\"json\"},{\"type\":\"json\"}]}]}}}";

START_TEST(values_land)
{
    struct config *c = config_text_good(full);
    ck_assert_str_eq(c->data_dir, "/d");
    ck_assert_uint_eq(c->memory_limit, 8 << 20);
    ck_assert_double_eq(c->shutdown_timeout, 1.5);
    ck_assert_uint_eq(c->pipeline_count, 2);
    const struct pipeline_config *p = &c->pipelines[0];
    const struct test_tail *tail = p->sources.items[0].settings;
    ck_assert_uint_eq(tail->include.count, 2);
    ck_assert_str_eq(tail->include.items[1], "b");
    ck_assert_int_eq(tail->start_at, 1);
    ck_assert_uint_eq(tail->max_line_bytes, 2048);
    ck_assert_double_eq(tail->rescan_interval, 0.25);
    ck_assert(tail->strip_cr);
    ck_assert_uint_eq(p->sources.items[0].queue.max_bytes, 2000000);
    const struct test_json *json = p->transforms.items[0].settings;
    ck_assert_str_eq(json->field->text, ".a.b");
    ck_assert_int_eq(json->on_error, 1);
    ck_assert_ptr_nonnull(((struct test_filter *)p->transforms.items[1].settings)->where);
    ck_assert_int_eq(((struct test_gzip *)p->transforms.items[2].settings)->level, 9);
    const struct test_tcp *tcp = p->sinks.items[1].settings;
    ck_assert_str_eq(tcp->address.items[1], "[::1]:2");
    ck_assert_str_eq(tcp->bind, "b:3");
    const struct test_file *file = p->sinks.items[2].settings;
    ck_assert_uint_eq(file->mode, 0600);
    ck_assert_uint_eq(file->rotate.max_bytes, 1024);
    ck_assert_int_eq(file->rotate.keep, 5);
    config_free(&c);
}
END_TEST

START_TEST(defaults_hold)
{
    struct config *c =
        config_text_good(PIPELINE(TAIL, "{\"type\":\"json\"},{\"type\":\"gzip\"}", TCP));
    ck_assert_ptr_null(c->data_dir);
    ck_assert_uint_eq(c->memory_limit, 64 << 20);
    ck_assert_double_eq(c->shutdown_timeout, 25);
    const struct pipeline_config *p = &c->pipelines[0];
    const struct test_tail *tail = p->sources.items[0].settings;
    ck_assert_int_eq(tail->start_at, 0);
    ck_assert_uint_eq(tail->max_line_bytes, 1 << 20);
    ck_assert_double_eq(tail->rescan_interval, 10);
    ck_assert_str_eq(((struct test_json *)p->transforms.items[0].settings)->field->text,
                     ".message");
    ck_assert_int_eq(((struct test_gzip *)p->transforms.items[1].settings)->level, 6);
    ck_assert_ptr_null(((struct test_tcp *)p->sinks.items[0].settings)->bind);
    ck_assert_uint_eq(p->sinks.items[0].queue.max_bytes, 1 << 20);
    ck_assert_int_eq(p->sinks.items[0].queue.when_full, WHEN_FULL_BLOCK);
    ck_assert_int_eq(p->sinks.items[0].queue.type, 0);
    config_free(&c);
}
END_TEST

START_TEST(names_are_unique)
{
    struct config *c = config_text_good(full);
    const struct stage_list *sinks = &c->pipelines[0].sinks;
    ck_assert_str_eq(sinks->items[0].name, "tcp");
    ck_assert_str_eq(sinks->items[1].name, "tcp-2");
    ck_assert_str_eq(sinks->items[2].name, "file");
    ck_assert_str_eq(sinks->items[3].name, "tcp-3");
    const struct stage_config *lines = &c->pipelines[1].sinks.items[0];
    ck_assert_ptr_nonnull(lines->where);
    ck_assert_str_eq(lines->transforms.items[0].name, "json");
    ck_assert_str_eq(lines->transforms.items[1].name, "json-2");
    ck_assert_ptr_null(lines->at);
    config_free(&c);
}
END_TEST

START_TEST(strings_are_substituted)
{
    setenv("T_DIR", "/a", 1);
    setenv("T_TOKEN", "${T_DIR}", 1);
    setenv("T_EMPTY", "", 1);
    struct config *c =
        config_text_good(PIPELINE("{\"type\":\"tail\",\"include\":[\"${T_DIR}/"
                                  "x\",\"$${T_DIR}\",\"$$${T_DIR}\",\"${T_TOKEN}\","
                                  "\"${T_EMPTY:-d}${T_EMPTY}\",\"${T_NONE:-}\",\"$T $ {}\"],"
                                  "\"max_line_bytes\":\"${T_NONE:-64KiB}\"}",
                                  "", TCP));
    const struct test_tail *tail = c->pipelines[0].sources.items[0].settings;
    static const char *const want[] = {"/a/x", "${T_DIR}", "$${T_DIR}", "${T_DIR}",
                                       "d",    "",         "$T $ {}"};
    for (size_t i = 0; i < tail->include.count; i++)
        ck_assert_str_eq(tail->include.items[i], want[i]);
    ck_assert_uint_eq(tail->max_line_bytes, 65536);
    ck_assert_uint_eq(c->secrets.count, 1);
    ck_assert_str_eq(c->secrets.items[0], "pipelines.p.sources[0].include[3]");
    config_free(&c);
}
END_TEST

static const char twelve[] =
    "{\n"                                                                /* 1 */
    "  \"data_dri\": \"/var/lib/weir\",\n"                               /* 2: unknown key */
    "  \"memory_limit\": \"64 MiB\",\n"                                  /* 3: no size */
    "  \"pipelines\": {\n"                                               /* 4 */
    "    \"app\": {\n"                                                   /* 5 */
    "      \"sources\": [ { \"type\": \"tail\" },\n"                     /* 6: include is missing */
    "                   { \"type\": \"tial\" } ],\n"                     /* 7: unknown type */
    "      \"transforms\": [ { \"type\": \"gzip\", \"level\": 12 },\n"   /* 8: out of bounds */
    "                      { \"type\": \"json\", \"feild\": \".a\" },\n" /* 9: payload, unknown key
                                                                          */
    "                      { \"type\": \"filter\", \"where\": \".a =! 1\" } ],\n" /* 10: expression
                                                                                   */
    "      \"sinks\": [ { \"type\": \"tcp\", \"address\": \"localhost\", \"address\": 1 },\n" /* 11:
                                                                                                 address,
                                                                                                 twice
                                                                                               */
    "                 { \"type\": \"file\", \"path\": \"${T_UNSET}\", \"mode\": true } ]\n"   /* 12:
                                                                                                 unset,
                                                                                                 type
                                                                                               */
    "    }\n  }\n}\n";

static const char twelve_report[] =
    "w.json:2:3: data_dri: unknown option (did you mean \"data_dir\"?)\n"
    "w.json:3:19: memory_limit: expected a size such as 4096 or \"64KiB\", got \"64 MiB\"\n"
    "w.json:6:20: pipelines.app.sources[0].include: required option missing\n"
    "w.json:7:30: pipelines.app.sources[1].type: unknown source \"tial\" (did you mean \"tail\"?)\n"
    "w.json:8:50: pipelines.app.transforms[0].level: expected 1 to 9, got 12\n"
    "w.json:9:23: pipelines.app.transforms[1]: \"json\" needs records, but \"gzip\" before it "
    "gives bytes\n"
    "w.json:9:41: pipelines.app.transforms[1].feild: unknown option (did you mean \"field\"?)\n"
    "w.json:10:56: pipelines.app.transforms[2].where: column 4: expected \"==\", found \"=\"\n"
    "w.json:11:46: pipelines.app.sinks[0].address: expected \"host:port\", got \"localhost\"\n"
    "w.json:11:59: pipelines.app.sinks[0].address: duplicate key (first at line 11, column 35)\n"
    "w.json:12:45: pipelines.app.sinks[1].path: the environment variable T_UNSET is not set "
    "(\"${T_UNSET:-default}\" "
    "gives it a default)\n"
    "w.json:12:66: pipelines.app.sinks[1].mode: expected permission bits in octal such as "
    "\"0640\", got true\n"
    "12 errors\n";

START_TEST(twelve_mistakes_at_once)
{
    unsetenv("T_UNSET");
    char *got = config_text_report(twelve);
    ck_assert_str_eq(got, twelve_report);
    mem_free(got);
}
END_TEST

START_TEST(report_as_json)
{
    struct config_report report = {0};
    struct buf out = {0};
    struct config *c = config_parse("w\xff.json", twelve, strlen(twelve), config_stages, &report);
    ck_assert_ptr_null(c);
    report_json(&report, &out);
    json_t *array = json_loadb(out.data, out.len, 0, NULL);
    ck_assert_uint_eq(json_array_size(array), 12);
    json_t *first = json_array_get(array, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "file")), "w?.json");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "line")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "column")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(first, "path")), "data_dri");
    ck_assert_str_eq(json_string_value(json_object_get(first, "message")),
                     "unknown option (did you mean \"data_dir\"?)");
    json_decref(array);
    buf_clear(&out);
    report_clear(&report);
}
END_TEST

/* Parse ${text} and render all with allocation ${nth} failing. False: it was never reached. */
static bool survives(const char *text, unsigned long nth)
{
    struct config_report report = {0};
    struct buf out = {0};
    mem_fail_at(nth);
    struct config *c = config_parse("w.json", text, strlen(text), config_stages, &report);
    report_text(&report, &out);
    bool parsed = !mem_failed();
    report_json(&report, &out);
    manual_stage(config_stages[0], &out);
    reference_markdown(config_stages, &out);
    schema_add(config_stages, &out);
    bool failed = mem_failed();
    mem_fail_at(0);
    ck_assert_msg(!failed || parsed || report.failed || out.failed, "allocation %lu", nth);
    ck_assert_msg(!failed || out.failed || report.failed, "allocation %lu: nobody noticed", nth);
    ck_assert(!report.failed || c == NULL);
    config_free(&c);
    report_clear(&report);
    buf_clear(&out);
    return failed;
}

static void fail_each(const char *text)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    unsigned long nth = 1;
    while (survives(text, nth))
        nth++;
    ck_assert_uint_gt(nth, 100);
    ck_assert_uint_eq(mem_live(), 0);
}

START_TEST(no_memory_for_a_good_one)
{
    fail_each(full);
}
END_TEST

START_TEST(no_memory_for_a_bad_one)
{
    fail_each(twelve);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, values_land);
    tcase_add_test(tc, defaults_hold);
    tcase_add_test(tc, names_are_unique);
    tcase_add_test(tc, strings_are_substituted);
    tcase_add_test(tc, twelve_mistakes_at_once);
    tcase_add_test(tc, report_as_json);
    tcase_add_test(tc, no_memory_for_a_good_one);
    tcase_add_test(tc, no_memory_for_a_bad_one);
    Suite *s = suite_create("config");
    suite_add_tcase(s, tc);
    return fixture_main(s);
}
