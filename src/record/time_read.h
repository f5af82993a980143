/*
 * time_read: text as a time.
 *
 * A format is one of these names, or a pattern like that of strptime(3), in English whatever the locale:
 *
 *     rfc3339     2026-01-31T12:00:00.25+01:00; also with a blank for the T, a comma for the point, without offset
 *     unix        seconds since 1970, with any fraction; unix_ms, unix_us, unix_ns: thousandths of it, and so on
 *     rfc2822     Sat, 31 Jan 2026 12:00:00 +0100; common_log 31/Jan/2026:12:00:00 +0100; syslog Jan 31 12:00:00
 *
 *     %Y %y         2026; 26 (69 to 99: 19xx)    %H %I %p   hour to 23; to 12 with AM or PM    %T %R  %H:%M:%S %H:%M
 *     %m %b %B %h   month: number; name, short or long      %M %S      minute; second          %F %D  %Y-%m-%d %m/%d/%y
 *     %d %e %j      day; day of the year         %f %L %N   fraction of the second: any number of digits
 *     %a %A         weekday: read over           %z         +0100, +01:00, +01, Z, UTC or GMT
 *     %s            seconds since 1970           %Z         letters: UTC, GMT and Z are that, others are read over
 *     %n %t, blank  one or more blanks           %%         a percent sign; all else as it stands
 *
 * Where there is no offset the zone given says it. Where there is no year, it is the latest that puts the time no more than a day
 * ahead of `now`. Second 60 is taken where a leap second can be, and becomes the last nanosecond of the minute.
 */
#ifndef WEIR_RECORD_TIME_READ_H
#define WEIR_RECORD_TIME_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/civil.h"

struct err;
struct value;
struct zone;

enum time_kind { TIME_RFC3339, TIME_UNIX, TIME_UNIX_MS, TIME_UNIX_US, TIME_UNIX_NS, TIME_PATTERN };

#define TIME_PATTERNS 4 /* a name may stand for several, tried in order */

struct time_format {
    enum time_kind kind;
    const char *patterns[TIME_PATTERNS + 1]; /* TIME_PATTERN: to the first NULL */
};

/* What texts leave out. */
struct time_place {
    struct zone *zone; /* NULL: UTC */
    int64_t now;       /* nanoseconds since 1970 */
};

struct time_found {
    int64_t time; /* nanoseconds since 1970 */
    int digits;   /* of fraction that were given, 9 at most */
};

/* ${text}, which is kept, as a format. -1 and ${e}: "at byte N: …". */
int time_format_read(const char *text, struct time_format *out, struct err *e);

/* All of ${s} as a time. NULL, or why not: words to follow the name of the value. */
const char *time_read(const struct time_format *f, const char *s, size_t len, const struct time_place *place, struct time_found *out);

/* As time_read by rfc3339. */
const char *time_read_rfc3339(const char *s, size_t len, const struct time_place *place, struct time_found *out);

/* What was read of a text so far; for time_pattern.c. */
struct time_parts {
    struct civil c;
    int digits;
    int32_t offset;
    bool has_offset, has_year;
    bool is_epoch; /* c is left alone: `epoch` says all but the fraction */
    int64_t epoch;
};

const char *time_read_parts(struct time_parts *p, const struct time_place *place, struct time_found *out);

/* Digits from ${s} on, at least one; nanoseconds to ${nano}, their number to ${digits}. Returns behind them; NULL: there is none. */
const char *time_read_fraction(const char *s, const char *end, struct time_parts *p);

#endif
