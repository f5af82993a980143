/* The scanner: what it accepts, what it refuses and where, the index it writes, and looking into it. */
#include <dirent.h>
#include <stdio.h>

#include "fixture.h"
#include "record/arena.h"
#include "record/jscan.h"
#include "record/jscan_string.h"

/* Scan an exact copy on the heap. */
static int scan_copy(const char *text, size_t len, struct jscan_fault *fault)
{
    struct arena a = {0};
    struct jscan json;
    char *copy = malloc(len != 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    int result = jscan_text(&json, &a, copy, len, fault);
    if (result == 0) {
        ck_assert_uint_eq(json.nodes[0].next, json.count);
        for (uint32_t i = 0; i < json.count; i++) {
            ck_assert_uint_lt(json.nodes[i].start, json.nodes[i].end);
            ck_assert_uint_gt(json.nodes[i].next, i);
            ck_assert_uint_le(json.nodes[i].next, json.count);
        }
    }
    arena_clear(&a);
    free(copy);
    return result;
}

struct accepted {
    const char *text;
    size_t len;
};
#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static const struct accepted good[] = {
    TEXT("{}"),
    TEXT("[]"),
    TEXT(" [ ] "),
    TEXT("0"),
    TEXT("-0"),
    TEXT("-0.0e-0"),
    TEXT("1E+5"),
    TEXT("\"\""),
    TEXT("true"),
    TEXT("false"),
    TEXT("null"),
    TEXT("\t\r\n {\"a\" : [1 , 2 ] }\n"),
    TEXT("12345678901234567890123456789"),
    TEXT("1e999999"),
    TEXT("\"\\u0000\""),
    TEXT("\"\x7f\""),
    TEXT("\"\\ud800\""),
    TEXT("\"\\udc00\\ud800x\""),
    TEXT("{\"\":\"\",\"\":0}"),
    TEXT("{\"\\u0061\":{\"a\":[[{}]]}}"),
    TEXT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\""),
    TEXT("\"sixteen bytes ok\\\"sixteen bytes ok \xc3\xa9 sixteen bytes ok\""),
    TEXT("[\"a\",\"\\b\\f\\n\\r\\t\\/\\\\\\\"\",1.25,{\"k\":null}]"),
};

START_TEST(accepts_json)
{
    struct jscan_fault fault = {0};
    int result = scan_copy(good[_i].text, good[_i].len, &fault);
    ck_assert_msg(result == 0, "%s: %s at %u", good[_i].text, result ? fault.what : "",
                  fault.offset);
}
END_TEST

START_TEST(refuses_every_prefix)
{
    const char *text = "{\"key\":[1.5e+3,\"a\\u00e9\\n\xe2\x82\xac\",true,false,null,{\"x\":{}}]}";
    for (size_t len = 0; len < strlen(text); len++) {
        struct jscan_fault fault = {0};
        ck_assert_int_eq(scan_copy(text, len, &fault), -1);
        ck_assert_uint_le(fault.offset, len);
        ck_assert_ptr_nonnull(fault.what);
    }
    ck_assert_int_eq(scan_copy(text, strlen(text), NULL), 0);
}
END_TEST

