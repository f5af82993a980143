/* Numbers in all spellings, values against each other, and SHA-256. */
#include <math.h>

#include "base/sha256.h"
#include "fixture.h"
#include "record/scratch.h"

static struct value number(const char *s)
{
    struct value v;
    ck_assert_msg(value_read_number(s, strlen(s), &v), "%s", s);
    return v;
}

static const struct {
    const char *a, *b;
    int order;
} pairs[] = {
    {"1", "1.0", 0},
    {"1", "1e0", 0},
    {"100", "1e2", 0},
    {"0.001", "1e-3", 0},
    {"-0", "0.0e5", 0},
    {"120", "1.20e2", 0},
    {"0.10", "0.1", 0},
    {"1", "2", -1},
    {"10", "9", 1},
    {"-10", "-9", -1},
    {"-1", "1", -1},
    {"9007199254740993", "9007199254740992", 1},
    {"9007199254740993", "9007199254740992.0", 1},
    {"9223372036854775807", "9223372036854775808", -1},
    {"12345678901234567890", "12345678901234567891", -1},
    {"1e400", "1e399", 1},
    {"-1e400", "-1e399", -1},
    {"1e400", "10e399", 0},
    {"1e-400", "0", 1},
    {"0.1", "0.10000000000000001", -1},
    {"99e99999999999999999", "1e99999999999999998", 1},
    {"1.5", "1.25", 1},
    {"1.05", "1.5", -1},
    {"100.01", "100.001", 1},
};

START_TEST(numbers_compare_exactly)
{
    struct value a = number(pairs[_i].a), b = number(pairs[_i].b);
    int order;
    ck_assert(value_order(&a, &b, &order));
    ck_assert_msg((order > 0) - (order < 0) == pairs[_i].order, "%s %s", pairs[_i].a, pairs[_i].b);
    ck_assert(value_order(&b, &a, &order));
    ck_assert_int_eq((order > 0) - (order < 0), -pairs[_i].order);
    ck_assert(value_equal(&a, &b) == (pairs[_i].order == 0));
}
END_TEST

START_TEST(doubles_stand_for_their_shortest_spelling)
{
    struct value a = value_double(0.1), b = number("0.1"),
                 c = number("0.1000000000000000055511151231257827");
    ck_assert(value_equal(&a, &b));
    ck_assert(!value_equal(&a, &c));
    a = value_double(9007199254740992.0);
    b = value_int(9007199254740993);
    int order;
    ck_assert(value_order(&a, &b, &order) && order < 0);
    a = value_double(NAN);
    ck_assert_int_eq(a.type, VALUE_NULL);
    a = value_double(-INFINITY);
    ck_assert_int_eq(a.type, VALUE_NULL);
}
END_TEST

static const struct {
    const char *s;
    bool is;
    int64_t i;
} ints[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"-0.0", true, 0},
    {"7", true, 7},
    {"1.0", true, 1},
    {"1e3", true, 1000},
    {"1200e-2", true, 12},
    {"1.5", false, 0},
    {"0.5", false, 0},
    {"5e-1", false, 0},
    {"123456789012345678", true, 123456789012345678},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775809", false, 0},
    {"9223372036854775807.0", true, INT64_MAX},
    {"922337203685477580.7e1", true, INT64_MAX},
    {"12345678901234567890123", false, 0},
    {"1e18", true, 1000000000000000000},
    {"1e19", false, 0},
    {"1e99999999999999999999", false, 0},
    {"0e99999999999999999999", true, 0},
    {"1e-99999999999999999999", false, 0},
    {"10000000000000000000000e-22", true, 1},
};

START_TEST(numbers_that_are_int64)
{
    struct value v = number(ints[_i].s);
    int64_t i = 0;
    ck_assert_msg(value_to_int(&v, &i) == ints[_i].is, "%s", ints[_i].s);
    if (ints[_i].is)
        ck_assert_int_eq(i, ints[_i].i);
}
END_TEST

