#include "config/units.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit sizes[] = {
    {"", 1},      {"B", 1},        {"KB", 1e3},     {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
    {"TB", 1e12}, {"KiB", 1024.0}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {NULL, 0},
};

static const struct unit durations[] = {
    {"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0},
};

static const char *digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

/* "DIGITS[.DIGITS]UNIT" in the base unit. strtod alone would also take signs, hexadecimal, inf and
 * nan. */
static bool parse(const char *text, const struct unit *units, double *out)
{
    const char *p = digits(text);
    if (p == text)
        return false;
    if (*p == '.') {
        const char *fraction = p + 1;
        p = digits(fraction);
        if (p == fraction)
            return false;
    }
    while (units->name != NULL && strcmp(units->name, p) != 0)
        units++;
    if (units->name == NULL)
        return false;
    *out = strtod(text, NULL) * units->factor;
    return true;
}

bool units_size(const char *text, uint64_t *bytes)
{
    if (text[0] != '\0' && *digits(text) == '\0') { /* exact also past 2^53 */
        unsigned long long n = strlen(text) > 19 ? UINT64_MAX : strtoull(text, NULL, 10);
        if (n > INT64_MAX)
            return false;
        *bytes = n;
        return true;
    }
    double n;
    if (!parse(text, sizes, &n) || n >= 0x1p63)
        return false;
    *bytes = (uint64_t)n;
    return true;
}

bool units_duration(const char *text, double *seconds)
{
    double n;
    if (!parse(text, durations, &n) || n > 100 * 365.25 * 86400)
        return false;
    *seconds = n;
    return true;
}

void units_add_size(struct buf *out, uint64_t bytes)
{
    static const char *const names[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (i < 4 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    buf_fmt(out, "%" PRIu64 "%s", bytes, names[i]);
}

void units_add_duration(struct buf *out, uint64_t ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } steps[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms == 0 ? steps[i].ms != 1000 : ms % steps[i].ms != 0)
        i++;
    buf_fmt(out, "%" PRIu64 "%s", ms / steps[i].ms, steps[i].name);
}