static const struct {
    const char *text;
    size_t len;
    enum jscan_error error;
    uint32_t offset;
} wrong[] = {
#define WRONG(s, error, offset)                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1, error, offset                                                            \
    }
    WRONG("", JSCAN_CUT, 0),
    WRONG("  ", JSCAN_CUT, 2),
    WRONG("\xef\xbb\xbf{}", JSCAN_SYNTAX, 0),
    WRONG("[1,]", JSCAN_SYNTAX, 3),
    WRONG("[,1]", JSCAN_SYNTAX, 1),
    WRONG("[1 2]", JSCAN_SYNTAX, 3),
    WRONG("[1}", JSCAN_SYNTAX, 2),
    WRONG("{\"a\":1]", JSCAN_SYNTAX, 6),
    WRONG("{\"a\":1,}", JSCAN_SYNTAX, 7),
    WRONG("{\"a\",1}", JSCAN_SYNTAX, 4),
    WRONG("{a:1}", JSCAN_SYNTAX, 1),
    WRONG("{1:1}", JSCAN_SYNTAX, 1),
    WRONG("{} {}", JSCAN_SYNTAX, 3),
    WRONG("{}\0", JSCAN_SYNTAX, 2),
    WRONG("\0", JSCAN_SYNTAX, 0),
    WRONG("01", JSCAN_SYNTAX, 1),
    WRONG("-01", JSCAN_SYNTAX, 2),
    WRONG("+1", JSCAN_SYNTAX, 0),
    WRONG(".5", JSCAN_SYNTAX, 0),
    WRONG("[5.]", JSCAN_SYNTAX, 3),
    WRONG("[5.e1]", JSCAN_SYNTAX, 3),
    WRONG("[1e]", JSCAN_SYNTAX, 3),
    WRONG("[1e+]", JSCAN_SYNTAX, 4),
    WRONG("[-]", JSCAN_SYNTAX, 2),
    WRONG("[0x1]", JSCAN_SYNTAX, 2),
    WRONG("NaN", JSCAN_SYNTAX, 0),
    WRONG("[tru]", JSCAN_SYNTAX, 1),
    WRONG("[nulll]", JSCAN_SYNTAX, 5),
    WRONG("True", JSCAN_SYNTAX, 0),
    WRONG("'a'", JSCAN_SYNTAX, 0),
    WRONG("\"a", JSCAN_CUT, 2),
    WRONG("\"a\nb\"", JSCAN_SYNTAX, 2),
    WRONG("\"a\0b\"", JSCAN_SYNTAX, 2),
    WRONG("\"0123456789abcdef\x1f\"", JSCAN_SYNTAX, 17),
    WRONG("\"\\x41\"", JSCAN_SYNTAX, 2),
    WRONG("\"\\\0\"", JSCAN_SYNTAX, 2),
    WRONG("\"\\u12g4\"", JSCAN_SYNTAX, 5),
    WRONG("\"\\u12\"", JSCAN_SYNTAX, 5),
    WRONG("\"\xff\"", JSCAN_UTF8, 1),
    WRONG("\"\x80\"", JSCAN_UTF8, 1),
    WRONG("\"\xc0\xaf\"", JSCAN_UTF8, 1),
    WRONG("\"\xc3\"", JSCAN_UTF8, 1),
    WRONG("\"\xe0\x80\xaf\"", JSCAN_UTF8, 1),
    WRONG("\"\xed\xa0\x80\"", JSCAN_UTF8, 1),
    WRONG("\"\xf4\x90\x80\x80\"", JSCAN_UTF8, 1),
    WRONG("\"\xf0\x82\x82\xac\"", JSCAN_UTF8, 1),
    WRONG("\"ok \xc3\xa9\xc3\"", JSCAN_UTF8, 6),
    WRONG("[\xc3\xa9]", JSCAN_SYNTAX, 1),
    WRONG("[1]/*x*/", JSCAN_SYNTAX, 3),
    WRONG("{\"a\":1,\"b\"}", JSCAN_SYNTAX, 10),
    WRONG("\x0b[]", JSCAN_SYNTAX, 0),
};

START_TEST(refuses_with_the_place)
{
    struct jscan_fault fault = {0};
    ck_assert_msg(scan_copy(wrong[_i].text, wrong[_i].len, &fault) == -1, "row %d: %s", _i,
                  wrong[_i].text);
    ck_assert_msg(fault.error == wrong[_i].error && fault.offset == wrong[_i].offset,
                  "row %d: %s: error %d at %u: %s", _i, wrong[_i].text, (int)fault.error,
                  fault.offset, fault.what);
}
END_TEST

