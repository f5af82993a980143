#include "record/time_read.h"

#include <string.h>

#include "base/err.h"
#include "record/number.h"
#include "record/time_pattern.h"
#include "record/zone.h"

static const char not_it[] = "does not read so";
static const char no_date[] = "has no such date or time of day";
static const char too_far[] = "is not within 1678 and 2262";

/* ---- from parts to a time ------------------------------------------------------------------------ */

static const char *to_utc(const struct time_parts *p, const struct time_place *place, int64_t *seconds)
{
    if (!civil_valid(&p->c))
        return no_date;
    int64_t local = civil_seconds(&p->c);
    *seconds = p->has_offset ? local - p->offset : zone_to_utc(place->zone, local);
    return NULL;
}

/* A time that says no year lies behind, or at most a day ahead: clocks differ. February 29 may be eight years back. */
static const char *guess_year(struct time_parts *p, const struct time_place *place, int64_t *seconds)
{
    int64_t now = place->now / CIVIL_SECOND;
    int64_t year = civil_at(place->now, zone_offset(place->zone, now)).year + 1;
    const char *why = no_date;
    for (p->c.year = year; p->c.year > year - 10; p->c.year--) {
        why = to_utc(p, place, seconds);
        if (why == NULL && *seconds <= now + CIVIL_DAY)
            return NULL;
    }
    return why;
}

const char *time_read_parts(struct time_parts *p, const struct time_place *place, struct time_found *out)
{
    int64_t seconds = p->epoch;
    bool leap = p->c.second == 60;
    if (leap)
        p->c.second = 59;
    if (!p->is_epoch) {
        const char *why = p->has_year ? to_utc(p, place, &seconds) : guess_year(p, place, &seconds);
        if (why != NULL)
            return why;
    }
    if (leap) {
        if ((seconds + 1) % CIVIL_DAY != 0)
            return no_date; /* leap seconds are put in where a day ends in UTC */
        p->c.nano = (int32_t)CIVIL_SECOND - 1;
    }
    out->digits = p->digits;
    return civil_time(seconds, p->c.nano, &out->time) ? NULL : too_far;
}

const char *time_read_fraction(const char *s, const char *end, struct time_parts *p)
{
    const char *start = s;
    int32_t nano = 0, digits = 0;
    for (; s < end && *s >= '0' && *s <= '9'; s++)
        if (digits < 9) {
            nano = nano * 10 + (*s - '0');
            digits++;
        }
    p->digits = digits;
    for (; digits < 9; digits++)
        nano *= 10;
    p->c.nano = nano;
    return s > start ? s : NULL;
}

/* ---- RFC 3339 ------------------------------------------------------------------------------------ */

/* Two digits; something far beyond 99 when they are none. */
static int two(const char *s)
{
    unsigned a = (unsigned char)s[0] - (unsigned)'0', b = (unsigned char)s[1] - (unsigned)'0';
    return a <= 9 && b <= 9 ? (int)(a * 10 + b) : 1000000;
}

