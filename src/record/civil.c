#include "record/civil.h"

#include <string.h>

/* Eras of 400 years, which all have the same 146097 days; years that begin with March, so that the leap day is the last of them. */
int64_t civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil civil_date(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    struct civil c = {.day = (int)(of_year - (153 * month + 2) / 5 + 1), .month = (int)(month < 10 ? month + 3 : month - 9)};
    c.year = year + era * 400 + (c.month <= 2);
    return c;
}

int civil_weekday(int64_t days)
{
    int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (int)(w < 0 ? w + 7 : w);
}

bool civil_leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && civil_leap_year(year));
}

bool civil_valid(const struct civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= civil_month_days(c->year, c->month) && c->hour >= 0 &&
           c->hour <= 23 && c->minute >= 0 && c->minute <= 59 && c->second >= 0 && c->second <= 60;
}

int64_t civil_seconds(const struct civil *c)
{
    return civil_days(c->year, c->month, c->day) * CIVIL_DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

bool civil_time(int64_t seconds, int32_t nano, int64_t *out)
{
    if (seconds < 0 && nano > 0) { /* the earliest second has only its end inside the range */
        seconds++;
        nano -= (int32_t)CIVIL_SECOND;
    }
    int64_t whole;
    return !__builtin_mul_overflow(seconds, CIVIL_SECOND, &whole) && !__builtin_add_overflow(whole, (int64_t)nano, out);
}

static int64_t floor_div(int64_t a, int64_t b, int64_t *rest)
{
    int64_t q = a / b;
    *rest = a % b;
    if (*rest < 0) {
        *rest += b;
        q--;
    }
    return q;
}

struct civil civil_at(int64_t time, int32_t offset)
{
    int64_t nano, of_day;
    int64_t days = floor_div(floor_div(time, CIVIL_SECOND, &nano) + offset, CIVIL_DAY, &of_day);
    struct civil c = civil_date(days);
    c.hour = (int)(of_day / 3600);
    c.minute = (int)(of_day / 60 % 60);
    c.second = (int)(of_day % 60);
    c.nano = (int32_t)nano;
    return c;
}

char *civil_digits(char *out, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

static char *two(char *at, int value, char behind)
{
    at = civil_digits(at, value, 2);
    *at = behind;
    return at + 1;
}

size_t civil_write(int64_t time, int digits, char out[CIVIL_TEXT])
{
    struct civil c = civil_at(time, 0);
    char nano[9], *at = civil_digits(out, c.year, 4);
    *at++ = '-';
    at = two(at, c.month, '-');
    at = two(at, c.day, 'T');
    at = two(at, c.hour, ':');
    at = two(at, c.minute, ':');
    at = civil_digits(at, c.second, 2);
    if (digits > 0) {
        civil_digits(nano, c.nano, 9);
        *at++ = '.';
        memcpy(at, nano, (size_t)digits);
        at += digits;
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}
