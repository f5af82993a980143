/* Expressions: what each gives, what is wrong with others and at which column, and that running
 * them allocates nothing. */
#include "config.h"

#include "fixture.h"
#include "record/expr.h"
#include "record/regex.h"
#include "record/scratch.h"

static const char record[] = "{\"s\":\"Hello\",\"e\":\"\\u0048ell\\u006f\",\"i\":42,\"big\":"
                             "9007199254740993,\"huge\":12345678901234567890,"
                             "\"d\":1.50,\"t\":true,\"f\":false,\"n\":null,\"a\":[\"x\",1,[2]],"
                             "\"o\":{\"k\":\"v\",\"\\u006b2\":2},\"u\":\"h\\u00e9\xe2\x82\xac\","
                             "\"lone\":\"\\ud800\",\"nul\":\"a\\u0000b\",\"\":\"empty\",\"num\":"
                             "\"007\",\"neg\":-5,\"min\":-9223372036854775808}";

static const struct {
    const char *expr, *want;
} rows[] = {
    /* literals */
    {"1", "1"},
    {"1.50", "1.50"},
    {"-0", "0"},
    {"1e400", "1e400"},
    {"true", "true"},
    {"null", "null"},
    {"\"a\\u0062\\n\\\"\"", "\"ab\\n\\\"\""},
    {"'a\\n\"'", "\"a\\\\n\\\"\""},
    {"''", "\"\""},
    {"[]", "[]"},
    {"[\"a\", 'b', -1, 2.50, null, true]", "[\"a\",\"b\",-1,2.50,null,true]"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775808", "9223372036854775808"},
    /* paths */
    {".s", "\"Hello\""},
    {".e", "\"\\u0048ell\\u006f\""},
    {".a[2][0]", "2"},
    {".o.k2", "2"},
    {".\"\"", "\"empty\""},
    {".missing", "null"},
    {".a[9]", "null"},
    {".s.x", "null"},
    {"@offset", "0"},
    {"@path", "null"},
    {".o", "{\"k\":\"v\",\"\\u006b2\":2}"},
    /* equality */
    {".s == \"Hello\"", "true"},
    {".e == 'Hello'", "true"},
    {".e == .s", "true"},
    {".s != .e", "false"},
    {".nul == \"a\\u0000b\"", "true"},
    {".lone == \"\\ufffd\"", "true"},
    {"1 == 1.0", "true"},
    {"1 == \"1\"", "false"},
    {"1 != \"1\"", "true"},
    {"null == .missing", "true"},
    {".n == .missing", "true"},
    {"false == null", "false"},
    {"true == true", "true"},
    {".a == [\"x\", 1]", "false"},
    {".a == .a", "true"},
    {"[1, 2] == [1.0, 2]", "true"},
    {".o == .o", "true"},
    {".o == .a", "false"},
    {"[] == []", "true"},
    {"[] != .missing", "true"},
    {".big == 9007199254740993", "true"},
    {".big == 9007199254740992", "false"},
    {".big == 9007199254740992.0", "false"},
    {".huge == 12345678901234567891", "false"},
    {".huge == 12345678901234567890", "true"},
    /* order */
    {"1 < 2", "true"},
    {"2 <= 2.0", "true"},
    {".big > 9007199254740992.0", "true"},
    {"1e400 > 1e399", "true"},
    {"\"a\" < \"b\"", "true"},
    {"\"a\" < \"a\\u0000\"", "true"},
    {"\"Z\" < \"a\"", "true"},
    {".e >= .s", "true"},
    {"1 < \"2\"", "false"},
    {"1 >= \"2\"", "false"},
    {"null < 1", "false"},
    {"null >= null", "false"},
    {"true > false", "false"},
    {"[1] < [2]", "false"},
    {".missing < 1", "false"},
    /* logic */
    {"true and true", "true"},
    {"true and 1", "false"},
    {"1 and true", "false"},
    {"null and true", "false"},
    {"1 or 0", "false"},
    {"null or true", "true"},
    {"not null", "true"},
    {"not true", "false"},
    {"not not 1", "false"},
    {"not not true", "true"},
    {"!.t", "false"},
    {"!.f && .t", "true"},
    {"true || false && false", "true"},
    {"not .i == 41", "true"},
    {"!.i == 41", "false"},
    {".t or .t and .f", "true"},
    {"(.t or .t) and .f", "false"},
    {"true and true and true and false or true", "true"},
    {".t ? 1 : 2", "1"},
    {".n ? 1 : 2", "2"},
    {".f ? 1 : .t ? 2 : 3", "2"},
    {".t ? .f ? 1 : 2 : 3", "2"},
    {"1 ? 2 : 3", "3"},
    {"(.t and .i > 41) ? .s : null", "\"Hello\""},
    /* parts */
    {".s contains \"ell\"", "true"},
    {".e contains 'ell'", "true"},
    {".s contains ''", "true"},
    {".s contains 'x'", "false"},
    {"\"ell\" in .e", "true"},
    {".a contains 1.0", "true"},
    {".a contains [2]", "true"},
    {".a contains 2", "false"},
    {"'x' in .a", "true"},
    {"'k2' in .o", "true"},
    {"'q' in .o", "false"},
    {".o contains 'k'", "true"},
    {"1 in 1", "false"},
    {".i contains 4", "false"},
    {".s in ['a', 'Hello']", "true"},
    {".s not in ['a']", "true"},
    {".s not in ['Hello']", "false"},
    {".missing in [null]", "true"},
    {".missing in []", "false"},
    {".s starts_with 'He'", "true"},
    {".e starts_with .s", "true"},
    {".s starts_with 'Hello!'", "false"},
    {".s ends_with 'lo'", "true"},
    {".e ends_with 'lo'", "true"},
    {".i starts_with 4", "false"},
    {"'' ends_with ''", "true"},
    /* arithmetic */
    {"1 + 2 * 3", "7"},
    {"(1 + 2) * 3", "9"},
    {"7 - 2 - 1", "4"},
    {"7 / 2", "3.5"},
    {"8 / 2 / 2", "2"},
    {"-7 % 3", "-1"},
    {"7.5 % 2", "1.5"},
    {"1 / 0", "null"},
    {"1 % 0", "null"},
    {"1.0 / 0", "null"},
    {"1 + null", "null"},
    {"1 + \"1\"", "null"},
    {"\"a\" + \"b\" + .e", "\"abHello\""},
    {"\"a\" - \"b\"", "null"},
    {"true + true", "null"},
    {"-.i", "-42"},
    {"--1", "1"},
    {"-.s", "null"},
    {"1-1", "0"},
    {".i-1", "41"},
    {".i -1", "41"},
    {"9223372036854775807 + 1", "9.223372036854776e+18"},
    {"-9223372036854775808 - 1", "-9.223372036854776e+18"},
    {"-.min", "9.223372036854776e+18"},
    {"9223372036854775807 * -1", "-9223372036854775807"},
    {".min / -1", "9.223372036854776e+18"},
    {".min % -1", "0"},
    {"1e308 * 10", "null"},
    {"1e400 + 1", "null"},
    {"9007199254740993 + 0", "9007199254740993"},
    {".d + 0", "1.5"},
    {"1.0 + 1", "2.0"},
    {"0.1 + 0.2 == 0.3", "false"},
    {"0.5 + 0.25 == 0.75", "true"},
    {".d * 2 == 3", "true"},
    /* functions */
    {"exists(.n)", "true"},
    {"exists(.missing)", "false"},
    {"exists(@path)", "false"},
    {"exists(@offset)", "true"},
    {"exists(.a[2])", "true"},
    {"lower('ABC\xc3\x84')", "\"abc\xc3\x84\""},
    {"upper(.e)", "\"HELLO\""},
    {"lower(1)", "null"},
    {"len(.u)", "3"},
    {"len(.e)", "5"},
    {"len(.a)", "3"},
    {"len(.o)", "2"},
    {"len('')", "0"},
    {"len(5)", "null"},
    {"len(null)", "null"},
    {"int('42')", "42"},
    {"int(.num)", "7"},
    {"int('-007')", "-7"},
    {"int('+1')", "1"},
    {"int('1e3')", "1000"},
    {"int('12.9')", "12"},
    {"int(-12.9)", "-12"},
    {"int('x')", "null"},
    {"int('')", "null"},
    {"int('-')", "null"},
    {"int('+-1')", "null"},
    {"int('--1')", "null"},
    {"int(' 1')", "null"},
    {"int(true)", "1"},
    {"int(null)", "null"},
    {"int(.huge)", "null"},
    {"int('9223372036854775807')", "9223372036854775807"},
    {"int('9223372036854775808')", "null"},
    {"int('1e99')", "null"},
    {"int(.big)", "9007199254740993"},
    {"float('1.5')", "1.5"},
    {"float(2)", "2.0"},
    {"float('1e999')", "null"},
    {"float(true)", "null"},
    {"float('nan')", "null"},
    {"float('0x10')", "null"},
    {"string(.d)", "\"1.50\""},
    {"string(1 / 4)", "\"0.25\""},
    {"string(.a)", "\"[\\\"x\\\",1,[2]]\""},
    {"string(true)", "\"true\""},
    {"string(null)", "null"},
    {"string(.e)", "\"\\u0048ell\\u006f\""},
    {"sha256('abc')", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""},
    {"sha256(.e) == sha256(.s)", "true"},
    {"sha256(1)", "null"},
    {"trim('  a b\\t')", "\"a b\\\\t\""},
    {"trim(\"\\t\\n\")", "\"\""},
    {"trim(1)", "null"},
    {"replace('aXbX', 'X', '--')", "\"a--b--\""},
    {"replace('aaa', 'aa', 'b')", "\"ba\""},
    {"replace('aaa', 'a', '')", "\"\""},
    {"replace(.e, '', 'x')", "\"Hello\""},
    {"replace(1, 'a', 'b')", "null"},
    {"substr(.e, 1, 3)", "\"ell\""},
    {"substr(.u, 1)", "\"\xc3\xa9\xe2\x82\xac\""},
    {"substr(.u, -1)", "\"\xe2\x82\xac\""},
    {"substr('abc', -9, 1)", "\"a\""},
    {"substr('abc', 3)", "\"\""},
    {"substr('abc', 1, -1)", "\"\""},
    {"substr('abc', 'x')", "null"},
    {"substr('abc', 1.5)", "null"},
    {"coalesce(.missing, .n, 0, 1)", "0"},
    {"coalesce(null)", "null"},
    {"type(.a)", "\"array\""},
    {"type(.missing)", "\"null\""},
    {"type(1 / 4)", "\"number\""},
    {"type(.t)", "\"boolean\""},
    {"type(.o)", "\"object\""},
    {"round(2.5)", "3"},
    {"round(-2.5)", "-3"},
    {"round(.big)", "9007199254740993"},
    {"round('2')", "null"},
    {"round(1e300)", "null"},
    {"now() > 1700000000", "true"},
    {"format_time(0, '%Y-%m-%dT%TZ')", "\"1970-01-01T00:00:00Z\""},
    {"format_time(-0.5, '%F %T.%L')", "\"1969-12-31 23:59:59.500\""},
    {"format_time(1500000000.25, '%d/%b/%Y:%T %z, %f')", "\"14/Jul/2017:02:40:00 +0000, 250000\""},
    {"format_time(0, '')", "\"\""},
    {"format_time('0', '%F')", "null"},
    {"format_time(1e12, '%F')", "null"},
    {"format_time(1e300, '%F')", "null"},
    {"format_time(0, .missing)", "null"},
    {"format_time(0, lower('%Q'))", "null"},
    {"parse_time('2017-07-14T02:40:00Z')", "1500000000"},
    {"parse_time('2017-07-14T04:40:00.25+02:00')", "1500000000.25"},
    {"parse_time('2017-07-14')", "null"},
    {"parse_time(5)", "null"},
    {"format_time(parse_time('2026-02-28 23:59:59') + 1, '%F')", "\"2026-03-01\""},
    {" \t\n.i\r\n==\n42 ", "true"},
};

static struct expr *compile(const char *text)
{
    struct err e = {0};
    struct expr *x = expr_new(text, strlen(text), &e);
    ck_assert_msg(x != NULL, "%s: %s", text, e.text);
    return x;
}

START_TEST(gives)
{
    struct fixture f = fixture_json(record);
    struct scratch scratch = {0};
    struct expr *x = compile(rows[_i].expr);
    struct value v = expr_eval(x, f.batch, f.r, &scratch);
    char *got = fixture_render(&v);
    ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s: %s, not %s", rows[_i].expr, got,
                  rows[_i].want);
    mem_free(got);
    /* Again, with what the scratch has got: nothing may be allocated. */
    scratch_reset(&scratch);
    mem_fail_at(1);
    expr_eval(x, f.batch, f.r, &scratch);
    ck_assert_msg(!mem_failed(), "%s allocates", rows[_i].expr);
    mem_fail_at(0);
    expr_free(&x);
    scratch_clear(&scratch);
    fixture_free(&f);
}
END_TEST

