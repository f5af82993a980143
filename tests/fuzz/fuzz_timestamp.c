/*
 * A format, a line feed, a text: what is read has digits as they are counted and, written by RFC 3339, reads back as itself; a format that is
 * taken for writing writes what it says.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/civil.h"
#include "record/time_read.h"
#include "record/time_write.h"
#include "record/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct time_found *found)
{
    char text[CIVIL_TEXT];
    struct time_place utc = {NULL, 0};
    struct time_found again;
    assert(found->digits >= 0 && found->digits <= 9);
    size_t len = civil_write(found->time, 9, text);
    assert(len <= CIVIL_TEXT && time_read_rfc3339(text, len, &utc, &again) == NULL);
    assert(again.time == found->time && again.digits == 9);
}

static void write_by(const char *format, size_t len, int64_t time, struct zone *zone)
{
    struct err e = {0};
    struct buf out = {0};
    if (time_write_check(format, len, &e) == 0)
        time_write(&out, format, len, time, zone);
    buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone *zone;
    struct err e = {0};
    struct time_format f;
    struct time_found found;
    const uint8_t *nl = memchr(data, '\n', size);
    if (zone == NULL) {
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        zone = zone_new("local", &e);
    }
    struct time_place place = {zone, INT64_C(1772366400) * CIVIL_SECOND};
    if (nl == NULL || memchr(data, '\0', (size_t)(nl - data)) != NULL)
        return 0;
    size_t len = (size_t)(nl - data), rest = size - len - 1;
    char *format = strndup((const char *)data, len), *text = malloc(rest + (rest == 0));
    memcpy(text, nl + 1, rest);
    found.time = 0;
    if (time_format_read(format, &f, &e) == 0 && time_read(&f, text, rest, &place, &found) == NULL)
        check(&found);
    if (time_read_rfc3339(text, rest, &place, &found) == NULL)
        check(&found);
    write_by(format, len, found.time, zone);
    free(format);
    free(text);
    return 0;
}
