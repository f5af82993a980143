#include "record/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "record/civil.h"
#include "record/zone_rule.h"

#define ZONE_FILE_MAX (256 << 10) /* the largest of the database has 4 KiB */

struct change {
    int64_t at;     /* from this second on */
    int32_t offset; /* it is so far ahead */
};

struct zone {
    struct change *changes;
    size_t count;
    int32_t first; /* the offset before them */
    bool has_rule; /* after them; else it stays as the last one says */
    struct zone_rule rule;
    int64_t from, until; /* the last answer, and for which times it holds */
    int32_t offset;
};

/* ---- the file (RFC 8536, section 3) -------------------------------------------------------------- */

struct header {
    const unsigned char *body;
    size_t utc, standard, leap, times, types, chars, size; /* size: of the body */
};

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The header at ${p}, whose times have ${width} bytes. False: there is none, or not all of its body. */
static bool read_header(const unsigned char *p, size_t len, size_t width, struct header *h)
{
    if (len < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    *h = (struct header){p + 44, be32(p + 20), be32(p + 24), be32(p + 28), be32(p + 32), be32(p + 36), be32(p + 40), 0};
    if (h->utc > len || h->standard > len || h->leap > len || h->times > len || h->types > len || h->chars > len)
        return false;
    h->size = h->times * (width + 1) + h->types * 6 + h->chars + h->leap * (width + 4) + h->standard + h->utc;
    return h->size <= len - 44;
}

/* Offset number ${i}. A day and an hour is the furthest that RFC 8536 allows. */
static bool type_offset(const struct header *h, size_t i, int32_t *out)
{
    if (i >= h->types)
        return false;
    *out = (int32_t)be32(h->body + h->times * 9 + i * 6);
    return *out > -25 * 3600 && *out < 26 * 3600;
}

/* -1: no memory; 0: something is wrong with it. */
static int read_changes(struct zone *z, const struct header *h)
{
    z->changes = mem_zalloc(h->times + 1, sizeof *z->changes);
    if (z->changes == NULL)
        return -1;
    for (; z->count < h->times; z->count++) {
        struct change *c = &z->changes[z->count];
        c->at = be64(h->body + z->count * 8);
        if (!type_offset(h, h->body[h->times * 8 + z->count], &c->offset) || (z->count > 0 && c->at <= c[-1].at))
            return 0;
    }
    return type_offset(h, 0, &z->first);
}

/* The line behind the second body. */
static bool read_footer(struct zone *z, const char *at, const char *end)
{
    char text[128];
    const char *nl = end - at > 1 && *at == '\n' ? memchr(at + 1, '\n', (size_t)(end - at - 1)) : NULL;
    if (nl == NULL || (size_t)(nl - at) > sizeof text)
        return false;
    size_t len = (size_t)(nl - at - 1);
    memcpy(text, at + 1, len);
    text[len] = '\0';
    z->has_rule = len > 0;
    return len == 0 || zone_rule_read(text, &z->rule);
}

/* As read_changes. The first body, with times of 32 bits, is for readers of old. */
static int read_tzif(struct zone *z, const char *data, size_t len)
{
    struct header old, h;
    const unsigned char *p = (const unsigned char *)data, *end = p + len;
    if (!read_header(p, len, 4, &old))
        return 0;
    p = old.body + old.size;
    if (!read_header(p, (size_t)(end - p), 8, &h) || h.leap > 0)
        return 0;
    int rc = read_changes(z, &h);
    return rc == 1 ? read_footer(z, (const char *)h.body + h.size, data + len) : rc;
}

static int read_file(struct zone *z, const char *path, struct err *e)
{
    struct buf text = {0};
    struct stat st;
    int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_sys(e, errno, "unknown time zone: %s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size > ZONE_FILE_MAX) {
        err_set(e, ERR_INVALID, "%s is not the file of a time zone", path);
    } else if (file_read_all(fd, &text, e) == 0) {
        int result = read_tzif(z, text.len > 0 ? text.data : "", text.len);
        rc = result == 1 ? 0 : result == 0 ? err_set(e, ERR_INVALID, "%s is not the file of a time zone", path) : err_nomem(e);
    }
    if (fd >= 0)
        close(fd);
    buf_clear(&text);
    return rc;
}

/* ---- names --------------------------------------------------------------------------------------- */

bool zone_read_offset(const char *s, size_t len, int32_t *out)
{
    int digits[4] = {0}, n = 0;
    if (len < 3 || len > 6 || (s[0] != '+' && s[0] != '-'))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (s[i] == ':' && i == 3 && len == 6)
            continue;
        if (s[i] < '0' || s[i] > '9' || n == 4)
            return false;
        digits[n++] = s[i] - '0';
    }
    int hours = digits[0] * 10 + digits[1], minutes = digits[2] * 10 + digits[3];
    if ((n != 2 && n != 4) || hours > 23 || minutes > 59)
        return false;
    *out = (s[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* A name that stays below the directory of the database. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 64 || name[0] == '/' || name[0] == '.' || strstr(name, "/.") != NULL)
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
}

static int read_named(struct zone *z, const char *name, struct err *e)
{
    const char *dir = getenv("TZDIR");
    struct buf path = {0};
    if (!name_ok(name))
        return err_set(e, ERR_INVALID, "unknown time zone \"%.64s\": expected a name such as Europe/Berlin, UTC, local or +02:00", name);
    buf_fmt(&path, "%s/%s", dir != NULL && dir[0] != '\0' ? dir : "/usr/share/zoneinfo", name);
    const char *text = buf_cstr(&path);
    int rc = text != NULL ? read_file(z, text, e) : err_nomem(e);
    buf_clear(&path);
    return rc;
}

static int read_zone(struct zone *z, const char *name, struct err *e)
{
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0 || zone_read_offset(name, strlen(name), &z->first))
        return 0;
    return read_named(z, name, e);
}