static const struct {
    const char *expr, *error;
} wrong[] = {
    {"", "column 1: expected a value, found the end"},
    {".a ==", "column 6: expected a value, found the end"},
    {".a = 1", "column 4: expected \"==\", found \"=\""},
    {".a & .b", "column 4: expected \"&&\", found \"&\""},
    {".a == 1 == 2", "column 9: expected \"and\" or \"or\": comparisons do not chain, found =="},
    {"1 < 2 not in 3", "column 7: expected \"and\" or \"or\": comparisons do not chain, found not"},
    {".a .b", "column 4: expected an operator or the end, found ."},
    {".é == é", "column 7: unknown sign é"},
    {"(.a", "column 4: expected an operator or \")\", found the end"},
    {".a)", "column 3: expected an operator or the end, found )"},
    {"level == 1",
     "column 1: expected a value, found level; a field is written .level, text \"level\""},
    {"format_time(.a, '%Y-%Q')", "column 1: in the format of format_time: at byte 3: %Q is not understood"},
    {"lowr(.a)", "column 1: unknown function lowr (did you mean \"lower\"?)"},
    {"1 + xyzzy(.a)", "column 5: unknown function xyzzy"},
    {"lower .a", "column 7: expected \"(\" after lower: lower(s)"},
    {"lower()", "column 1: expected 1 argument, found 0: lower(s)"},
    {"lower(.a, .b)", "column 11: expected \")\": that is one argument too many, found ."},
    {"now(1)", "column 5: expected \")\": that is one argument too many, found 1"},
    {"replace(.a, 'b')", "column 1: expected 3 arguments, found 2: replace(s, from, to)"},
    {"lower(.a", "column 9: expected \",\" or \")\", found the end"},
    {"exists(1)", "column 1: expected a path in exists(.path)"},
    {"exists(.a + .b)", "column 1: expected a path in exists(.path)"},
    {".a ? 1", "column 7: expected an operator or \":\", found the end"},
    {".a ? : 1", "column 6: expected a value, found :"},
    {"'abc", "column 1: expected the string that starts here to end"},
    {"\"abc\\\"", "column 1: expected the string that starts here to end"},
    {"\"\\d\"", "column 3: expected one of \" \\ / b f n r t u after the backslash (single quotes "
                "take text as it is)"},
    {"\"\xff\"", "column 2: expected UTF-8 (single quotes take text as it is)"},
    {"[1, .a]",
     "column 5: expected a constant: arrays hold numbers, strings, true, false and null, found ."},
    {"[1,]",
     "column 4: expected a constant: arrays hold numbers, strings, true, false and null, found ]"},
    {"[1 2]", "column 4: expected \",\" or \"]\", found 2"},
    {"[-'a']", "column 3: expected a number after the minus, found 'a'"},
    {"01", "column 1: expected a number without leading zeros"},
    {"1.", "column 3: expected a digit after the point"},
    {"1e+", "column 4: expected a digit in the exponent"},
    {"12ab", "column 3: expected the number to end here"},
    {".a.", "column 4: expected a name after the dot"},
    {"1 + @nope",
     "column 5: unknown metadata: expected @path, @offset, @host, @time, @source or @pipeline"},
    {".a and and", "column 8: expected a value, found and"},
    {".a not .b", "column 8: expected \"in\" after \"not\", found ."},
    {".a =~ .b", "column 7: expected a pattern in quotes, found ."},
    {"\x01", "column 1: unknown byte 0x01"},
    {"1 # 2", "column 3: unknown sign #"},
};