const char *time_read_rfc3339(const char *s, size_t len, const struct time_place *place, struct time_found *out)
{
    struct time_parts p = {.has_year = true};
    const char *end = s + len, *at = s + 19;
    if (len < 19 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ' && s[10] != 't') || s[13] != ':' || s[16] != ':')
        return not_it;
    p.c = (struct civil){two(s) * 100 + two(s + 2), two(s + 5), two(s + 8), two(s + 11), two(s + 14), two(s + 17), 0};
    if (p.c.year > 9999 || p.c.month > 99 || p.c.day > 99 || p.c.hour > 99 || p.c.minute > 99 || p.c.second > 99)
        return not_it;
    if (at < end && (*at == '.' || *at == ',')) {
        at = time_read_fraction(at + 1, end, &p);
        if (at == NULL)
            return not_it;
    }
    if (at < end) {
        p.has_offset = true;
        if (!(end - at == 1 && (*at == 'Z' || *at == 'z')) && !zone_read_offset(at, (size_t)(end - at), &p.offset))
            return not_it;
    }
    return time_read_parts(&p, place, out);
}

/* ---- seconds since 1970 -------------------------------------------------------------------------- */

/* Digits of fraction as they are spelled: 1.50 has both. With an exponent, those that count. */
static int64_t fraction_digits(const char *s, size_t len, const struct number *n)
{
    const char *point = memchr(s, '.', len);
    if (memchr(s, 'e', len) == NULL && memchr(s, 'E', len) == NULL)
        return point != NULL ? s + len - point - 1 : 0;
    int64_t digits = n->last - n->first - (memchr(n->first, '.', (size_t)(n->last - n->first)) != NULL) - n->exponent;
    return digits > 0 ? digits : 0;
}

/* ${unit}: 0 for seconds, 3 for milliseconds… Exact: a double has not enough digits for nanoseconds. */
static const char *read_unix(const char *s, size_t len, int unit, struct time_found *out)
{
    if (!number_is(s, len))
        return not_it;
    struct number n = number_read(s, len);
    const char *at = n.first;
    int64_t digits = n.exponent + 9 - unit; /* how many there are before the nanoseconds' point */
    uint64_t nano = 0;
    if (n.first == n.last)
        digits = 0;
    if (digits > 19)
        return too_far;
    for (int64_t i = 0; i < digits; i++) {
        if (at < n.last && *at == '.')
            at++;
        nano = nano * 10 + (at < n.last ? (uint64_t)(*at++ - '0') : 0);
    }
    if (nano > INT64_MAX)
        return too_far;
    out->time = n.negative ? -(int64_t)nano : (int64_t)nano;
    int64_t given = unit + fraction_digits(s, len, &n);
    out->digits = given < 9 ? (int)given : 9;
    return NULL;
}

/* ---- formats ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct time_format format;
} names[] = {
    {"rfc3339", {TIME_RFC3339, {NULL}}},
    {"unix", {TIME_UNIX, {NULL}}},
    {"unix_ms", {TIME_UNIX_MS, {NULL}}},
    {"unix_us", {TIME_UNIX_US, {NULL}}},
    {"unix_ns", {TIME_UNIX_NS, {NULL}}},
    {"rfc2822",
     {TIME_PATTERN, {"%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M %z", "%d %b %Y %H:%M %z"}}},
    {"common_log", {TIME_PATTERN, {"%d/%b/%Y:%H:%M:%S %z", "[%d/%b/%Y:%H:%M:%S %z]"}}},
    {"syslog", {TIME_PATTERN, {"%b %e %H:%M:%S", "%b %e %H:%M:%S.%f", "%b %e %Y %H:%M:%S"}}},
};

int time_format_read(const char *text, struct time_format *out, struct err *e)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].format;
            return 0;
        }
    *out = (struct time_format){TIME_PATTERN, {text}};
    if (strchr(text, '%') == NULL)
        return err_set(e, ERR_INVALID,
                       "expected \"rfc3339\", \"unix\", \"unix_ms\", \"unix_us\", \"unix_ns\", \"rfc2822\", \"common_log\", \"syslog\" or a "
                       "pattern such as \"%%Y-%%m-%%d %%T\", got \"%.60s\"",
                       text);
    return time_pattern_check(text, e);
}

const char *time_read(const struct time_format *f, const char *s, size_t len, const struct time_place *place, struct time_found *out)
{
    struct time_parts p;
    switch (f->kind) {
    case TIME_RFC3339: return time_read_rfc3339(s, len, place, out);
    case TIME_UNIX: return read_unix(s, len, 0, out);
    case TIME_UNIX_MS: return read_unix(s, len, 3, out);
    case TIME_UNIX_US: return read_unix(s, len, 6, out);
    case TIME_UNIX_NS: return read_unix(s, len, 9, out);
    case TIME_PATTERN: break;
    }
    for (size_t i = 0; f->patterns[i] != NULL; i++)
        if (time_pattern_read(f->patterns[i], s, len, &p))
            return time_read_parts(&p, place, out);
    return not_it;
}