/* What the C library would take: $TZ is a rule or names a file; without it /etc/localtime, which may be missing: UTC. */
static int read_local(struct zone *z, struct err *e)
{
    const char *tz = getenv("TZ");
    if (tz == NULL)
        return access("/etc/localtime", F_OK) == 0 ? read_file(z, "/etc/localtime", e) : 0;
    if (*tz == ':')
        tz++;
    if (*tz == '\0')
        return 0;
    z->has_rule = zone_rule_read(tz, &z->rule);
    if (z->has_rule)
        return 0;
    return *tz == '/' ? read_file(z, tz, e) : read_zone(z, tz, e);
}

struct zone *zone_new(const char *name, struct err *e)
{
    struct zone *z = mem_zalloc(1, sizeof *z);
    if (z == NULL) {
        err_nomem(e);
        return NULL;
    }
    if ((strcmp(name, "local") == 0 ? read_local(z, e) : read_zone(z, name, e)) != 0)
        zone_free(&z);
    return z;
}

void zone_free(struct zone **z)
{
    if (*z == NULL)
        return;
    mem_free((*z)->changes);
    mem_free(*z);
    *z = NULL;
}

/* ---- asking -------------------------------------------------------------------------------------- */

/* How many changes come at or before ${seconds}. */
static size_t changes_before(const struct zone *z, int64_t seconds)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->changes[mid].at <= seconds)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int32_t zone_offset(struct zone *z, int64_t seconds)
{
    if (z == NULL)
        return 0;
    if (seconds >= z->from && seconds < z->until)
        return z->offset;
    size_t n = changes_before(z, seconds);
    int64_t begun = n > 0 ? z->changes[n - 1].at : INT64_MIN;
    z->from = begun;
    z->until = n < z->count ? z->changes[n].at : INT64_MAX;
    z->offset = n > 0 ? z->changes[n - 1].offset : z->first;
    if (n == z->count && z->has_rule) {
        z->offset = zone_rule_offset(&z->rule, seconds, &z->from, &z->until);
        z->from = z->from > begun ? z->from : begun;
    }
    return z->offset;
}

int64_t zone_to_utc(struct zone *z, int64_t local)
{
    if (z == NULL)
        return local;
    /* No change is by more than a day, nor two within one: what holds a day earlier is the offset before the change, if there is one near. */
    int32_t before = zone_offset(z, local - CIVIL_DAY), after = zone_offset(z, local - before);
    if (before == after)
        return local - before;
    int64_t late = local - after;
    return zone_offset(z, late) == after ? late : local - before;
}
