/* Text as a time, and the stage that reads it. */
#include "stage_rig.h"

#include <locale.h>
#include <stdio.h>
#include <time.h>

#include "record/civil.h"
#include "record/time_read.h"
#include "record/zone.h"

#define NOW (INT64_C(1772366400) * CIVIL_SECOND) /* 2026-03-01T12:00:00Z */

static struct zone *zone;

/* "2026-01-31T12:00:00.25Z", or why not; ${s} of ${len} bytes lies at the very end of its memory. */
static const char *got_bytes(const char *format, const char *s, size_t len)
{
    static char text[CIVIL_TEXT + 1];
    struct time_place place = {zone, NOW};
    struct time_format f;
    struct time_found found;
    struct err e = {0};
    ck_assert_msg(time_format_read(format, &f, &e) == 0, "%s: %s", format, e.text);
    char *copy = malloc(len + (len == 0));
    memcpy(copy, s, len);
    const char *why = time_read(&f, copy, len, &place, &found);
    free(copy);
    if (why != NULL)
        return why;
    ck_assert(found.digits >= 0 && found.digits <= 9);
    text[civil_write(found.time, found.digits, text)] = '\0';
    return text;
}

static const char *got(const char *format, const char *s)
{
    return got_bytes(format, s, strlen(s));
}

#define NOT "does not read so"
#define DAY "has no such date or time of day"
#define FAR "is not within 1678 and 2262"

