/*
 * time_write: a time as text by a format like that of strftime(3), in English whatever the locale.
 *
 *     %Y %m %d   2026 01 31          %H %M %S    15 04 05            %F  %Y-%m-%d        %b %h %B   Jan Jan January
 *     %y %j %e   26 031 31 (blank)   %I %p       03 PM               %T  %H:%M:%S        %a %A      Sat Saturday
 *     %G %V %u   the ISO week's year, its number (01-53), its weekday (1 Monday)         %R  %H:%M
 *     %L %f %N   fraction of the second in 3, 6, 9 digits            %s  seconds since 1970
 *     %z %:z     +0100 +01:00        %n %t %%    line feed, tab, a percent sign          %D  %m/%d/%y
 */
#ifndef WEIR_RECORD_TIME_WRITE_H
#define WEIR_RECORD_TIME_WRITE_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct zone;

/* Is all of ${format} understood? -1 and ${e}: "at byte N: …". */
int time_write_check(const char *format, size_t len, struct err *e);

/* Append ${time} (nanoseconds since 1970) as ${format}, which was checked, says, on the clock of ${zone} (NULL: UTC). */
void time_write(struct buf *out, const char *format, size_t len, int64_t time, struct zone *zone);

#endif
