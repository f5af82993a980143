/* Dates as numbers, time zones, and times as text: against the C library, which has no part in the code. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/civil.h"
#include "record/time_write.h"
#include "record/zone.h"
#include "record/zone_rule.h"

/* ---- dates --------------------------------------------------------------------------------------- */

START_TEST(every_day_of_thirteen_hundred_years)
{
    time_t t = -400000 * CIVIL_DAY;
    setenv("TZ", "UTC0", 1); /* else the C library looks for its file every time */
    for (int64_t day = -400000; day < 100000; day++, t += CIVIL_DAY) {
        struct civil c = civil_date(day);
        struct tm tm;
        bool same = gmtime_r(&t, &tm) != NULL && c.year == tm.tm_year + 1900 && c.month == tm.tm_mon + 1 && c.day == tm.tm_mday &&
                    civil_days(c.year, c.month, c.day) == day && civil_weekday(day) == tm.tm_wday &&
                    c.day <= civil_month_days(c.year, c.month);
        if (!same) /* an assertion writes to a file: half a million would take their time */
            ck_abort_msg("day %lld", (long long)day);
    }
}
END_TEST

START_TEST(what_is_no_date)
{
    static const struct {
        struct civil c;
        bool valid;
    } dates[] = {
        {{2024, 2, 29, 0, 0, 0, 0}, true},   {{2023, 2, 29, 0, 0, 0, 0}, false}, {{2000, 2, 29, 0, 0, 0, 0}, true},
        {{1900, 2, 29, 0, 0, 0, 0}, false},  {{2024, 2, 30, 0, 0, 0, 0}, false}, {{2024, 4, 31, 0, 0, 0, 0}, false},
        {{2024, 0, 1, 0, 0, 0, 0}, false},   {{2024, 13, 1, 0, 0, 0, 0}, false}, {{2024, 1, 0, 0, 0, 0, 0}, false},
        {{2024, 1, 1, 24, 0, 0, 0}, false},  {{2024, 1, 1, 0, 60, 0, 0}, false}, {{2024, 1, 1, 23, 59, 60, 0}, true},
        {{2024, 1, 1, 23, 59, 61, 0}, false}, {{2024, 12, 31, 23, 59, 59, 0}, true},
    };
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        ck_assert_msg(civil_valid(&dates[i].c) == dates[i].valid, "date %zu", i);
}
END_TEST

START_TEST(the_ends_of_the_range)
{
    char text[CIVIL_TEXT];
    int64_t t;
    ck_assert(civil_time(INT64_C(9223372036), 854775807, &t) && t == INT64_MAX);
    ck_assert(!civil_time(INT64_C(9223372036), 854775808 % 1000000000, &t));
    ck_assert(civil_time(INT64_C(-9223372037), 145224192, &t) && t == INT64_MIN);
    ck_assert(!civil_time(INT64_C(-9223372037), 145224191, &t));
    ck_assert(!civil_time(INT64_MAX, 0, &t) && !civil_time(INT64_MIN, 0, &t));
    ck_assert(civil_time(-1, 999999999, &t) && t == -1);
    ck_assert_uint_eq(civil_write(INT64_MAX, 9, text), 30);
    ck_assert_mem_eq(text, "2262-04-11T23:47:16.854775807Z", 30);
    ck_assert_uint_eq(civil_write(INT64_MIN, 9, text), 30);
    ck_assert_mem_eq(text, "1677-09-21T00:12:43.145224192Z", 30);
    ck_assert_uint_eq(civil_write(-1, 0, text), 20);
    ck_assert_mem_eq(text, "1969-12-31T23:59:59Z", 20);
    ck_assert_uint_eq(civil_write(INT64_C(1500000000120000000), 2, text), 23);
    ck_assert_mem_eq(text, "2017-07-14T02:40:00.12Z", 23);
}
END_TEST

/* ---- zones --------------------------------------------------------------------------------------- */

static const char *const names[] = {
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tehran",
    "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll", "America/Nuuk",
    "Asia/Gaza", "Etc/GMT+5", "UTC", "EST5EDT",
};

static bool have_database(void)
{
    return access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0;
}

