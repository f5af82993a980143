#include "record/zone_rule.h"

#include <string.h>

#include "record/civil.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, or anything plain between < and >. At least three. */
static bool skip_name(const char **at)
{
    const char *p = *at, *start = p;
    if (*p == '<') {
        start = ++p;
        while (is_letter(*p) || is_digit(*p) || *p == '+' || *p == '-')
            p++;
        *at = p + 1;
        return *p == '>' && p - start >= 3;
    }
    while (is_letter(*p))
        p++;
    *at = p;
    return p - start >= 3;
}

static bool read_number(const char **at, int min, int max, int *out)
{
    int n = 0;
    const char *p = *at;
    if (!is_digit(*p))
        return false;
    for (; is_digit(*p); p++) {
        n = n * 10 + (*p - '0');
        if (n > max)
            return false;
    }
    *at = p;
    *out = n;
    return n >= min;
}

/* [+-]h[:mm[:ss]] in seconds. */
static bool read_time(const char **at, int max_hours, int32_t *out)
{
    int parts[3] = {0};
    int sign = **at == '-' ? -1 : 1;
    if (**at == '-' || **at == '+')
        ++*at;
    if (!read_number(at, 0, max_hours, &parts[0]))
        return false;
    for (int i = 1; i < 3 && **at == ':'; i++) {
        ++*at;
        if (!read_number(at, 0, 59, &parts[i]))
            return false;
    }
    *out = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return true;
}

static bool read_month_day(const char **at, struct zone_day *d)
{
    if (!read_number(at, 1, 12, &d->month) || **at != '.')
        return false;
    ++*at;
    if (!read_number(at, 1, 5, &d->week) || **at != '.')
        return false;
    ++*at;
    return read_number(at, 0, 6, &d->day);
}

/* ",M3.5.0/2" */
static bool read_day(const char **at, struct zone_day *d)
{
    bool ok;
    *d = (struct zone_day){.time = 2 * 3600};
    if (*(*at)++ != ',')
        return false;
    if (**at == 'M') {
        ++*at;
        d->kind = RULE_MONTH;
        ok = read_month_day(at, d);
    } else if (**at == 'J') {
        ++*at;
        d->kind = RULE_JULIAN;
        ok = read_number(at, 1, 365, &d->day);
    } else {
        d->kind = RULE_ZERO_BASED;
        ok = read_number(at, 0, 365, &d->day);
    }
    if (ok && **at == '/') {
        ++*at;
        ok = read_time(at, 167, &d->time);
    }
    return ok;
}

bool zone_rule_read(const char *text, struct zone_rule *out)
{
    const char *at = text;
    *out = (struct zone_rule){0};
    if (!skip_name(&at) || !read_time(&at, 24, &out->standard))
        return false;
    out->standard = -out->standard; /* POSIX counts to the west */
    out->summer = out->standard + 3600;
    if (*at == '\0')
        return true;
    out->has_summer = true;
    if (!skip_name(&at))
        return false;
    if (*at != ',') {
        if (!read_time(&at, 24, &out->summer))
            return false;
        out->summer = -out->summer;
    }
    return read_day(&at, &out->start) && read_day(&at, &out->end) && *at == '\0';
}

/* Seconds from 1970-01-01T00:00:00 to ${d} of ${year}, on the clock that it is told on. */
static int64_t when(const struct zone_day *d, int64_t year)
{
    int64_t days = civil_days(year, 1, 1);
    switch (d->kind) {
    case RULE_JULIAN: days += d->day - 1 + (d->day >= 60 && civil_leap_year(year)); break; /* February 29 has no number */
    case RULE_ZERO_BASED: days += d->day; break;
    case RULE_MONTH: {
        int64_t first = civil_days(year, d->month, 1);
        int day = (d->day - civil_weekday(first) + 7) % 7 + 7 * (d->week - 1);
        while (day >= civil_month_days(year, d->month)) /* week 5: the last one */
            day -= 7;
        days = first + day;
        break;
    }
    }
    return days * CIVIL_DAY + d->time;
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t seconds, int64_t *from, int64_t *until)
{
    *from = INT64_MIN;
    *until = INT64_MAX;
    if (!r->has_summer)
        return r->standard;
    int64_t year = civil_date((seconds >= 0 ? seconds : seconds - CIVIL_DAY + 1) / CIVIL_DAY).year, last = INT64_MIN;
    int32_t offset = r->standard;
    /* The last change before, and the first one behind: of three years, because a change may lie days outside its own. */
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t start = when(&r->start, y) - r->standard, end = when(&r->end, y) - r->summer;
        if (start <= seconds && start >= last) {
            last = start;
            offset = r->summer;
        }
        if (end <= seconds && end >= last) {
            last = end;
            offset = r->standard;
        }
        *until = start > seconds && start < *until ? start : *until;
        *until = end > seconds && end < *until ? end : *until;
    }
    *from = last;
    return offset;
}