START_TEST(bounds_the_depth)
{
    struct jscan_fault fault = {0};
    char text[2 * (JSCAN_DEPTH_MAX + 1)];
    for (size_t depth = JSCAN_DEPTH_MAX; depth <= JSCAN_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int result = scan_copy(text, 2 * depth, &fault);
        ck_assert_int_eq(result, depth > JSCAN_DEPTH_MAX ? -1 : 0);
    }
    ck_assert_int_eq(fault.error, JSCAN_TOO_DEEP);
    ck_assert_uint_eq(fault.offset, JSCAN_DEPTH_MAX);
    ck_assert_int_eq(
        jscan_text(&(struct jscan){0}, &(struct arena){0}, text, (size_t)UINT32_MAX, &fault), -1);
    ck_assert_int_eq(fault.error, JSCAN_TOO_LONG);
}
END_TEST

START_TEST(writes_a_flat_index)
{
    struct arena a = {0};
    struct jscan j;
    const char *text = "{\"a\":[1,2.5],\"\\u0062\":null}";
    ck_assert_int_eq(jscan_text(&j, &a, text, strlen(text), NULL), 0);
    static const struct jscan_node want[] = {
        {0, 27, 7, JSCAN_OBJECT, 0, 0},
        {1, 4, 2, JSCAN_STRING, JSCAN_KEY, 0},
        {5, 12, 5, JSCAN_ARRAY, 0, 0},
        {6, 7, 4, JSCAN_NUMBER, 0, 0},
        {8, 11, 5, JSCAN_NUMBER, JSCAN_DECIMAL, 0},
        {13, 21, 6, JSCAN_STRING, JSCAN_KEY | JSCAN_ESCAPED, 0},
        {22, 26, 7, JSCAN_NULL, 0, 0},
    };
    ck_assert_uint_eq(j.count, 7);
    ck_assert_int_eq(memcmp(j.nodes, want, sizeof want), 0);
    ck_assert(!j.spaced);
    ck_assert_uint_eq(jscan_count(&j, 0), 2);
    ck_assert_uint_eq(jscan_count(&j, 2), 2);
    ck_assert_uint_eq(jscan_count(&j, 3), 0);
    ck_assert_uint_eq(jscan_member(&j, 0, "a", 1), 2);
    ck_assert_uint_eq(jscan_member(&j, 0, "b", 1), 6);
    ck_assert_uint_eq(jscan_member(&j, 0, "", 0), JSCAN_NONE);
    ck_assert_uint_eq(jscan_member(&j, 2, "a", 1), JSCAN_NONE);
    ck_assert_uint_eq(jscan_element(&j, 2, 1), 4);
    ck_assert_uint_eq(jscan_element(&j, 2, 2), JSCAN_NONE);
    ck_assert_uint_eq(jscan_element(&j, 0, 0), JSCAN_NONE);
    ck_assert_uint_eq(jscan_first(&j, 2), 3);
    ck_assert_uint_eq(jscan_sibling(&j, 2, 4), JSCAN_NONE);
    arena_clear(&a);
}
END_TEST

START_TEST(finds_the_last_of_a_repeated_name)
{
    struct arena a = {0};
    struct jscan j;
    const char *text = "{\"ab\":1,\"c\":2,\"\\u0061b\":3}";
    ck_assert_int_eq(jscan_text(&j, &a, text, strlen(text), NULL), 0);
    ck_assert_uint_eq(jscan_member(&j, 0, "ab", 2), 6);
    ck_assert_uint_eq(jscan_repeated(&j, 0), 5);
    ck_assert_int_eq(jscan_text(&j, &a, "{\"a\":1,\"b\":{\"a\":1}}", 19, NULL), 0);
    ck_assert_uint_eq(jscan_repeated(&j, 0), JSCAN_NONE);
    arena_clear(&a);
}
END_TEST

START_TEST(grows_its_index_for_dense_texts)
{
    struct arena a = {0};
    struct jscan j;
    size_t n = 200000;
    char *text = malloc(2 * n + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 * i, i == 0 ? "[0" : ",0", 2);
    text[2 * n] = ']';
    ck_assert_int_eq(jscan_text(&j, &a, text, 2 * n + 1, NULL), 0);
    ck_assert_uint_eq(j.count, n + 1);
    for (size_t i = 1; i <= n; i++)
        ck_assert(j.nodes[i].start == 2 * i - 1 && j.nodes[i].next == i + 1);
    arena_clear(&a);
    free(text);
}
END_TEST

