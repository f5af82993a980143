/*
 * Any file as that of a time zone, and its first line as a rule: either refused, or offsets within a day and an hour, the same whatever was asked before, and clocks
 * that lead back to the time they show.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "record/zone.h"
#include "record/zone_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct zone *z, struct zone *again)
{
    static int32_t first[400];
    for (int i = 0; i < 400; i++) {
        int64_t t = (int64_t)(i - 100) * 40000000;
        first[i] = zone_offset(z, t);
        assert(first[i] > -26 * 3600 && first[i] < 26 * 3600 + 1);
        zone_to_utc(z, t);
    }
    for (int i = 399; i >= 0; i--)
        assert(zone_offset(again, (int64_t)(i - 100) * 40000000) == first[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct zone_rule rule;
    char name[20], *text = strndup((const char *)data, size);
    zone_rule_read(text, &rule);
    free(text);
    int fd = memfd_create("zone", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    setenv("TZDIR", "/proc/self/fd", 1);
    snprintf(name, sizeof name, "%d", fd);
    struct zone *z = zone_new(name, &e), *again = zone_new(name, &e);
    assert((z == NULL) == (again == NULL));
    if (z != NULL)
        ask(z, again);
    zone_free(&z);
    zone_free(&again);
    close(fd);
    return 0;
}
