/* Sizes, durations, addresses, near words. */
#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "config/address.h"
#include "config/text.h"
#include "config/units.h"
#include "fixture.h"

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"4096", 4096},
        {"1B", 1},
        {"64KiB", 65536},
        {"10MB", 10000000},
        {"1kB", 1000},
        {"1.5MiB", 1572864},
        {"2TiB", UINT64_C(2) << 40},
        {"9007199254740993", 9007199254740993},
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 KiB",
                                      "KiB",
                                      "1kib",
                                      "1K",
                                      ".5KiB",
                                      "1.KiB",
                                      "0x10",
                                      "inf",
                                      "nan",
                                      "1e3",
                                      "9223372036854775808",
                                      "99999999999TiB",
                                      "1KiBx",
                                      "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t n = 77;
        ck_assert_msg(units_size(good[i].text, &n), "%s", good[i].text);
        ck_assert_uint_eq(n, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t n = 77;
        ck_assert_msg(!units_size(bad[i], &n), "%s", bad[i]);
        ck_assert_uint_eq(n, 77);
    }
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"0", 0},  {"5", 5},       {"0.25", 0.25}, {"250ms", 0.25},
                {"5s", 5}, {"1.5h", 5400}, {"3m", 180},    {"2d", 172800}};
    static const char *const bad[] = {"",      "-1s", "5 s",   "5S",    "s",
                                      "1h30m", "inf", "1e400", "99999d"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double n = -1;
        ck_assert_msg(units_duration(good[i].text, &n), "%s", good[i].text);
        ck_assert_double_eq_tol(n, good[i].seconds, 1e-9);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double n;
        ck_assert_msg(!units_duration(bad[i], &n), "%s", bad[i]);
    }
}
END_TEST

START_TEST(spelling)
{
    static const struct {
        uint64_t n;
        const char *size, *duration;
    } rows[] = {{0, "0", "0s"},
                {1, "1", "1ms"},
                {1000, "1000", "1s"},
                {1024, "1KiB", "1024ms"},
                {60000, "60000", "1m"},
                {7200000, "7200000", "2h"},
                {86400000, "84375KiB", "1d"},
                {UINT64_C(3) << 30, "3GiB", "3221225472ms"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = {0};
        units_add_size(&b, rows[i].n);
        ck_assert_str_eq(buf_cstr(&b), rows[i].size);
        buf_clear(&b);
        units_add_duration(&b, rows[i].n);
        ck_assert_str_eq(buf_cstr(&b), rows[i].duration);
        buf_clear(&b);
    }
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } good[] = {{"localhost:80", "localhost", 80},
                {"10.0.0.1:65535", "10.0.0.1", 65535},
                {"[::1]:1", "::1", 1},
                {"[fe80::1:2]:5170", "fe80::1:2", 5170}};
    static const char *const bad[] = {
        "",     "localhost",   "localhost:", ":80",    "a:0",   "a:65536", "a:080000",
        "a:-1", "a: 1",        "a b:1",      "::1:80", "[::1]", "[::1]80", "[::g]:1",
        "[]:1", "[1.2.3.4]:1", "http://a:1", "a:1/x",  "[::1",  "a:1a"};
    struct address a;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(address_parse(good[i].text, &a), "%s", good[i].text);
        ck_assert_uint_eq(a.host_len, strlen(good[i].host));
        ck_assert_mem_eq(a.host, good[i].host, a.host_len);
        ck_assert_uint_eq(a.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!address_parse(bad[i], &a), "%s", bad[i]);
}
END_TEST

START_TEST(near_words)
{
    static const struct {
        const char *word, *best;
    } rows[] = {{"feild", "field"}, {"fields", "field"}, {"tpye", "type"},
                {"ordre", "order"}, {"x", NULL},         {"completely", NULL},
                {"", NULL},         {"ty", NULL},        {"typ", "type"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nearest n = nearest_to(rows[i].word);
        nearest_try(&n, "order");
        nearest_try(&n, "field");
        nearest_try(&n, "type");
        if (rows[i].best == NULL)
            ck_assert_msg(n.best == NULL, "%s: %s", rows[i].word, n.best);
        else
            ck_assert_pstr_eq(n.best, rows[i].best);
    }
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct nearest n = nearest_to(longer);
    nearest_try(&n, longer);
    ck_assert_ptr_null(n.best);
}
END_TEST

START_TEST(utf8)
{
    char text[] = "a\xff\xc3\xa9\xe2\x82z\xed\xa0\x80";
    ck_assert(text_valid("a\xc3\xa9", 3));
    ck_assert(!text_valid(text, strlen(text)));
    text_repair(text);
    ck_assert_str_eq(text, "a?\xc3\xa9??z???");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("units");
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, durations);
    tcase_add_test(tc, spelling);
    tcase_add_test(tc, addresses);
    tcase_add_test(tc, near_words);
    tcase_add_test(tc, utf8);
    Suite *s = suite_create("config units");
    suite_add_tcase(s, tc);
    return fixture_main(s);
}