START_TEST(points_at_what_is_wrong)
{
    struct err e = {0};
    struct expr *x = expr_new(wrong[_i].expr, strlen(wrong[_i].expr), &e);
    ck_assert_msg(x == NULL, "%s", wrong[_i].expr);
    ck_assert_str_eq(e.text, wrong[_i].error);
    ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(nul_bytes_are_no_words)
{
    struct err e = {0};
    ck_assert_ptr_null(expr_new("1\0", 2, &e));
    ck_assert_str_eq(e.text, "column 2: unknown byte 0x00");
}
END_TEST

static bool compiles(char open, size_t n, char close)
{
    struct buf b = {0};
    struct err e = {0};
    for (size_t i = 0; i < n; i++)
        buf_char(&b, open);
    buf_char(&b, '1');
    for (size_t i = 0; i < n && close != 0; i++)
        buf_char(&b, close);
    struct expr *x = expr_new(b.data, b.len, &e);
    bool ok = x != NULL;
    ck_assert(ok || strstr(e.text, "no more than 100 levels") != NULL);
    expr_free(&x);
    buf_clear(&b);
    return ok;
}

START_TEST(bounds_nesting_but_not_length)
{
    ck_assert(compiles('(', EXPR_DEPTH_MAX - 1, ')'));
    ck_assert(!compiles('(', EXPR_DEPTH_MAX, ')'));
    ck_assert(!compiles('(', 30000, ')'));
    ck_assert(compiles('!', EXPR_DEPTH_MAX - 1, 0));
    ck_assert(!compiles('!', 60000, 0));
    struct buf b = {0};
    buf_str(&b, "0");
    for (int i = 0; i < 5000; i++)
        buf_str(&b, "+.i or 1");
    struct expr *x = compile(buf_cstr(&b));
    expr_free(&x);
    buf_clear(&b);
    buf_str(&b, "1");
    for (int i = 0; i < 40000; i++)
        buf_str(&b, "+1");
    struct err e = {0};
    ck_assert_ptr_null(expr_new(b.data, b.len, &e));
    buf_clear(&b);
    /* Each level waits with three values. */
    for (int i = 0; i < 90; i++)
        buf_str(&b, "1==1+1*(");
    err_clear(&e);
    ck_assert_ptr_null(expr_new(b.data, b.len, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "expected a simpler expression"));
    buf_clear(&b);
}
END_TEST

/* Both sides must not be run for nothing: now() is a clock read, and a long chain a cost. Seen
 * through the scratch. */
START_TEST(and_or_and_choices_run_only_what_they_need)
{
    static const struct {
        const char *expr;
        bool runs;
    } cases[] = {{"true or lower(.s) == ''", false}, {"false and lower(.s) == ''", false},
                 {"true and lower(.s) == ''", true}, {"false or lower(.s) == ''", true},
                 {"true ? 1 : lower(.s)", false},    {"false ? lower(.s) : 1", false},
                 {"false ? 1 : lower(.s)", true},    {"true ? lower(.s) : 1", true}};
    struct fixture f = fixture_json(record);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scratch scratch = {0};
        struct expr *x = compile(cases[i].expr);
        expr_eval(x, f.batch, f.r, &scratch);
        ck_assert_msg((scratch.total > 0) == cases[i].runs, "%s", cases[i].expr);
        scratch_clear(&scratch);
        expr_free(&x);
    }
    fixture_free(&f);
}
END_TEST

