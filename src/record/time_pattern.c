#include "record/time_pattern.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "record/time_read.h"
#include "record/time_words.h"
#include "record/zone.h"

#define LETTERS "YymbBhdejHIpMSfLNaAzZsTRFDnt%"

/* ---- is it a good one ---------------------------------------------------------------------------- */

static bool has(const char *pattern, const char *letters)
{
    for (const char *p = pattern; (p = strchr(p, '%')) != NULL; p += 2)
        if (strchr(letters, p[1]) != NULL)
            return true;
    return false;
}

int time_pattern_check(const char *pattern, struct err *e)
{
    for (const char *p = pattern; (p = strchr(p, '%')) != NULL; p += 2) {
        if (p[1] == '\0')
            return err_set(e, ERR_INVALID, "at byte %zu: a lone %% (%%%% is a percent sign)", (size_t)(p - pattern));
        if (strchr(LETTERS, p[1]) == NULL)
            return err_set(e, ERR_INVALID, "at byte %zu: %%%.*s is not understood", (size_t)(p - pattern),
                           (unsigned char)p[1] < 0x80 ? 1 : 0, p + 1);
    }
    bool month_and_day = has(pattern, "mbBhFD") && has(pattern, "deFD");
    if (!month_and_day && !has(pattern, "s") && !(has(pattern, "j") && has(pattern, "Yy")))
        return err_set(e, ERR_INVALID, "says no date: expected a month and a day (%%m %%d, %%b %%e, %%F), %%Y %%j, or %%s");
    if (has(pattern, "I") != has(pattern, "p"))
        return err_set(e, ERR_INVALID, "%%I and %%p go together (%%H is the hour to 23)");
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------- */

struct reader {
    const char *at, *end;
    struct time_parts *out;
    int yday;       /* 0: not said */
    bool pm, hour12;
};

/* One to ${most} digits. */
static bool read_int(struct reader *r, int most, int *out)
{
    const char *start = r->at;
    *out = 0;
    while (r->at < r->end && r->at - start < most && *r->at >= '0' && *r->at <= '9')
        *out = *out * 10 + (*r->at++ - '0');
    return r->at > start;
}

static bool read_blanks(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && (*r->at == ' ' || (*r->at >= '\t' && *r->at <= '\r')))
        r->at++;
    return r->at > start;
}

/* The long or the short one of ${count} names, counted from 1. */
static bool read_name(struct reader *r, const char *const *names, int count, int *out)
{
    size_t left = (size_t)(r->end - r->at);
    for (*out = 1; *out <= count; ++*out) {
        const char *name = names[*out - 1];
        size_t len = strlen(name);
        if (left < 3 || strncasecmp(r->at, name, 3) != 0)
            continue;
        r->at += left >= len && strncasecmp(r->at, name, len) == 0 ? len : 3;
        return true;
    }
    return false;
}

static bool is_word(const struct reader *r, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(r->end - r->at) >= len && strncasecmp(r->at, word, len) == 0;
}

/* UTC is the word of ${len} bytes at hand, perhaps. */
static bool read_utc(struct reader *r, size_t len)
{
    if (!(len == 3 && (is_word(r, "UTC") || is_word(r, "GMT"))) && !(len == 1 && is_word(r, "Z")))
        return false;
    r->at += len;
    r->out->offset = 0;
    r->out->has_offset = true;
    return true;
}

static bool read_offset(struct reader *r)
{
    static const int lengths[] = {6, 5, 3}; /* +01:00 +0100 +01 */
    if (read_utc(r, 3) || read_utc(r, 1))
        return true;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        if (r->end - r->at >= lengths[i] && zone_read_offset(r->at, (size_t)lengths[i], &r->out->offset)) {
            r->at += lengths[i];
            r->out->has_offset = true;
            return true;
        }
    return false;
}