START_TEST(scans_strings_of_every_length_around_a_word)
{
    char text[80];
    for (size_t len = 0; len < 40; len++)
        for (size_t odd = 0; odd <= len; odd++) {
            memset(text, 'x', sizeof text);
            text[0] = '"';
            text[len + 1] = '"';
            ck_assert_int_eq(scan_copy(text, len + 2, NULL), 0);
            if (odd == len)
                break;
            text[1 + odd] = odd % 2 ? '\x01' : '\x1f';
            struct jscan_fault fault;
            ck_assert_int_eq(scan_copy(text, len + 2, &fault), -1);
            ck_assert_uint_eq(fault.offset, 1 + odd);
        }
}
END_TEST

START_TEST(takes_a_string_of_a_mebibyte)
{
    size_t len = ((size_t)1 << 20) + 2;
    char *text = malloc(len);
    memset(text, 'a', len);
    text[0] = text[len - 1] = '"';
    ck_assert_int_eq(scan_copy(text, len, NULL), 0);
    text[len - 2] = '\\';
    ck_assert_int_eq(scan_copy(text, len, NULL), -1);
    free(text);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    char text[9001];
    memset(text, '[', 1);
    for (size_t i = 1; i < 9000; i += 2)
        memcpy(text + i, "0,", 2);
    text[8999] = '0';
    text[9000] = ']';
    size_t live = mem_live();
    for (unsigned long n = 1;; n++) {
        struct arena a = {0};
        struct jscan j;
        struct jscan_fault fault = {0};
        mem_fail_at(n);
        int result = jscan_text(&j, &a, text, 9001, &fault);
        bool failed = mem_failed();
        mem_fail_at(0);
        arena_clear(&a);
        ck_assert_uint_eq(mem_live(), live);
        if (!failed) {
            ck_assert_int_eq(result, 0);
            ck_assert_uint_gt(n, 2);
            break;
        }
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(fault.error, JSCAN_NOMEM);
    }
}
END_TEST

START_TEST(says_line_and_column)
{
    struct err e = {0};
    struct jscan_fault fault;
    const char *text = "{\n  \"é\": [1,\n \"ü\", x]}";
    ck_assert_int_eq(scan_copy(text, strlen(text), &fault), -1);
    ck_assert_int_eq(jscan_fault_set(&e, &fault, text, strlen(text)), -1);
    ck_assert_str_eq(e.text, "line 3, column 7: expected a value, found \"x\"");
    err_clear(&e);
    ck_assert_int_eq(scan_copy("[1", 2, &fault), -1);
    jscan_fault_set(&e, &fault, "[1", 2);
    ck_assert_str_eq(e.text, "line 1, column 3: expected \"]\", found the end");
}
END_TEST

