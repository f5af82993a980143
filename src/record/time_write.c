#include "record/time_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/civil.h"
#include "record/time_words.h"
#include "record/zone.h"

#define LETTERS "YmdHMSFTRDbhBaAyjeIpGVuLfNsznt%"

int time_write_check(const char *format, size_t len, struct err *e)
{
    for (size_t i = 0; i < len; i++) {
        if (format[i] != '%')
            continue;
        size_t at = i++;
        if (i + 1 < len && format[i] == ':' && format[i + 1] == 'z')
            i++;
        if (i == len)
            return err_set(e, ERR_INVALID, "at byte %zu: a lone %% (%%%% is a percent sign)", at);
        if (format[i] == '\0' || strchr(LETTERS, format[i]) == NULL)
            return err_set(e, ERR_INVALID, "at byte %zu: %%%.*s is not understood", at, (unsigned char)format[i] < 0x80 ? 1 : 0,
                           format + i);
    }
    return 0;
}

/* A time on a clock. */
struct shown {
    struct civil c;
    int64_t days, seconds;
    int32_t offset;
};

static void digits(struct buf *out, int64_t value, int width)
{
    char text[16];
    civil_digits(text, value, width);
    buf_add(out, text, (size_t)width);
}

/* The week of ISO 8601 belongs to the year in which its Thursday lies. */
static void week(const struct shown *t, int64_t *year, int *number)
{
    int64_t thursday = t->days - (civil_weekday(t->days) + 6) % 7 + 3;
    *year = civil_date(thursday).year;
    *number = (int)((thursday - civil_days(*year, 1, 1)) / 7) + 1;
}

static void write_date(struct buf *out, char letter, const struct shown *t)
{
    const struct civil *c = &t->c;
    int64_t year;
    int number;
    switch (letter) {
    case 'Y': digits(out, c->year, 4); break;
    case 'y': digits(out, c->year % 100, 2); break;
    case 'm': digits(out, c->month, 2); break;
    case 'd': digits(out, c->day, 2); break;
    case 'e': buf_fmt(out, "%2d", c->day); break;
    case 'j': digits(out, t->days - civil_days(c->year, 1, 1) + 1, 3); break;
    case 'b':
    case 'h': buf_add(out, time_months[c->month - 1], 3); break;
    case 'B': buf_str(out, time_months[c->month - 1]); break;
    case 'a': buf_add(out, time_weekdays[civil_weekday(t->days)], 3); break;
    case 'A': buf_str(out, time_weekdays[civil_weekday(t->days)]); break;
    case 'u': digits(out, (civil_weekday(t->days) + 6) % 7 + 1, 1); break;
    case 'G': week(t, &year, &number); digits(out, year, 4); break;
    case 'V': week(t, &year, &number); digits(out, number, 2); break;
    default: break;
    }
}

static void write_offset(struct buf *out, int32_t offset, bool colon)
{
    buf_char(out, offset < 0 ? '-' : '+');
    digits(out, abs(offset) / 3600, 2);
    if (colon)
        buf_char(out, ':');
    digits(out, abs(offset) / 60 % 60, 2);
}

static void write_one(struct buf *out, char letter, const struct shown *t)
{
    const struct civil *c = &t->c;
    switch (letter) {
    case 'H': digits(out, c->hour, 2); break;
    case 'I': digits(out, (c->hour + 11) % 12 + 1, 2); break;
    case 'M': digits(out, c->minute, 2); break;
    case 'S': digits(out, c->second, 2); break;
    case 'p': buf_str(out, c->hour < 12 ? "AM" : "PM"); break;
    case 'L': digits(out, c->nano / 1000000, 3); break;
    case 'f': digits(out, c->nano / 1000, 6); break;
    case 'N': digits(out, c->nano, 9); break;
    case 's': buf_fmt(out, "%lld", (long long)t->seconds); break;
    case 'z': write_offset(out, t->offset, false); break;
    case 'n': buf_char(out, '\n'); break;
    case 't': buf_char(out, '\t'); break;
    case '%': buf_char(out, '%'); break;
    default: write_date(out, letter, t); break;
    }
}

/* Letters that stand for several, joined by one sign. */
static const char *group_of(char letter, char *sign)
{
    *sign = letter == 'F' ? '-' : letter == 'D' ? '/' : ':';
    return letter == 'F' ? "Ymd" : letter == 'T' ? "HMS" : letter == 'R' ? "HM" : letter == 'D' ? "mdy" : NULL;
}

static void write_letter(struct buf *out, char letter, const struct shown *t)
{
    char sign;
    const char *group = group_of(letter, &sign);
    if (group == NULL) {
        write_one(out, letter, t);
        return;
    }
    for (size_t i = 0; group[i] != '\0'; i++) {
        if (i > 0)
            buf_char(out, sign);
        write_one(out, group[i], t);
    }
}

void time_write(struct buf *out, const char *format, size_t len, int64_t time, struct zone *zone)
{
    struct shown t = {.seconds = time / CIVIL_SECOND - (time % CIVIL_SECOND < 0)};
    t.offset = zone_offset(zone, t.seconds);
    t.c = civil_at(time, t.offset);
    t.days = civil_days(t.c.year, t.c.month, t.c.day);
    for (size_t i = 0; i < len; i++) {
        if (format[i] != '%') {
            buf_char(out, format[i]);
            continue;
        }
        bool colon = format[++i] == ':';
        if (colon) {
            write_offset(out, t.offset, true);
            i++;
        } else {
            write_letter(out, format[i], &t);
        }
    }
}