START_TEST(numbers_as_doubles)
{
    static const char *const same[] = {"0",
                                       "-1.5",
                                       "1e22",
                                       "123456789012345678901234567890",
                                       "2.2250738585072014e-308",
                                       "4.9e-324",
                                       "1e-400",
                                       "1.7976931348623157e308",
                                       "0.000000000000000000000000000001",
                                       "9007199254740993",
                                       "0.1000000000000000055511151231257827021181583404541015625"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct value v = number(same[i]);
        double d;
        ck_assert(value_to_double(&v, &d));
        ck_assert_msg(d == strtod(same[i], NULL), "%s", same[i]);
    }
    struct value v = number("1e309");
    double d;
    ck_assert(!value_to_double(&v, &d));
    /* Half way between two doubles, decided by a digit far behind: 1 + 2^-53, then a 1 after a
     * thousand zeros. */
    char text[1200] = "1.00000000000000011102230246251565404236316680908203125";
    size_t len = strlen(text);
    v = number(text);
    ck_assert(value_to_double(&v, &d) && d == 1.0);
    memset(text + len, '0', 1000);
    text[len + 1000] = '1';
    v = number(text);
    ck_assert(value_to_double(&v, &d) && d > 1.0);
}
END_TEST

START_TEST(computed_numbers_are_spelled_shortest)
{
    static const struct {
        double d;
        const char *s;
    } spelled[] = {{0.1, "0.1"},
                   {1, "1.0"},
                   {-2.5, "-2.5"},
                   {1e300, "1e+300"},
                   {0.1 + 0.2, "0.30000000000000004"},
                   {1e-7, "1e-07"},
                   {123456789012345680.0, "1.2345678901234568e+17"}};
    for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
        struct value v = value_double(spelled[i].d);
        char *got = fixture_render(&v);
        ck_assert_str_eq(got, spelled[i].s);
        mem_free(got);
    }
    struct value v = value_int(INT64_MIN);
    char *got = fixture_render(&v);
    ck_assert_str_eq(got, "-9223372036854775808");
    mem_free(got);
    ck_assert(!value_read_number("01", 2, &v) && !value_read_number("", 0, &v) &&
              !value_read_number("1 ", 2, &v));
    ck_assert(!value_read_number("+1", 2, &v) && !value_read_number(".1", 2, &v) &&
              !value_read_number("1.", 2, &v));
}
END_TEST

START_TEST(hashes_the_vectors_of_fips_180)
{
    static const struct {
        const char *s, *hex;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[SHA256_HEX];
    for (size_t i = 0; i < 4; i++) {
        sha256_hex(vectors[i].s, strlen(vectors[i].s), hex);
        ck_assert_mem_eq(hex, vectors[i].hex, SHA256_HEX);
    }
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    sha256_hex(million, 1000000, hex);
    ck_assert_mem_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
                     SHA256_HEX);
    free(million);
}
END_TEST

START_TEST(scratch_keeps_what_it_needed)
{
    struct scratch s = {.limit = 100000};
    size_t live = mem_live();
    for (int round = 0; round < 3; round++) {
        char *first = scratch_text(&s, 10), *rest = NULL;
        ck_assert_ptr_nonnull(first);
        memset(first, 'x', 10);
        for (int i = 0; i < 9; i++) {
            rest = scratch_text(&s, 10000);
            ck_assert_ptr_nonnull(rest);
            memset(rest, 'y', 10000);
        }
        ck_assert_ptr_null(scratch_text(&s, 9991));
        ck_assert_ptr_nonnull(scratch_text(&s, 9990));
        ck_assert(first[9] == 'x');
        scratch_reset(&s);
    }
    ck_assert_uint_eq(mem_live(), live + 1);
    scratch_clear(&s);
    ck_assert_uint_eq(mem_live(), live);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("value");
    TCase *t = tcase_create("value");
    tcase_add_loop_test(t, numbers_compare_exactly, 0, sizeof pairs / sizeof *pairs);
    tcase_add_test(t, doubles_stand_for_their_shortest_spelling);
    tcase_add_loop_test(t, numbers_that_are_int64, 0, sizeof ints / sizeof *ints);
    tcase_add_test(t, numbers_as_doubles);
    tcase_add_test(t, computed_numbers_are_spelled_shortest);
    tcase_add_test(t, hashes_the_vectors_of_fips_180);
    tcase_add_test(t, scratch_keeps_what_it_needed);
    suite_add_tcase(s, t);
    return fixture_main(s);
}