START_TEST(a_full_scratch_gives_null)
{
    struct fixture f = fixture_json(record);
    static const char *const exprs[] = {
        "lower(.s)",  ".e + .s",       "trim(.e)", "sha256('a')", "replace(.s, 'l', 'xx')",
        "string(.a)", "substr(.e, 1)", "len(.e)",  "float(.e)"};
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) {
        struct scratch scratch = {.limit = 1};
        struct expr *x = compile(exprs[i]);
        struct value v = expr_eval(x, f.batch, f.r, &scratch);
        ck_assert_msg(v.type == VALUE_NULL, "%s", exprs[i]);
        scratch_clear(&scratch);
        expr_free(&x);
    }
    fixture_free(&f);
}
END_TEST

START_TEST(sees_plain_lines_and_edits)
{
    struct fixture f = fixture_plain("GET \xff /health", 13);
    struct scratch scratch = {0};
    struct expr *x = compile(".message starts_with 'GET' and .level == null");
    ck_assert(expr_test(x, f.batch, f.r, &scratch));
    struct path *p = fixture_path(".level");
    struct value v = value_string("debug", 5);
    record_set(f.batch, f.r, p, &v);
    ck_assert(!expr_test(x, f.batch, f.r, &scratch));
    expr_free(&x);
    x = compile("len(.) == 2 and . contains 'level' and .level in ['debug']");
    ck_assert(expr_test(x, f.batch, f.r, &scratch));
    expr_free(&x);
    path_free(&p);
    scratch_clear(&scratch);
    fixture_free(&f);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    const char *text = regex_built_in() ? ".a.b in [\"x\", 1] and lower(.s) =~ 'a(b)' or exists(.x)"
                                        : ".a.b in [\"x\", 1] and lower(.s) == 'a' or exists(.x)";
    size_t live = mem_live();
    for (unsigned long n = 1;; n++) {
        struct err e = {0};
        mem_fail_at(n);
        struct expr *x = expr_new(text, strlen(text), &e);
        bool failed = mem_failed();
        mem_fail_at(0);
        /* Without memory for the JIT a pattern still works. */
        ck_assert_msg(x != NULL || (failed && e.code == ERR_NOMEM), "allocation %lu: %s", n,
                      e.text);
        expr_free(&x);
        ck_assert_uint_eq(mem_live(), live);
        if (!failed)
            break;
        ck_assert_uint_lt(n, 200);
    }
}
END_TEST

