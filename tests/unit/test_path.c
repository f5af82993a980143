/* Paths: what they compile to, what is wrong with them and where. */
#include "fixture.h"

START_TEST(compiles)
{
    struct path *p = fixture_path(".a.b_2[0][12].\"odd \\u0061 key\".@x.é");
    ck_assert_uint_eq(p->count, 7);
    ck_assert(p->meta == PATH_FIELD && !p->message);
    ck_assert_mem_eq(p->steps[1].key, "b_2", 3);
    ck_assert_ptr_null(p->steps[2].key);
    ck_assert_uint_eq(p->steps[3].index, 12);
    ck_assert_uint_eq(p->steps[4].len, 9);
    ck_assert_mem_eq(p->steps[4].key, "odd a key", 9);
    ck_assert_mem_eq(p->steps[5].key, "@x", 2);
    ck_assert_uint_eq(p->steps[6].len, 2);
    ck_assert_str_eq(p->text, ".a.b_2[0][12].\"odd \\u0061 key\".@x.é");
    path_free(&p);
    ck_assert_ptr_null(p);
}
END_TEST

START_TEST(knows_root_message_and_metadata)
{
    struct path *p = fixture_path(".");
    ck_assert_uint_eq(p->count, 0);
    path_free(&p);
    p = fixture_path(".message");
    ck_assert(p->message);
    path_free(&p);
    p = fixture_path(".\"message\"");
    ck_assert(p->message);
    path_free(&p);
    p = fixture_path(".\"\"");
    ck_assert(p->count == 1 && p->steps[0].len == 0 && p->steps[0].key != NULL);
    path_free(&p);
    static const char *const names[] = {"@path", "@peer", "@offset", "@host",
                                        "@time", "@source", "@pipeline"};
    for (unsigned i = 0; i < 7; i++) {
        p = fixture_path(names[i]);
        ck_assert_uint_eq(p->meta, PATH_META_PATH + i);
        path_free(&p);
    }
}
END_TEST

static const struct {
    const char *text, *error;
} wrong[] = {
    {"", "column 1: expected a path: \".field\" or \"@metadata\""},
    {"message", "column 1: expected a path: \".field\" or \"@metadata\""},
    {"@nope",
     "column 1: unknown metadata: expected @path, @peer, @offset, @host, @time, @source or @pipeline"},
    {"@",
     "column 1: unknown metadata: expected @path, @peer, @offset, @host, @time, @source or @pipeline"},
    {"@path.x", "column 6: expected the end of the path (odd names go in double quotes)"},
    {".a.", "column 4: expected a name after the dot"},
    {"..a", "column 2: expected the end of the path (odd names go in double quotes)"},
    {".é b", "column 3: expected the end of the path (odd names go in double quotes)"},
    {".a-b", "column 3: expected the end of the path (odd names go in double quotes)"},
    {".a[", "column 4: expected an index: a number from 0"},
    {".a[x]", "column 4: expected an index: a number from 0"},
    {".a[-1]", "column 4: expected an index: a number from 0"},
    {".a[1", "column 5: expected \"]\" after the index"},
    {".a[65536]", "column 4: expected an index of at most 65535"},
    {".a[99999999999999999999]", "column 4: expected an index of at most 65535"},
    {".\"a", "column 4: expected '\"' at the end of the name"},
    {".\"a\\\"", "column 6: expected '\"' at the end of the name"},
    {".\"\\q\"", "column 4: expected one of \" \\ / b f n r t u after the backslash"},
    {".\"\xff\"", "column 3: expected UTF-8"},
};

START_TEST(says_what_is_wrong)
{
    struct err e = {0};
    struct path *p = path_new(wrong[_i].text, strlen(wrong[_i].text), &e);
    ck_assert_ptr_null(p);
    ck_assert_str_eq(e.text, wrong[_i].error);
}
END_TEST

START_TEST(bounds_its_steps)
{
    char text[2 * (PATH_STEPS_MAX + 1)];
    struct err e = {0};
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, ".a", 2);
    struct path *p = path_new(text, sizeof text - 2, &e);
    ck_assert_ptr_nonnull(p);
    path_free(&p);
    ck_assert_ptr_null(path_new(text, sizeof text, &e));
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    size_t live = mem_live();
    for (unsigned long n = 1;; n++) {
        struct err e = {0};
        mem_fail_at(n);
        struct path *p = path_new(".a.\"b\"[1]", 9, &e);
        bool failed = mem_failed();
        mem_fail_at(0);
        ck_assert_int_eq(e.code, failed ? ERR_NOMEM : 0);
        ck_assert(failed == (p == NULL));
        path_free(&p);
        ck_assert_uint_eq(mem_live(), live);
        if (!failed)
            break;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("path");
    tcase_add_test(t, compiles);
    tcase_add_test(t, knows_root_message_and_metadata);
    tcase_add_loop_test(t, says_what_is_wrong, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(t, bounds_its_steps);
    tcase_add_test(t, every_failed_allocation_is_reported);
    suite_add_tcase(s, t);
    return fixture_main(s);
}
