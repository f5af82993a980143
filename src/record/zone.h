/*
 * zone: how far the clocks of a time zone are ahead of UTC, at any time.
 *
 * A zone is read once from the system's tz database (TZif files, RFC 8536) into memory of its own; times behind the last entry follow the
 * rule in the file's footer. Nothing of the process's own zone is used or changed. A zone belongs to one thread: it remembers where the last time
 * that was asked for lay.
 *
 *     UTC  Z  +02:00  -0330  +02   fixed
 *     Europe/Berlin                 a file below /usr/share/zoneinfo (or $TZDIR)
 *     local                         what $TZ says, else /etc/localtime, else UTC
 */
#ifndef WEIR_RECORD_ZONE_H
#define WEIR_RECORD_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct zone;

/* The zone ${name}. NULL and ${e}: it is unknown, its file is not a good one, or no memory. */
struct zone *zone_new(const char *name, struct err *e);

/* Free *${z} (may be NULL) and clear it. */
void zone_free(struct zone **z);

/* Seconds that the zone's clocks are ahead of UTC at ${seconds} since 1970. ${z} NULL: UTC. */
int32_t zone_offset(struct zone *z, int64_t seconds);

/* The time when the zone's clocks show ${local}, seconds from 1970-01-01T00:00:00 on the same clock. What they show twice is the first of both;
 * what they skip is reckoned as if they had not been put forward yet (Python's fold=0). */
int64_t zone_to_utc(struct zone *z, int64_t local);

/* An offset such as +02:00, -0330 or +02 that is all of ${s}; hours to 23. False: it is none. */
bool zone_read_offset(const char *s, size_t len, int32_t *out);

#endif