START_TEST(lists_its_functions_in_order)
{
    for (const struct expr_function *f = expr_functions; f[1].name != NULL; f++)
        ck_assert_int_lt(strcmp(f[0].name, f[1].name), 0);
}
END_TEST

#ifdef HAVE_PCRE2
static const struct {
    const char *expr, *want;
} patterns[] = {
    {".s =~ '^H.*o$'", "true"},   {".e =~ '^H.*o$'", "true"},
    {".s =~ 'ell'", "true"},      {".s =~ '^ell'", "false"},
    {".s !~ '^ell'", "true"},     {".s !~ 'ell'", "false"},
    {".i =~ '4'", "false"},       {".i !~ '4'", "true"},
    {".missing =~ ''", "false"},  {".u =~ '^h\\x{e9}.$'", "true"},
    {".u =~ '^...$'", "true"},    {".nul =~ '^a\\0b$'", "true"},
    {"'' =~ ''", "true"},         {".s =~ '(?i)HELLO' and .t", "true"},
    {".s =~ \"\\\\w+\"", "true"},
};

START_TEST(matches)
{
    struct fixture f = fixture_json(record);
    struct scratch scratch = {0};
    struct expr *x = compile(patterns[_i].expr);
    for (int round = 0; round < 2; round++) {
        scratch_reset(&scratch);
        if (round == 1)
            mem_fail_at(1);
        struct value v = expr_eval(x, f.batch, f.r, &scratch);
        ck_assert(round == 0 || !mem_failed());
        mem_fail_at(0);
        char *got = fixture_render(&v);
        ck_assert_msg(strcmp(got, patterns[_i].want) == 0, "%s: %s", patterns[_i].expr, got);
        mem_free(got);
    }
    expr_free(&x);
    scratch_clear(&scratch);
    fixture_free(&f);
}
END_TEST

