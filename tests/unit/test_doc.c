/* Docs: lookups, edits and how they render; records as a whole. */
#include "fixture.h"
#include "record/jscan.h"

/* One edit: set (value is JSON) or, with NULL, remove. */
static int edit(struct fixture *f, const char *path, const char *value)
{
    struct path *p = fixture_path(path);
    struct arena a = {0};
    struct jscan j;
    int result;
    if (value == NULL) {
        result = record_remove(f->batch, f->r, p);
    } else {
        char *copy = strdup(value); /* gone before the record is looked at: setting must copy */
        ck_assert_int_eq(jscan_text(&j, &a, copy, strlen(copy), NULL), 0);
        struct value v = value_node(&j, 0);
        result = record_set(f->batch, f->r, p, &v);
        memset(copy, 'X', strlen(copy));
        free(copy);
    }
    arena_clear(&a);
    path_free(&p);
    return result;
}

static void expect_get(const struct fixture *f, const char *path, const char *want)
{
    struct path *p = fixture_path(path);
    struct value v;
    bool found = record_get(f->batch, f->r, p, &v);
    char *got = fixture_render(&v);
    ck_assert_msg(found == (want != NULL), "%s", path);
    ck_assert_str_eq(got, want != NULL ? want : "null");
    mem_free(got);
    path_free(&p);
}

static void expect(const struct record *r, enum render_encoding encoding, const char *want)
{
    char *got = fixture_record(r, encoding);
    ck_assert_str_eq(got, want);
    mem_free(got);
}