/* Offsets at 90,000 times from 1905 to 2105 as the C library has them. */
START_TEST(offsets_are_those_of_the_c_library)
{
    if (!have_database())
        return;
    struct err e = {0};
    setenv("TZ", names[_i], 1);
    tzset();
    struct zone *z = zone_new(names[_i], &e);
    ck_assert_msg(z != NULL, "%s: %s", names[_i], e.text);
    for (int64_t t = INT64_C(-2051222400); t < INT64_C(4260211200); t += 70 * 1001) {
        struct tm tm;
        time_t at = t;
        if (localtime_r(&at, &tm) == NULL || zone_offset(z, t) != tm.tm_gmtoff)
            ck_abort_msg("%s at %lld: %d, not %ld", names[_i], (long long)t, zone_offset(z, t), tm.tm_gmtoff);
    }
    zone_free(&z);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

/* From a clock back to UTC: the first of the times at which it shows so. */
START_TEST(clocks_back_to_utc)
{
    if (!have_database())
        return;
    struct err e = {0};
    struct zone *z = zone_new(names[_i], &e);
    ck_assert_ptr_nonnull(z);
    for (int64_t t = INT64_C(315532800); t < INT64_C(2524608000); t += 1800 * 7) {
        int64_t local = t + zone_offset(z, t), back = zone_to_utc(z, local);
        if (back > t || back + zone_offset(z, back) != local)
            ck_abort_msg("%s at %lld: %lld", names[_i], (long long)t, (long long)back);
    }
    zone_free(&z);
}
END_TEST

static int64_t berlin(struct zone *z, int month, int day, int hour, int minute)
{
    struct civil c = {2026, month, day, hour, minute, 0, 0};
    return zone_to_utc(z, civil_seconds(&c)) - civil_seconds(&c);
}

START_TEST(what_clocks_skip_and_show_twice)
{
    struct err e = {0};
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    struct zone *z = zone_new("local", &e);
    ck_assert_msg(z != NULL, "%s", e.text);
    ck_assert_int_eq(berlin(z, 3, 29, 1, 59), -3600);
    ck_assert_int_eq(berlin(z, 3, 29, 2, 30), -3600); /* skipped: as in winter */
    ck_assert_int_eq(berlin(z, 3, 29, 3, 0), -7200);
    ck_assert_int_eq(berlin(z, 10, 25, 1, 59), -7200);
    ck_assert_int_eq(berlin(z, 10, 25, 2, 30), -7200); /* twice: the first, in summer */
    ck_assert_int_eq(berlin(z, 10, 25, 3, 0), -3600);
    ck_assert_int_eq(berlin(z, 1, 1, 0, 0), -3600);
    zone_free(&z);
    z = zone_new("-03:30", &e);
    ck_assert_int_eq(zone_to_utc(z, 0), 12600);
    zone_free(&z);
    ck_assert_int_eq(zone_to_utc(NULL, 5), 5);
}
END_TEST

START_TEST(names_that_are_no_zone)
{
    static const char *const bad[] = {"",     "Europe/Berln", "../../etc/passwd", "/etc/localtime", "Europe/../UTC", ".",   "Europe",
                                      "+2",   "+24:00",       "+02:60",           "+02:0",          "02:00",         "+-1:00", "posix/",
                                      "zone.tab", "right/Europe/Berlin", "Europe/Berlin\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        struct zone *z = zone_new(bad[i], &e);
        ck_assert_msg(z == NULL, "%s", bad[i]);
        ck_assert(err_is(&e) && e.text[0] != '\0');
    }
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(rules)
{
    static const char *const good[] = {"UTC0", "<+0330>-3:30", "EST5EDT,M3.2.0,M11.1.0", "IST-1GMT0,M10.5.0,M3.5.0/1",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EST5EDT,0/0,J365/25", "X-Y", "AAA-24:59:59"};
    static const char *const bad[] = {"", "U0", "UTC", "UTC25", "<+03-3", "EST5EDT", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,M3.2.0",
                                      "EST5EDT,M3.6.0,M1.1.0", "EST5EDT,M3.2.7,M1.1.0", "EST5EDT,J0,J5", "EST5EDT,J1,J366",
                                      "EST5EDT,366,1", "EST5EDT,M3.2.0,M11.1.0x", "EST5EDT,M3.2.0/168,M11.1.0", "EST5:60"};
    struct zone_rule r;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(zone_rule_read(good[i], &r) == (strcmp(good[i], "X-Y") != 0), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!zone_rule_read(bad[i], &r), "%s", bad[i]);
}
END_TEST

/* A file cut at every byte, and with every byte changed, is refused or read, nothing worse. */
START_TEST(broken_files)
{
    if (!have_database())
        return;
    char dir[] = "/tmp/weir-zone-XXXXXX", path[64], data[8192];
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(data, 1, sizeof data, f), refused = 0;
    fclose(f);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    setenv("TZDIR", dir, 1);
    snprintf(path, sizeof path, "%s/Cut", dir);
    for (size_t i = 0; i < 2 * len; i += 1 + i / 200 % 3) {
        struct err e = {0};
        f = fopen(path, "wb");
        data[i % len] = (char)(data[i % len] ^ (i < len ? 0 : 0xff));
        ck_assert_uint_eq(fwrite(data, 1, i < len ? i : len, f), i < len ? i : len);
        data[i % len] = (char)(data[i % len] ^ (i < len ? 0 : 0xff));
        fclose(f);
        struct zone *z = zone_new("Cut", &e);
        for (int64_t t = -4000000000; z != NULL && t < 8000000000; t += 100000000)
            zone_to_utc(z, t);
        refused += z == NULL;
        ck_assert(z != NULL || err_is(&e));
        ck_assert(z == NULL || i >= len); /* no part is taken for a whole */
        zone_free(&z);
    }
    ck_assert_uint_gt(refused, len / 2);
    unlink(path);
    rmdir(dir);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

/* ---- as text ------------------------------------------------------------------------------------- */

static const char *format(const char *fmt, int64_t t, struct zone *z)
{
    static char result[300];
    struct buf out = {0};
    struct err e = {0};
    ck_assert_msg(time_write_check(fmt, strlen(fmt), &e) == 0, "%s: %s", fmt, e.text);
    time_write(&out, fmt, strlen(fmt), t, z);
    snprintf(result, sizeof result, "%s", buf_cstr(&out));
    buf_clear(&out);
    return result;
}

START_TEST(formats_are_those_of_strftime)
{
    static const char *volatile const formats = "%Y %m %d %H %M %S %F %T %R %D %b %h %B %a %A %y %j %e %I %p %G %V %u %s %z %n%t%%"; /* two digits of a year on purpose */
    const char *fmt = formats;
    char want[300];
    setenv("TZ", "<+0530>-5:30", 1);
    tzset();
    struct err e = {0};
    struct zone *z = zone_new("+05:30", &e);
    for (time_t t = -300000000; t < 4000000000; t += 86399 * 3) {
        struct tm tm;
        localtime_r(&t, &tm);
        ck_assert_uint_gt(strftime(want, sizeof want, fmt, &tm), 50);
        ck_assert_str_eq(format(fmt, t * CIVIL_SECOND + (t % 2 != 0 ? 999999999 : 0), z), want);
    }
    zone_free(&z);
    ck_assert_str_eq(format("%L %f %N %:z é", 1234567891, NULL), "234 234567 234567891 +00:00 é");
    ck_assert_str_eq(format("", 0, NULL), "");
}
END_TEST

START_TEST(formats_that_are_not_understood)
{
    static const struct {
        const char *format, *says;
    } bad[] = {{"%", "at byte 0: a lone % (%% is a percent sign)"}, {"%Y-%Q", "at byte 3: %Q is not understood"},
               {"ab%", "at byte 2: a lone % (%% is a percent sign)"}, {"%:x", "at byte 0: %: is not understood"},
               {"%\xc3\xa9", "at byte 0: % is not understood"}, {"%Ey", "at byte 0: %E is not understood"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        ck_assert_int_eq(time_write_check(bad[i].format, strlen(bad[i].format), &e), -1);
        ck_assert_str_eq(e.text, bad[i].says);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("time");
    TCase *t = tcase_create("time");
    int zones = (int)(sizeof names / sizeof names[0]);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_day_of_thirteen_hundred_years);
    tcase_add_test(t, what_is_no_date);
    tcase_add_test(t, the_ends_of_the_range);
    tcase_add_loop_test(t, offsets_are_those_of_the_c_library, 0, zones);
    tcase_add_loop_test(t, clocks_back_to_utc, 0, zones);
    tcase_add_test(t, what_clocks_skip_and_show_twice);
    tcase_add_test(t, names_that_are_no_zone);
    tcase_add_test(t, rules);
    tcase_add_test(t, broken_files);
    tcase_add_test(t, formats_are_those_of_strftime);
    tcase_add_test(t, formats_that_are_not_understood);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
