/*
 * zone_rule: the rule by which a zone goes on for ever: a TZ string of POSIX with the extensions of RFC 8536, section 3.3.1. Private to
 * zone.c.
 *
 *     CET-1CEST,M3.5.0,M10.5.0/3
 */
#ifndef WEIR_RECORD_ZONE_RULE_H
#define WEIR_RECORD_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_day {
    enum { RULE_JULIAN, RULE_ZERO_BASED, RULE_MONTH } kind; /* Jn, n, Mm.w.d */
    int month, week, day;
    int32_t time; /* seconds after midnight, on the clock before the change */
};

struct zone_rule {
    int32_t standard, summer; /* seconds ahead of UTC */
    bool has_summer;
    struct zone_day start, end; /* of summer time */
};

/* Read the string ${text}, all of it. False: it is none. */
bool zone_rule_read(const char *text, struct zone_rule *out);

/* The offset at ${seconds}, and the times (*${from} inclusive, *${until} not) between which it certainly is the same. */
int32_t zone_rule_offset(const struct zone_rule *r, int64_t seconds, int64_t *from, int64_t *until);

#endif