static const struct {
    const char *s, *plain;
    size_t len;
} escapes[] = {
    {"", "", 0},
    {"plain", "plain", 5},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
    {"\\u0000", "\0", 1},
    {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac", 6},
    {"x\\ud83d\\ude00y", "x\xf0\x9f\x98\x80y", 6},
    {"\\ud83d", "\xef\xbf\xbd", 3},
    {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 6},
    {"\\ud83d\\u0041",
     "\xef\xbf\xbd"
     "A",
     4},
    {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
    {"\\ud83dxude00", "\xef\xbf\xbdxude00", 9},
};

START_TEST(reads_escapes)
{
    char out[64];
    const char *s = escapes[_i].s;
    size_t n = strlen(s);
    ck_assert_uint_eq(jscan_string_unescape(s, n, out), escapes[_i].len);
    ck_assert_int_eq(memcmp(out, escapes[_i].plain, escapes[_i].len), 0);
    ck_assert_uint_eq(jscan_string_length(s, n), escapes[_i].len);
    struct jscan_span a = {s, n, true}, b = {escapes[_i].plain, escapes[_i].len, false};
    ck_assert_int_eq(jscan_string_compare(a, b), 0);
    ck_assert_int_eq(jscan_string_compare(b, a), 0);
    memcpy(out + escapes[_i].len, "z", 1);
    b = (struct jscan_span){out, escapes[_i].len + 1, false};
    ck_assert_int_lt(jscan_string_compare(a, b), 0);
    ck_assert_int_gt(jscan_string_compare(b, a), 0);
}
END_TEST

/* --- a directory of files: y_ must be accepted, n_ refused, i_ as documented in jscan.h ----------- */

/* What is accepted of the parser's choices: numbers of any size, escaped lone surrogates, depth 500. */
static bool chosen(const char *name)
{
    return strncmp(name, "i_number_", 9) == 0 || strncmp(name, "i_object_key_lone_2nd", 21) == 0 ||
           strstr(name, "surrogate_but_2nd_missing") ||
           strstr(name, "1st_valid_surrogate_2nd_invalid") ||
           strstr(name, "incomplete_surrogate") || strstr(name, "lonely_surrogate") ||
           strcmp(name, "i_string_invalid_surrogate.json") == 0 ||
           strstr(name, "inverted_surrogates") || strstr(name, "lone_second_surrogate") ||
           strstr(name, "500_nested") || strstr(name, "_ok.");
}

static size_t check_directory(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t count = 0;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[4096];
        const char *name = entry->d_name;
        static char text[1 << 20];
        if (strstr(name, ".json") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        FILE *f = fopen(path, "rb");
        ck_assert_ptr_nonnull(f);
        size_t len = fread(text, 1, sizeof text, f);
        fclose(f);
        bool accepted = scan_copy(text, len, NULL) == 0;
        bool want = name[0] == 'y' || (name[0] == 'i' && chosen(name));
        ck_assert_msg(accepted == want, "%s: %s", name, accepted ? "accepted" : "refused");
        count++;
    }
    if (d != NULL)
        closedir(d);
    return count;
}

START_TEST(agrees_with_the_public_suite)
{
    char dir[4096];
    const char *corpora = getenv("WEIR_CORPORA"), *top = getenv("top_srcdir");
    top = top != NULL ? top : ".";
    if (corpora != NULL)
        snprintf(dir, sizeof dir, "%s/jsonsuite/test_parsing", corpora);
    else
        snprintf(dir, sizeof dir, "%s/../shared/corpora/jsonsuite/test_parsing", top);
    size_t count = check_directory(dir);
    if (count == 0)
        fprintf(stderr,
                "no public suite at %s (set WEIR_CORPORA): only the own files are checked\n", dir);
    else
        ck_assert_uint_ge(count, 300);
    snprintf(dir, sizeof dir, "%s/tests/unit/data/json", top);
    ck_assert_uint_ge(check_directory(dir), 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jscan");
    TCase *t = tcase_create("jscan");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, accepts_json, 0, sizeof good / sizeof *good);
    tcase_add_test(t, refuses_every_prefix);
    tcase_add_loop_test(t, refuses_with_the_place, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(t, bounds_the_depth);
    tcase_add_test(t, writes_a_flat_index);
    tcase_add_test(t, finds_the_last_of_a_repeated_name);
    tcase_add_test(t, grows_its_index_for_dense_texts);
    tcase_add_test(t, scans_strings_of_every_length_around_a_word);
    tcase_add_test(t, takes_a_string_of_a_mebibyte);
    tcase_add_test(t, every_failed_allocation_is_reported);
    tcase_add_test(t, says_line_and_column);
    tcase_add_loop_test(t, reads_escapes, 0, sizeof escapes / sizeof *escapes);
    tcase_add_test(t, agrees_with_the_public_suite);
    suite_add_tcase(s, t);
    return fixture_main(s);
}
