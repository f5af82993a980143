/* The stages that are built in: their tables are sound, their examples good, their manuals
 * complete. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/options.h"
#include "config/report.h"
#include "fixture.h"
#include "stage/config.h"
#include "stage/manual.h"
#include "stage/pipeline_config.h"
#include "stage/stages.h"

/* A table can be read without looking at its owner: types have what they need, words are there. */
static void check_table(const char *owner, const struct option *table)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        ck_assert_msg(o->words != NULL && o->words[0] != '\0', "%s.%s: no words", owner, o->key);
        ck_assert_msg(options_find(table, o->key) == o, "%s.%s: twice", owner, o->key);
        ck_assert_msg((o->type == OPTION_CHOICE) == (o->choices != NULL), "%s.%s", owner, o->key);
        ck_assert_msg((o->type == OPTION_OBJECT) == (o->fields != NULL), "%s.%s", owner, o->key);
        ck_assert_msg(!o->required || o->fallback == NULL, "%s.%s", owner, o->key);
        if (o->type == OPTION_OBJECT)
            check_table(o->key, o->fields);
    }
}

/* Defaults are read as if they were written: options_defaults asserts that they are good. */
static void check_defaults(const struct stage *s)
{
    void *settings = mem_zalloc(1, s->settings_size + 1);
    ck_assert_int_eq(options_defaults(s->options, settings), 0);
    options_free(s->options, settings);
    mem_free(settings);
    for (const struct option *o = s->options; o != NULL && o->key != NULL; o++)
        ck_assert_msg(o->type == OPTION_ABSENT || o->offset < s->settings_size, "%s.%s", s->type,
                      o->key);
}

/* ${s}'s example in a pipeline that suits it. */
static void check_example(const struct stage *s)
{
    struct config_report report = {0};
    struct buf text = {0}, told = {0};
    bool source = s->kind == STAGE_SOURCE, transform = s->kind == STAGE_TRANSFORM;
    buf_fmt(&text, "{\"pipelines\":{\"p\":{\"sources\":[%s],\"transforms\":[%s],\"sinks\":[%s]}}}",
            source ? s->example : "{\"type\":\"stdin\"}", transform ? s->example : "",
            !source && !transform ? s->example : "{\"type\":\"stdout\"}");
    struct config *c = config_parse(s->type, buf_cstr(&text), text.len, stages, &report);
    report_text(&report, &told);
    bool left_out = c == NULL && strstr(buf_cstr(&told), "not built in (weir was built without") != NULL;
    ck_assert_msg(c != NULL || left_out, "%s: %s", s->type, buf_cstr(&told));
    config_free(&c);
    report_clear(&report);
    buf_clear(&text);
    buf_clear(&told);
}

START_TEST(tables_are_sound)
{
    check_table("top", config_options);
    check_table("pipeline", pipeline_config_options);
    for (enum stage_kind kind = STAGE_SOURCE; kind <= STAGE_SINK; kind++)
        check_table(stages_kind_name(kind), stages_common(kind));
    for (size_t i = 0; stages[i] != NULL; i++) {
        check_table(stages[i]->type, stages[i]->options);
        check_defaults(stages[i]);
    }
}
END_TEST

START_TEST(own_options_do_not_hide_common_ones)
{
    for (size_t i = 0; stages[i] != NULL; i++) {
        const struct option *common = stages_common(stages[i]->kind);
        for (const struct option *o = common; o->key != NULL; o++)
            ck_assert_msg(options_find(stages[i]->options, o->key) == NULL, "%s.%s",
                          stages[i]->type, o->key);
    }
}
END_TEST

START_TEST(built_in_is_not_planned)
{
    for (size_t i = 0; stages[i] != NULL; i++) {
        ck_assert_ptr_eq(stages_find(stages, stages[i]->kind, stages[i]->type), stages[i]);
        ck_assert_msg(!stages_planned(stages[i]->kind, stages[i]->type), "%s", stages[i]->type);
    }
}
END_TEST

START_TEST(examples_are_good)
{
    for (size_t i = 0; stages[i] != NULL; i++)
        check_example(stages[i]);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(manuals_fit_the_screen)
{
    for (size_t i = 0; stages[i] != NULL; i++) {
        struct buf page = {0};
        manual_stage(stages[i], &page);
        const char *example = strstr(buf_cstr(&page), "\nExample\n");
        ck_assert_ptr_nonnull(example);
        for (const char *p = page.data; p < example;) {
            size_t len = strcspn(p, "\n");
            bool heading = p[0] == ' ' && p[2] != ' ';
            ck_assert_msg(heading || len <= 80, "%s: %.*s", stages[i]->type, (int)len, p);
            p += len + 1;
        }
        for (const struct option *o = stages[i]->options; o->key != NULL; o++)
            ck_assert_msg((o->type == OPTION_ABSENT) == (strstr(page.data, o->key) == NULL),
                          "%s.%s", stages[i]->type, o->key);
        buf_clear(&page);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("stages");
    tcase_add_test(tc, tables_are_sound);
    tcase_add_test(tc, own_options_do_not_hide_common_ones);
    tcase_add_test(tc, built_in_is_not_planned);
    tcase_add_test(tc, examples_are_good);
    tcase_add_test(tc, manuals_fit_the_screen);
    Suite *s = suite_create("stages");
    suite_add_tcase(s, tc);
    return fixture_main(s);
}