START_TEST(patterns_are_bounded_and_checked)
{
    struct err e = {0};
    ck_assert_ptr_null(expr_new(".s =~ 'a('", 10, &e));
    ck_assert_str_eq(e.text, "column 7: wrong pattern, at byte 3: missing closing parenthesis");
    struct fixture f = fixture_plain("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\xff", 50);
    struct scratch scratch = {0};
    struct expr *x = compile(".message =~ '^(a|aa|a+)+$'");
    struct value v = expr_eval(x, f.batch, f.r, &scratch);
    ck_assert_int_eq(v.type, VALUE_NULL);
    expr_free(&x);
    x = compile(".message =~ 'b'"); /* not UTF-8: still matched */
    ck_assert(expr_test(x, f.batch, f.r, &scratch));
    expr_free(&x);
    scratch_clear(&scratch);
    fixture_free(&f);
}
END_TEST
#else
START_TEST(patterns_are_refused)
{
    struct err e = {0};
    ck_assert_ptr_null(expr_new(".s =~ 'a'", 9, &e));
    ck_assert_str_eq(e.text, "column 7: patterns are not built in (weir was built without PCRE2)");
}
END_TEST
#endif

int main(void)
{
    Suite *s = suite_create("expr");
    TCase *t = tcase_create("expr");
    tcase_add_loop_test(t, gives, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(t, points_at_what_is_wrong, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(t, nul_bytes_are_no_words);
    tcase_add_test(t, bounds_nesting_but_not_length);
    tcase_add_test(t, and_or_and_choices_run_only_what_they_need);
    tcase_add_test(t, a_full_scratch_gives_null);
    tcase_add_test(t, sees_plain_lines_and_edits);
    tcase_add_test(t, every_failed_allocation_is_reported);
    tcase_add_test(t, lists_its_functions_in_order);
#ifdef HAVE_PCRE2
    tcase_add_loop_test(t, matches, 0, sizeof patterns / sizeof *patterns);
    tcase_add_test(t, patterns_are_bounded_and_checked);
#else
    tcase_add_test(t, patterns_are_refused);
#endif
    suite_add_tcase(s, t);
    return fixture_main(s);
}
