/*
 * time_pattern: reading by a pattern like that of strptime. Private to time_*.c; time_read.h has the letters.
 */
#ifndef WEIR_RECORD_TIME_PATTERN_H
#define WEIR_RECORD_TIME_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct time_parts;

/* Is ${pattern} understood, and does it say a date? -1 and ${e}: "at byte N: …". */
int time_pattern_check(const char *pattern, struct err *e);

/* Read all of ${s}; ${out} is zeroed first. False: it does not read so. */
bool time_pattern_read(const char *pattern, const char *s, size_t len, struct time_parts *out);

#endif
