/*
 * civil: dates of the Gregorian calendar as numbers, and back.
 *
 * Arithmetic only: no locale, no zone, no clock, nothing allocated. A time is an int64_t of nanoseconds since 1970-01-01T00:00:00Z, which reaches
 * from 1677-09-21 to 2262-04-11; leap seconds have no number of their own (POSIX time).
 */
#ifndef WEIR_RECORD_CIVIL_H
#define WEIR_RECORD_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIVIL_SECOND INT64_C(1000000000) /* in nanoseconds */
#define CIVIL_DAY    INT64_C(86400)      /* in seconds */

struct civil {
    int64_t year;
    int month, day;           /* from 1 */
    int hour, minute, second; /* second 60: a leap second */
    int32_t nano;
};

/* Days from 1970-01-01 to a date; ${day} may be past the end of the month. */
int64_t civil_days(int64_t year, int month, int day);

/* The date that is ${days} days after 1970-01-01; the time of day is 0. */
struct civil civil_date(int64_t days);

/* From 0, Sunday. */
int civil_weekday(int64_t days);

bool civil_leap_year(int64_t year);
int civil_month_days(int64_t year, int month);

/* Is there such a date and time of day? Second 60 is allowed. */
bool civil_valid(const struct civil *c);

/* Seconds from 1970-01-01T00:00:00 to ${c} on the same clock. Second 60 counts as the next minute's 0. */
int64_t civil_seconds(const struct civil *c);

/* ${seconds} and ${nano} (0 to 999999999) as a time. False: it does not fit. */
bool civil_time(int64_t seconds, int32_t nano, int64_t *out);

/* What a clock that is ${offset} seconds ahead of UTC shows at ${time}. */
struct civil civil_at(int64_t time, int32_t offset);

/* Room for what civil_write writes. */
#define CIVIL_TEXT 32

/* ${time} by RFC 3339 in UTC with ${digits} (0 to 9) digits of fraction, the rest cut off: 2026-01-31T12:00:00.25Z. Returns the length. */
size_t civil_write(int64_t time, int digits, char out[CIVIL_TEXT]);

/* ${value} in ${width} decimal digits, zeros in front. Returns behind them. */
char *civil_digits(char *out, int64_t value, int width);

#endif