static const struct {
    const char *format, *text, *is;
} rows[] = {
    {"rfc3339", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"},
    {"rfc3339", "2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"},
    {"rfc3339", "2026-01-31 12:00:00", "2026-01-31T12:00:00Z"},
    {"rfc3339", "2026-01-31T12:00:00.1+05:30", "2026-01-31T06:30:00.1Z"},
    {"rfc3339", "2026-01-31T12:00:00,123-0330", "2026-01-31T15:30:00.123Z"},
    {"rfc3339", "2026-01-31T12:00:00.1234567899999Z", "2026-01-31T12:00:00.123456789Z"},
    {"rfc3339", "2026-01-01T00:00:00+14:00", "2025-12-31T10:00:00Z"},
    {"rfc3339", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
    {"rfc3339", "2023-02-29T00:00:00Z", DAY},
    {"rfc3339", "2026-00-10T00:00:00Z", DAY},
    {"rfc3339", "2026-13-10T00:00:00Z", DAY},
    {"rfc3339", "2026-01-31T24:00:00Z", DAY},
    {"rfc3339", "2026-01-31T23:60:00Z", DAY},
    {"rfc3339", "2026-01-31T23:59:61Z", DAY},
    {"rfc3339", "2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.9Z"},
    {"rfc3339", "2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59Z"},
    {"rfc3339", "2016-12-31T12:00:60Z", DAY},
    {"rfc3339", "2016-12-31T23:59:60+01:00", DAY},
    {"rfc3339", "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145224192Z"},
    {"rfc3339", "1677-09-21T00:12:43.145224191Z", FAR},
    {"rfc3339", "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z"},
    {"rfc3339", "2262-04-11T23:47:16.854775808Z", FAR},
    {"rfc3339", "0000-01-01T00:00:00Z", FAR},
    {"rfc3339", "9999-12-31T23:59:59Z", FAR},
    {"rfc3339", "2026-01-31", NOT},
    {"rfc3339", "2026-01-31T12:00", NOT},
    {"rfc3339", "2026-01-31T12:00:00.Z", NOT},
    {"rfc3339", "2026-01-31T12:00:00.1 Z", NOT},
    {"rfc3339", "2026-01-31T12:00:00+1:00", NOT},
    {"rfc3339", "2026-01-31T12:00:00+24:00", NOT},
    {"rfc3339", "2026-01-31T12:00:00ZZ", NOT},
    {"rfc3339", "2026-01-3xT12:00:00Z", NOT},
    {"rfc3339", "x026-01-31T12:00:00Z", NOT},
    {"rfc3339", "-026-01-31T12:00:00Z", NOT},
    {"rfc3339", "2026/01/31T12:00:00Z", NOT},
    {"rfc3339", "", NOT},
    {"unix", "0", "1970-01-01T00:00:00Z"},
    {"unix", "1500000000", "2017-07-14T02:40:00Z"},
    {"unix", "1500000000.000000001", "2017-07-14T02:40:00.000000001Z"},
    {"unix", "1500000000.10", "2017-07-14T02:40:00.10Z"},
    {"unix", "1.5e9", "2017-07-14T02:40:00Z"},
    {"unix", "15000000001e-1", "2017-07-14T02:40:00.1Z"},
    {"unix", "-1", "1969-12-31T23:59:59Z"},
    {"unix", "0.000", "1970-01-01T00:00:00.000Z"},
    {"unix", "1e-30", "1970-01-01T00:00:00.000000000Z"},
    {"unix", "0e99", "1970-01-01T00:00:00Z"},
    {"unix", "9223372036.854775807", "2262-04-11T23:47:16.854775807Z"},
    {"unix", "9223372036.854775808", FAR},
    {"unix", "99999999999", FAR},
    {"unix", "1e999999999999", FAR},
    {"unix", "", NOT},
    {"unix", "1500000000 ", NOT},
    {"unix", "0x10", NOT},
    {"unix", "1.", NOT},
    {"unix", "+1", NOT},
    {"unix_ms", "1500000000123", "2017-07-14T02:40:00.123Z"},
    {"unix_ms", "1500000000123.5", "2017-07-14T02:40:00.1235Z"},
    {"unix_us", "1500000000123456", "2017-07-14T02:40:00.123456Z"},
    {"unix_ns", "1500000000123456789", "2017-07-14T02:40:00.123456789Z"},
    {"unix_ns", "1500000000123456789.9", "2017-07-14T02:40:00.123456789Z"},
    {"unix_ns", "9223372036854775808", FAR},
    {"rfc2822", "Sat, 31 Jan 2026 12:00:00 +0100", "2026-01-31T11:00:00Z"},
    {"rfc2822", "1 Feb 2026 12:00 GMT", "2026-02-01T12:00:00Z"},
    {"rfc2822", "Sat, 31 Jan 2026 12:00:00 EST", NOT},
    {"common_log", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"},
    {"common_log", "[10/Oct/2000:13:55:36 -0700]", "2000-10-10T20:55:36Z"},
    {"common_log", "10/Okt/2000:13:55:36 -0700", NOT},
    {"common_log", "31/Jun/2000:13:55:36 -0700", DAY},
    /* Without year: now is March 1, 2026, noon. */
    {"syslog", "Feb  5 10:00:00", "2026-02-05T10:00:00Z"},
    {"syslog", "Nov  5 10:00:00", "2025-11-05T10:00:00Z"},
    {"syslog", "Mar  2 12:00:00", "2026-03-02T12:00:00Z"},
    {"syslog", "Mar  2 12:00:01", "2025-03-02T12:00:01Z"},
    {"syslog", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
    {"syslog", "Feb 30 12:00:00", DAY},
    {"syslog", "Feb  5 10:00:00.250", "2026-02-05T10:00:00.250Z"},
    {"syslog", "Feb 15 2019 10:00:00", "2019-02-15T10:00:00Z"},
    {"syslog", "Feb", NOT},
    {"%Y-%j", "2024-366", "2024-12-31T00:00:00Z"},
    {"%Y-%j", "2023-366", NOT},
    {"%Y-%j", "2023-0", NOT},
    {"%y%m%d %I%p", "690101 12am", "1969-01-01T00:00:00Z"},
    {"%y%m%d %I%p", "680101 12PM", "2068-01-01T12:00:00Z"},
    {"%y%m%d %I%p", "680101 13PM", NOT},
    {"%s.%f", "1500000000.25", "2017-07-14T02:40:00.25Z"},
    {"%A %B %d %T %Z %Y", "saturday JANUARY 31 12:00:00 UTC 2026", "2026-01-31T12:00:00Z"},
    {"%a %b %d %T %Z %Y", "Sat Jan 31 12:00:00 UTCX 2026", "2026-01-31T12:00:00Z"},
    {"%F %T %z (%Z)", "2026-01-31 12:00:00 +0100 (CET)", "2026-01-31T11:00:00Z"},
    {"%F %T%z", "2026-01-31 12:00:00+01", "2026-01-31T11:00:00Z"},
    {"%F %T%z", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00Z"},
    {"%D%n%R", "01/31/26 \t 12:30", "2026-01-31T12:30:00Z"},
    {"100%% %F", "100% 2026-01-31", "2026-01-31T00:00:00Z"},
    {"%F %T", "2026-01-31 12:00:00 ", NOT},
    {"%F %T", "2026-01-31  12:00", NOT},
    {"%F %T", "2026-01-3112:00:00", NOT},
    {"%F", "-2026-01-31", NOT},
};

START_TEST(texts_and_their_times)
{
    zone = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(strcmp(got(rows[i].format, rows[i].text), rows[i].is) == 0, "%s: %s: expected %s, got %s", rows[i].format,
                      rows[i].text, rows[i].is, got(rows[i].format, rows[i].text));
    ck_assert_str_eq(got_bytes("rfc3339", "2026-01-31T12:00:00\0", 20), NOT);
}
END_TEST

/* Every beginning of a good text is no good, whatever the format. */
START_TEST(beginnings)
{
    zone = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t n = 0; n < strlen(rows[i].text); n++)
            got_bytes(rows[i].format, rows[i].text, n);
    for (size_t n = 0; n < 19; n++)
        ck_assert_str_eq(got_bytes("rfc3339", "2026-01-31T12:00:00Z", n), NOT);
}
END_TEST

START_TEST(a_zone_for_those_without)
{
    struct err e = {0};
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    zone = zone_new("local", &e);
    ck_assert_ptr_nonnull(zone);
    ck_assert_str_eq(got("rfc3339", "2026-01-31T12:00:00"), "2026-01-31T11:00:00Z");
    ck_assert_str_eq(got("rfc3339", "2026-07-31T12:00:00"), "2026-07-31T10:00:00Z");
    ck_assert_str_eq(got("rfc3339", "2026-07-31T12:00:00Z"), "2026-07-31T12:00:00Z");
    ck_assert_str_eq(got("syslog", "Mar  2 12:59:59"), "2026-03-02T11:59:59Z");
    ck_assert_str_eq(got("syslog", "Mar  2 13:00:01"), "2025-03-02T12:00:01Z");
    ck_assert_str_eq(got("%F %T %Z", "2026-07-31 12:00:00 CEST"), "2026-07-31T10:00:00Z");
    ck_assert_str_eq(got("%F %T %Z", "2026-07-31 12:00:00 GMT"), "2026-07-31T12:00:00Z");
    ck_assert_str_eq(got("unix", "1500000000"), "2017-07-14T02:40:00Z");
    zone_free(&zone);
}
END_TEST

/* What strftime of the C library writes is read. */
START_TEST(round_trips)
{
    static const char *const volatile patterns[] = {"%Y-%m-%dT%H:%M:%S%z", "%d/%b/%Y:%T %z", "%a %e %B %Y %I:%M:%S %p %Z", "%j %Y %T", "%s",
                                                    "%A, %D %T"};
    struct time_place place = {NULL, NOW};
    setenv("TZ", "UTC0", 1);
    tzset();
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct time_format f;
        const char *pattern = patterns[i];
        ck_assert_int_eq(time_format_read(pattern, &f, NULL), 0);
        for (time_t t = 0; t < 3000000000; t += 86399 * 11) {
            char text[100];
            struct time_found found;
            struct tm tm;
            size_t n = strftime(text, sizeof text, pattern, gmtime_r(&t, &tm));
            if (time_read(&f, text, n, &place, &found) != NULL || found.time != t * CIVIL_SECOND)
                ck_abort_msg("%s: %s", pattern, text);
        }
    }
}
END_TEST

/* ---- the stage ----------------------------------------------------------------------------------- */

START_TEST(problems)
{
    static const struct {
        const char *options, *says;
    } bad[] = {
        {"'format':'%Y-%Q'", "transforms[0].format: \"%Y-%Q\": at byte 3: %Q is not understood"},
        {"'format':'%Y-%m-%d %'", "at byte 9: a lone %"},
        {"'format':['rfc3339','%H:%M']", "\"%H:%M\": says no date: expected a month and a day"},
        {"'format':'%F %I'", "%I and %p go together"},
        {"'format':'iso8601'", "format: expected \"rfc3339\", \"unix\""},
        {"'format':[]", "format"},
        {"'timezone':'Mars/Olympus'", "transforms[0].timezone: unknown time zone: "},
        {"'timezone':'../../etc/passwd'", "timezone: unknown time zone \"../../etc/passwd\""},
        {"'target':'@time'", "target: expected a field, got \"@time\""},
        {"'target':'.'", "target: expected a field, got \".\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char stage[200];
        snprintf(stage, sizeof stage, "{'type':'timestamp',%s}", bad[i].options);
        stage_rig_problem(stage, bad[i].says);
    }
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(metadata_alone_is_changed)
{
    static const char lines[] = "2026-01-31T12:00:00.5Z\nno time\nFeb  5 10:00:00\n1970-01-01T00:00:00Z\n";
    struct stage_rig s;
    stage_rig_open(&s, "{'type':'timestamp','field':'.message','format':['rfc3339','syslog']}");
    ck_assert(stage_rig_start(&s) && stage_rig_feed(&s, lines, NOW, NULL));
    struct batch *b = stage_rig_batch(&s, 0);
    ck_assert_uint_eq(b->count, 4);
    ck_assert_int_eq(batch_time(b, &b->records[0]), INT64_C(1769860800500000000));
    ck_assert_int_eq(batch_time(b, &b->records[1]), NOW);
    ck_assert_int_eq(batch_time(b, &b->records[2]), INT64_C(1770285600000000000));
    ck_assert_int_eq(batch_time(b, &b->records[3]), 1); /* not "none" */
    for (size_t i = 0; i < b->count; i++)
        ck_assert(b->records[i].doc == NULL && !(b->records[i].flags & RECORD_CHANGED));
    ck_assert_str_eq(buf_cstr(&s.text), lines);
    ck_assert_uint_eq(s.rig.stats.errors, 1);
    stage_rig_close(&s);
}
END_TEST

START_TEST(without_memory)
{
    stage_rig_without_memory("{'type':'timestamp','target':'.t'}", "{\"time\":\"2026-01-31T12:00:00.5\\u005a\"}\nno time\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timestamp");
    TCase *t = tcase_create("timestamp");
    setlocale(LC_ALL, "de_DE.UTF-8"); /* if there is one: names stay English */
    tcase_set_timeout(t, 30);
    tcase_add_test(t, texts_and_their_times);
    tcase_add_test(t, beginnings);
    tcase_add_test(t, a_zone_for_those_without);
    tcase_add_test(t, round_trips);
    tcase_add_test(t, problems);
    tcase_add_test(t, metadata_alone_is_changed);
    tcase_add_test(t, without_memory);
    suite_add_tcase(s, t);
    return rig_main(s);
}
