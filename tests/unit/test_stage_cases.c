/* The tables of records that the manual shows of each transform: executed, through a dry run of the real chain. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dry_run.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/regex.h"
#include "stage/config.h"
#include "stage/stages.h"

static struct buf got;
static size_t records;

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static void collect(void *arg, const struct dry_account *a)
{
    (void)arg;
    for (size_t i = 0; i < a->output_count; i++) {
        buf_add(&got, a->outputs[i].bytes.data, a->outputs[i].bytes.len);
        records += count_lines(a->outputs[i].bytes.data, a->outputs[i].bytes.len);
    }
}

static struct config *load(const struct stage *s, const struct stage_case *c)
{
    struct buf text = {0};
    struct config_report report = {0};
    bool parse = c->input[0] == '{' && !s->cases_plain;
    buf_fmt(&text, "{\"pipelines\":{\"t\":{\"sources\":[{\"type\":\"stdin\"}],\"transforms\":[%s{\"type\":\"%s\"%s%s}],"
                   "\"sinks\":[{\"type\":\"blackhole\"}]}}}",
            parse ? "{\"type\":\"json\"}," : "", s->type, c->options[0] != '\0' ? "," : "", c->options);
    struct config *config = config_parse("case", buf_cstr(&text), text.len, stages, &report);
    if (config == NULL) {
        struct buf why = {0};
        report_text(&report, &why);
        ck_abort_msg("%s: %s\n%s", s->type, text.data, buf_cstr(&why));
    }
    report_clear(&report);
    buf_clear(&text);
    return config;
}

static void run_case(const struct stage *s, const struct stage_case *c)
{
    char path[] = "stage-case-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, c->input, strlen(c->input)), (ssize_t)strlen(c->input));
    close(fd);
    struct config *config = load(s, c);
    struct dry_options options = {.input = path, .account = collect};
    struct dry_summary summary;
    struct err e = {0};
    got.len = records = 0;
    ck_assert_msg(dry_run(config, &options, &summary, &e) == 0, "%s: %s", s->type, e.text);
    unlink(path);
    ck_assert_msg(records == (c->output != NULL ? count_lines(c->output, strlen(c->output)) + 1 : 0), "%s {%s}: %s: %zu records came out", s->type, c->options,
                  c->input, records);
    if (c->output != NULL) {
        buf_cstr(&got);
        ck_assert_msg(got.len == strlen(c->output) + 1 && memcmp(got.data, c->output, got.len - 1) == 0,
                      "%s {%s}: %s\nexpected %s\ngot      %.*s", s->type, c->options, c->input, c->output,
                      (int)got.len, got.data);
    }
    dry_summary_clear(&summary);
    config_free(&config);
}

static bool needs_patterns(const struct stage *s, const struct stage_case *c)
{
    return strcmp(s->type, "regex") == 0 || strstr(c->options, "\"custom\"") != NULL;
}

START_TEST(cases_are_true)
{
    unsigned count = 0;
    log_setup(LOG_ERROR, LOG_TEXT, false);
    for (size_t i = 0; stages[i] != NULL; i++) {
        for (const struct stage_case *c = stages[i]->cases; c != NULL && c->input != NULL; c++, count++)
            if (regex_built_in() || !needs_patterns(stages[i], c))
                run_case(stages[i], c);
    }
    ck_assert_uint_gt(count, 20);
    buf_clear(&got);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(transforms_of_records_have_cases)
{
    for (size_t i = 0; stages[i] != NULL; i++)
        if (stages[i]->kind == STAGE_TRANSFORM && stages[i]->out == PAYLOAD_RECORDS)
            ck_assert_msg(stages[i]->cases != NULL, "%s has no table of cases", stages[i]->type);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stage cases");
    TCase *tc = tcase_create("cases");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, cases_are_true);
    tcase_add_test(tc, transforms_of_records_have_cases);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