#define EDITS_MAX 6
static const struct {
    const char *text;
    const char *edits[EDITS_MAX][2]; /* path, value */
    const char *want;
} rows[] = {
    /* an edited member stands where it stood, a new one at the end, bytes are kept, white space
       goes */
    {"{\"a\":1.50,\"b\":\"\\u0041\\/\",\"c\":[1e2]}",
     {{".b", "2"}},
     "{\"a\":1.50,\"b\":2,\"c\":[1e2]}"},
    {"{ \"a\" : 1.50 ,\t\"b\" : [ 1 , { \"x y\" : 2 } ] }\r",
     {{".c", "\"n\""}},
     "{\"a\":1.50,\"b\":[1,{\"x y\":2}],\"c\":\"n\"}"},
    {"{}", {{".a", "1"}, {".b", "2"}, {".a", "3"}}, "{\"a\":3,\"b\":2}"},
    {"{\"k\\u0065y\":1}", {{".key", "2"}}, "{\"k\\u0065y\":2}"},
    {"{\"a\":1,\"b\":2}", {{".a", NULL}}, "{\"b\":2}"},
    {"{\"a\":1}", {{".a", NULL}}, "{}"},
    {"{\"a\":1,\"b\":2}", {{".a", NULL}, {".a", "9"}}, "{\"a\":9,\"b\":2}"},
    {"{}", {{".n", "1"}, {".n", NULL}, {".m", "2"}}, "{\"m\":2}"},
    {"{\"\":1}", {{".\"\"", "2"}}, "{\"\":2}"},
    /* a repeated name: the last counts, once edited there is one */
    {"{\"a\":1,\"b\":2,\"a\":3}", {{".c", "4"}}, "{\"a\":1,\"b\":2,\"a\":3,\"c\":4}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", {{".a", "4"}}, "{\"b\":2,\"a\":4}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", {{".a", NULL}}, "{\"b\":2}"},
    /* nested */
    {"{\"a\":{\"b\":1,\"c\":2}}", {{".a.b", "\"x\""}}, "{\"a\":{\"b\":\"x\",\"c\":2}}"},
    {"{\"a\":{\"b\":1}}", {{".a.c.d", "1"}}, "{\"a\":{\"b\":1,\"c\":{\"d\":1}}}"},
    {"{}", {{".a.b.c", "1"}, {".a.b.d", "2"}}, "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
    {"{\"a\":\"s\"}", {{".a.b", "1"}}, "{\"a\":{\"b\":1}}"},
    {"{\"a\":[1]}", {{".a.b", "1"}}, "{\"a\":{\"b\":1}}"},
    {"{\"a\":{\"b\":{\"c\":1}}}", {{".a.b.c", NULL}}, "{\"a\":{\"b\":{}}}"},
    {"{\"a\":1}",
     {{".a", "{\"x\" : [ 1 ]}"}, {".a.x[0]", "{}"}, {".a.x[0].y", "2"}},
     "{\"a\":{\"x\":[{\"y\":2}]}}"},
    {"{\"a\":{\"b\":1}}", {{".a.b", "2"}, {".a", "5"}}, "{\"a\":5}"},
    {"{\"a\":{\"b\":1}}", {{".a.b", "2"}, {".a", NULL}, {".a.c", "3"}}, "{\"a\":{\"c\":3}}"},
    /* arrays */
    {"{\"a\":[1,2,3]}", {{".a[1]", "\"x\""}}, "{\"a\":[1,\"x\",3]}"},
    {"{\"a\":[1]}", {{".a[3]", "4"}, {".a[2]", "3"}}, "{\"a\":[1,null,3,4]}"},
    {"{}", {{".a[1].b", "1"}}, "{\"a\":[null,{\"b\":1}]}"},
    {"{\"a\":[1,2,3]}", {{".a[0]", NULL}, {".a[0]", NULL}}, "{\"a\":[3]}"},
    {"{\"a\":[1,{\"b\":2,\"c\":3}]}",
     {{".a[1].b", NULL}, {".a[0]", NULL}, {".a[1]", "7"}},
     "{\"a\":[{\"c\":3},7]}"},
    {"{\"a\":{\"b\":1}}", {{".a[0]", "1"}}, "{\"a\":[1]}"},
    {"{\"a\":[[1,2],[3]]}", {{".a[0][1]", NULL}, {".a[1][0]", "4"}}, "{\"a\":[[1],[4]]}"},
    /* the root */
    {"{\"a\":1}", {{".", "{\"z\":1}"}, {".y", "2"}}, "{\"z\":1,\"y\":2}"},
    {"{\"a\":1}", {{".", NULL}}, "{}"},
    {"{\"a\":1}", {{".b", "2"}, {".", NULL}, {".c", "3"}}, "{\"c\":3}"},
};

START_TEST(edits_and_renders)
{
    struct fixture f = fixture_json(rows[_i].text);
    expect(f.r, RENDER_AUTO, rows[_i].text);
    for (int i = 0; i < EDITS_MAX && rows[_i].edits[i][0] != NULL; i++)
        ck_assert_int_eq(edit(&f, rows[_i].edits[i][0], rows[_i].edits[i][1]), DOC_OK);
    ck_assert(f.r->flags & RECORD_CHANGED);
    expect(f.r, RENDER_AUTO, rows[_i].want);
    expect_get(&f, ".", rows[_i].want);
    fixture_free(&f);
}
END_TEST

START_TEST(refuses_and_changes_nothing)
{
    const char *text = "{\"a\":{\"b\":[1]}}";
    struct fixture f = fixture_json(text);
    static const char *const edits[][2] = {{".x", NULL},     {".a.x", NULL}, {".a.b[1]", NULL},
                                           {".a.b.c", NULL}, {".", "1"},     {".", "[1]"},
                                           {"@path", "1"},   {"@path", NULL}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
        ck_assert_int_eq(edit(&f, edits[i][0], edits[i][1]), DOC_REFUSED);
    ck_assert(!(f.r->flags & RECORD_CHANGED));
    expect(f.r, RENDER_AUTO, text);
    fixture_free(&f);
}
END_TEST

START_TEST(looks_up)
{
    struct fixture f = fixture_json("{\"a\":{\"b\":[1,{\"c\":-0.0e1}],\"\":null},\"n\":null,\"a "
                                    "b\":\"\\u00e9\",\"message\":7}");
    expect_get(&f, ".a.b[1].c", "-0.0e1");
    expect_get(&f, ".a.b[2]", NULL);
    expect_get(&f, ".a.b.c", NULL);
    expect_get(&f, ".a[0]", NULL);
    expect_get(&f, ".a.\"\"", "null");
    expect_get(&f, ".n", "null");
    expect_get(&f, ".n.x", NULL);
    expect_get(&f, ".\"a b\"", "\"\\u00e9\"");
    expect_get(&f, ".message", "7");
    expect(f.r, RENDER_TEXT, "7");
    edit(&f, ".a.b[1].c", "2");
    expect_get(&f, ".a.b[1].c", "2");
    expect_get(&f, ".a.b[0]", "1");
    expect_get(&f, ".a.b", "[1,{\"c\":2}]");
    edit(&f, ".message", "\"a\\tb\\u00e9\"");
    expect(f.r, RENDER_TEXT, "a\tb\xc3\xa9");
    edit(&f, ".message", NULL);
    expect(f.r, RENDER_TEXT, "");
    fixture_free(&f);
}
END_TEST

START_TEST(plain_lines_are_messages)
{
    struct fixture f = fixture_plain("a \"b\"\t\\ \xff\xc3\xa9\xe2\x82 \x01\0z", 17);
    const char *json =
        "{\"message\":\"a \\\"b\\\"\\t\\\\ \xef\xbf\xbd\xc3\xa9\xef\xbf\xbd \\u0001\\u0000z\"}";
    expect_get(&f, ".x", NULL);
    expect_get(&f, ".message.x", NULL);
    expect_get(&f, ".", NULL);
    expect(f.r, RENDER_JSON, json);
    struct buf b = {0};
    render_record(&b, f.r, RENDER_AUTO);
    render_record(&b, f.r, RENDER_TEXT);
    ck_assert_uint_eq(b.len, 34);
    ck_assert_mem_eq(b.data, f.text, 17);
    ck_assert_mem_eq(b.data + 17, f.text, 17);
    buf_clear(&b);
    ck_assert_int_eq(edit(&f, ".nope", NULL), DOC_REFUSED);
    ck_assert_uint_eq(f.r->flags, 0);
    ck_assert_int_eq(edit(&f, ".host.name", "\"h\""), DOC_OK);
    ck_assert_uint_eq(f.r->flags, RECORD_CHANGED);
    char *got = fixture_record(f.r, RENDER_AUTO);
    ck_assert_mem_eq(got, json, strlen(json) - 1);
    ck_assert_str_eq(got + strlen(json) - 1, ",\"host\":{\"name\":\"h\"}}");
    mem_free(got);
    fixture_free(&f);
}
END_TEST

START_TEST(parses_fields_into_targets)
{
    struct path *message = fixture_path(".message"), *log = fixture_path(".log"),
                *sub = fixture_path(".sub.x"), *root = fixture_path(".");
    const char *text = " {\"log\":\"{\\\"a\\\":1.0}\"} ";
    struct fixture f = fixture_plain(text, strlen(text));
    struct jscan_fault fault = {0};
    ck_assert_int_eq(record_parse(f.batch, f.r, message, root, &fault), DOC_OK);
    ck_assert_uint_eq(f.r->flags, 0);
    expect(f.r, RENDER_AUTO, " {\"log\":\"{\\\"a\\\":1.0}\"} ");
    expect(f.r, RENDER_JSON, "{\"log\":\"{\\\"a\\\":1.0}\"}");
    ck_assert_int_eq(record_parse(f.batch, f.r, log, sub, &fault), DOC_OK);
    expect(f.r, RENDER_AUTO, "{\"log\":\"{\\\"a\\\":1.0}\",\"sub\":{\"x\":{\"a\":1.0}}}");
    edit(&f, ".sub.x.b", "2");
    expect_get(&f, ".sub", "{\"x\":{\"a\":1.0,\"b\":2}}");
    ck_assert_int_eq(record_parse(f.batch, f.r, log, NULL, &fault), DOC_OK);
    expect(f.r, RENDER_AUTO, "{\"a\":1.0}");
    ck_assert_int_eq(record_parse(f.batch, f.r, log, NULL, &fault), DOC_REFUSED);
    ck_assert_str_eq(fault.what, "expected a string");
    fixture_free(&f);
    f = fixture_json("{\"log\":\"{\\\"a\\\":1}\"}");
    ck_assert_int_eq(record_parse(f.batch, f.r, log, NULL, NULL), DOC_OK);
    ck_assert_uint_eq(f.r->flags, RECORD_CHANGED);
    expect(f.r, RENDER_AUTO, "{\"a\":1}");
    fixture_free(&f);
    static const char *const bad[] = {"", "plain", "[1]", "\"s\"", "{\"a\":}", "{} x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        f = fixture_plain(bad[i], strlen(bad[i]));
        ck_assert_int_eq(record_parse(f.batch, f.r, message, NULL, &fault), DOC_REFUSED);
        ck_assert_ptr_null(f.r->doc);
        expect(f.r, RENDER_AUTO, bad[i]);
        fixture_free(&f);
    }
    path_free(&message);
    path_free(&log);
    path_free(&sub);
    path_free(&root);
}
END_TEST

START_TEST(metadata_comes_from_the_batch)
{
    struct fixture f = fixture_plain("{\"path\":1,\"@path\":2}", 20);
    expect_get(&f, "@path", NULL);
    f.batch->body->origin = origin_new("/var/log/\"x", NULL, NULL, "tail", "app");
    f.batch->body->time = 1700000000250000000;
    f.batch->body->base_offset = 77;
    expect_get(&f, "@path", "\"/var/log/\\\"x\"");
    expect_get(&f, "@host", NULL);
    expect_get(&f, "@source", "\"tail\"");
    expect_get(&f, "@pipeline", "\"app\"");
    expect_get(&f, "@offset", "77");
    expect_get(&f, "@time", "1700000000.25");
    struct path *message = fixture_path(".message");
    record_parse(f.batch, f.r, message, NULL, NULL);
    path_free(&message);
    expect_get(&f, ".@path", "2");
    expect_get(&f, "@path", "\"/var/log/\\\"x\"");
    expect_get(&f, "@peer", NULL);
    origin_unref(f.batch->body->origin);
    f.batch->body->origin = origin_new_peer("[::1]:514", "[::1]:514 1", "here", "tcp", "app");
    expect_get(&f, "@peer", "\"[::1]:514\"");
    expect_get(&f, "@path", NULL);
    expect_get(&f, "@host", "\"here\"");
    fixture_free(&f);
}
END_TEST

START_TEST(a_fork_does_not_see_the_other_ones_edits)
{
    struct fixture f = fixture_json("{\"a\":{\"b\":1}}");
    edit(&f, ".a.b", "2");
    struct chunk *fork = chunk_fork(&f.batch->chunk);
    struct fixture g = {chunk_batch(fork), &chunk_batch(fork)->records[0], NULL};
    ck_assert_int_eq(edit(&g, ".a.b", "3"), DOC_OK);
    ck_assert_int_eq(edit(&g, ".a.c", "4"), DOC_OK);
    ck_assert_int_eq(edit(&f, ".x", NULL), DOC_REFUSED);
    expect(f.r, RENDER_AUTO, "{\"a\":{\"b\":2}}");
    expect(g.r, RENDER_AUTO, "{\"a\":{\"b\":3,\"c\":4}}");
    edit(&f, ".a", "0");
    expect(f.r, RENDER_AUTO, "{\"a\":0}");
    expect(g.r, RENDER_AUTO, "{\"a\":{\"b\":3,\"c\":4}}");
    chunk_free(&fork);
    fixture_free(&f);
}
END_TEST

START_TEST(a_record_may_be_put_into_itself)
{
    struct fixture f = fixture_json("{\"a\":1}");
    struct path *copy = fixture_path(".copy"), *root = fixture_path(".");
    for (int i = 0; i < 3; i++) {
        struct value v;
        ck_assert(record_get(f.batch, f.r, root, &v));
        ck_assert_int_eq(record_set(f.batch, f.r, copy, &v), DOC_OK);
    }
    expect(f.r, RENDER_AUTO, "{\"a\":1,\"copy\":{\"a\":1,\"copy\":{\"a\":1,\"copy\":{\"a\":1}}}}");
    path_free(&copy);
    path_free(&root);
    fixture_free(&f);
}
END_TEST

/* Whatever allocation fails: the edit is reported and the record still says what it said before. */
START_TEST(every_failed_allocation_leaves_the_record)
{
    static const char *const edits[][2] = {{".b", "{\"x\":[1,2]}"},
                                           {".a[0]", NULL},
                                           {".b.x[0]", NULL},
                                           {".c.d.e", "\"s\""},
                                           {".b", NULL}};
    size_t live = mem_live();
    for (unsigned long n = 1;; n++) {
        struct fixture f = fixture_json("{\"a\":[1,{\"z\":2}],\"m\":\"x\"}");
        bool failed = false;
        for (size_t i = 0; i < 5 && !failed; i++) {
            char *before = fixture_record(f.r, RENDER_JSON);
            struct path *p = fixture_path(edits[i][0]);
            struct arena a = {0};
            struct jscan j;
            struct value v = value_null();
            if (edits[i][1] != NULL) {
                jscan_text(&j, &a, edits[i][1], strlen(edits[i][1]), NULL);
                v = value_node(&j, 0);
            }
            /* Leave the arena no room, so that each edit allocates. */
            f.batch->body->arena.at = f.batch->body->arena.end;
            mem_fail_at(n);
            int result = edits[i][1] != NULL ? record_set(f.batch, f.r, p, &v)
                                             : record_remove(f.batch, f.r, p);
            failed = mem_failed();
            mem_fail_at(0);
            ck_assert_int_eq(result, failed ? DOC_NOMEM : DOC_OK);
            char *after = fixture_record(f.r, RENDER_JSON);
            ck_assert((strcmp(before, after) == 0) == failed);
            mem_free(before);
            mem_free(after);
            arena_clear(&a);
            path_free(&p);
        }
        fixture_free(&f);
        ck_assert_uint_eq(mem_live(), live);
        if (!failed)
            break;
        ck_assert_uint_lt(n, 100);
    }
}
END_TEST

START_TEST(a_full_buffer_says_so)
{
    struct fixture f = fixture_json("{\"a\":[ 1,{\"z\":2}],\"m\":\"x\"}");
    edit(&f, ".q", "\"\\u00e9\"");
    struct buf b = {0};
    mem_fail_at(1);
    render_record(&b, f.r, RENDER_JSON);
    mem_fail_at(0);
    ck_assert(b.failed);
    buf_clear(&b);
    fixture_free(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("doc");
    TCase *t = tcase_create("doc");
    tcase_add_loop_test(t, edits_and_renders, 0, sizeof rows / sizeof *rows);
    tcase_add_test(t, refuses_and_changes_nothing);
    tcase_add_test(t, looks_up);
    tcase_add_test(t, plain_lines_are_messages);
    tcase_add_test(t, parses_fields_into_targets);
    tcase_add_test(t, metadata_comes_from_the_batch);
    tcase_add_test(t, a_fork_does_not_see_the_other_ones_edits);
    tcase_add_test(t, a_record_may_be_put_into_itself);
    tcase_add_test(t, every_failed_allocation_leaves_the_record);
    tcase_add_test(t, a_full_buffer_says_so);
    suite_add_tcase(s, t);
    return fixture_main(s);
}