static bool read_letters(struct reader *r)
{
    const char *p = r->at;
    while (p < r->end && ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')))
        p++;
    bool any = p > r->at;
    if (!read_utc(r, (size_t)(p - r->at)))
        r->at = p;
    return any;
}

static bool read_epoch(struct reader *r)
{
    const char *start = r->at;
    int64_t n = 0;
    for (; r->at < r->end && r->at - start < 12 && *r->at >= '0' && *r->at <= '9'; r->at++)
        n = n * 10 + (*r->at - '0');
    r->out->is_epoch = true;
    r->out->epoch = n;
    return r->at > start;
}

static bool read_year(struct reader *r, char letter)
{
    int n;
    if (!read_int(r, letter == 'Y' ? 4 : 2, &n))
        return false;
    r->out->c.year = letter == 'Y' ? n : n + (n < 69 ? 2000 : 1900);
    r->out->has_year = true;
    return true;
}

static bool read_day(struct reader *r)
{
    if (r->at < r->end && *r->at == ' ')
        r->at++;
    return read_int(r, 2, &r->out->c.day);
}

static bool read_half(struct reader *r)
{
    if (!is_word(r, "AM") && !is_word(r, "PM"))
        return false;
    r->pm = (*r->at | 0x20) == 'p';
    r->at += 2;
    return true;
}

static bool read_fraction(struct reader *r)
{
    const char *behind = time_read_fraction(r->at, r->end, r->out);
    r->at = behind != NULL ? behind : r->at;
    return behind != NULL;
}

static bool read_all(struct reader *r, const char *pattern);

static bool read_letter(struct reader *r, char letter)
{
    struct civil *c = &r->out->c;
    int weekday;
    switch (letter) {
    case 'Y':
    case 'y': return read_year(r, letter);
    case 'm': return read_int(r, 2, &c->month);
    case 'b':
    case 'B':
    case 'h': return read_name(r, time_months, 12, &c->month);
    case 'd':
    case 'e': return read_day(r);
    case 'j': return read_int(r, 3, &r->yday) && r->yday > 0;
    case 'H': return read_int(r, 2, &c->hour);
    case 'I': r->hour12 = true; return read_int(r, 2, &c->hour) && c->hour >= 1 && c->hour <= 12;
    case 'p': return read_half(r);
    case 'M': return read_int(r, 2, &c->minute);
    case 'S': return read_int(r, 2, &c->second);
    case 'f':
    case 'L':
    case 'N': return read_fraction(r);
    case 'a':
    case 'A': return read_name(r, time_weekdays, 7, &weekday);
    case 'z': return read_offset(r);
    case 'Z': return read_letters(r);
    case 's': return read_epoch(r);
    case 'T': return read_all(r, "%H:%M:%S");
    case 'R': return read_all(r, "%H:%M");
    case 'F': return read_all(r, "%Y-%m-%d");
    case 'D': return read_all(r, "%m/%d/%y");
    case 'n':
    case 't': return read_blanks(r);
    default: return r->at < r->end && *r->at++ == '%';
    }
}

static bool read_all(struct reader *r, const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        bool ok = *pattern == '%'   ? read_letter(r, *++pattern)
                  : *pattern == ' ' ? read_blanks(r)
                                    : r->at < r->end && *r->at++ == *pattern;
        if (!ok)
            return false;
    }
    return true;
}

bool time_pattern_read(const char *pattern, const char *s, size_t len, struct time_parts *out)
{
    *out = (struct time_parts){0};
    struct reader r = {s, s + len, out, 0, false, false};
    struct civil *c = &out->c;
    if (!read_all(&r, pattern) || r.at != r.end)
        return false;
    if (r.hour12)
        c->hour = c->hour % 12 + (r.pm ? 12 : 0);
    if (r.yday > 0) {
        if (r.yday > 365 + civil_leap_year(c->year))
            return false;
        struct civil date = civil_date(civil_days(c->year, 1, 1) + r.yday - 1);
        c->month = date.month;
        c->day = date.day;
    }
    return true;
}
