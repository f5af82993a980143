#include "sink/file_name.h"

#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "record/doc.h"
#include "record/render.h"
#include "record/time_write.h"

#define HASH_DIGITS 16 /* 64 bits of SHA-256 behind what was cut */
#define KEEP_DIGITS 6

/* Bytes of the character at ${p} that a name cannot have; 0: it can. C1 controls (U+0080 to U+009F) steer terminals too. */
static size_t unfit(const unsigned char *p, const unsigned char *end, size_t *len)
{
    size_t skip = 1;
    *len = utf8_char(p, end, &skip);
    if (*len == 0)
        return *len = skip;
    if (*p < 0x20 || *p == 0x7F || *p == '/')
        return 1;
    return *p == 0xC2 && p[1] < 0xA0 ? 2 : 0;
}

/* What was appended to ${out} since it was ${from} long becomes part of the name that begins at ${start}. */
static void clean(struct buf *out, size_t start, size_t from)
{
    if (out->failed)
        return;
    if (out->len == from) {
        buf_char(out, '_');
        return;
    }
    unsigned char *p = (unsigned char *)out->data + from, *end = (unsigned char *)out->data + out->len;
    if (from == start && *p == '.')
        *p = '_';
    for (size_t len; p < end; p += len)
        memset(p, '_', unfit(p, end, &len));
}

void file_name_add_value(struct buf *out, size_t start, const struct batch *b, const struct record *r, const struct path *path)
{
    struct value v;
    size_t from = out->len;
    if (record_get(b, r, path, &v) && v.type != VALUE_ARRAY && v.type != VALUE_OBJECT)
        render_text(out, &v);
    if (path->meta == PATH_META_PATH && !out->failed && out->len > from + 1 && out->data[from] == '/') {
        memmove(out->data + from, out->data + from + 1, out->len - from - 1);
        out->len--;
    }
    clean(out, start, from);
}

void file_name_add_time(struct buf *out, size_t start, const char *format, size_t len, int64_t time, struct zone *zone)
{
    size_t from = out->len;
    time_write(out, format, len, time, zone);
    clean(out, start, from);
}

/* Cut a name that is too long, between characters, and put a hash of all of it behind. */
static void shorten(struct buf *out, size_t start, size_t longest)
{
    char hash[SHA256_HEX];
    size_t len = out->len - start;
    if (len <= longest)
        return;
    sha256_hex(out->data + start, len, hash);
    size_t end = start + longest - HASH_DIGITS - 1;
    while (end > start && ((unsigned char)out->data[end] & 0xC0) == 0x80)
        end--;
    out->len = end;
    buf_char(out, '-');
    buf_add(out, hash, HASH_DIGITS);
}

/* The dot of a name that ends like a rotated file's number; 0: it does not. */
static size_t numbered(const struct buf *out, size_t start, unsigned keep)
{
    unsigned number = 0, scale = 1;
    size_t at = out->len;
    for (int n = 0; at > start && n < KEEP_DIGITS && out->data[at - 1] >= '0' && out->data[at - 1] <= '9'; n++, scale *= 10)
        number += scale * (unsigned)(out->data[--at] - '0');
    bool dotted = at > start && at < out->len && out->data[at - 1] == '.' && out->data[at] != '0';
    return dotted && number >= 1 && number <= keep ? at - 1 : 0;
}

void file_name_end(const struct name_rules *rules, struct buf *out, size_t start, bool last)
{
    if (out->failed)
        return;
    shorten(out, start, rules->longest);
    size_t len = out->len - start, dot = last ? numbered(out, start, rules->keep) : 0;
    if (len <= 2 && memcmp(out->data + start, "..", len) == 0)
        memset(out->data + start, '_', len);
    if (dot > 0)
        out->data[dot] = '_';
}
