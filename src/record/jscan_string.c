#include "record/jscan_string.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

static uint32_t hex4(const char *s)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)s[i];
        n = n << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return n;
}

/* The character of the \u escape at ${s}; *${used} is 6, or 12 for a pair. */
static uint32_t unicode_escape(const char *s, const char *end, size_t *used)
{
    uint32_t c = hex4(s + 2);
    *used = 6;
    if (c < 0xD800 || c > 0xDFFF)
        return c;
    if (c <= 0xDBFF && end - s >= 12 && s[6] == '\\' && s[7] == 'u') {
        uint32_t low = hex4(s + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *used = 12;
            return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}

/* Undo the escape at ${s} into ${out}; returns the bytes written. */
static size_t one_escape(const char *s, const char *end, char out[4], size_t *used)
{
    *used = 2;
    switch (s[1]) {
    case 'b': out[0] = '\b'; return 1;
    case 'f': out[0] = '\f'; return 1;
    case 'n': out[0] = '\n'; return 1;
    case 'r': out[0] = '\r'; return 1;
    case 't': out[0] = '\t'; return 1;
    case 'u': return utf8_put(unicode_escape(s, end, used), out);
    default: out[0] = s[1]; return 1;
    }
}

size_t jscan_string_unescape(const char *s, size_t len, char *out)
{
    const char *end = s + len;
    char *at = out;
    while (s < end) {
        const char *slash = memchr(s, '\\', (size_t)(end - s));
        size_t run = (size_t)((slash != NULL ? slash : end) - s), used;
        memcpy(at, s, run);
        at += run;
        s += run;
        if (s < end) {
            at += one_escape(s, end, at, &used);
            s += used;
        }
    }
    return (size_t)(at - out);
}

size_t jscan_string_length(const char *s, size_t len)
{
    const char *end = s + len;
    size_t total = 0, used;
    char out[4];
    while (s < end) {
        const char *slash = memchr(s, '\\', (size_t)(end - s));
        total += (size_t)((slash != NULL ? slash : end) - s);
        s = slash != NULL ? slash : end;
        if (s < end) {
            total += one_escape(s, end, out, &used);
            s += used;
        }
    }
    return total;
}

/* A run of plain bytes, or one undone escape, at a time. */
struct reader {
    const char *s, *end;
    const char *run; /* what was read and not yet compared */
    size_t left;
    bool escaped;
    char one[4];
};

static bool fill(struct reader *r)
{
    if (r->left > 0)
        return true;
    if (r->s == r->end)
        return false;
    size_t rest = (size_t)(r->end - r->s), used;
    const char *slash = r->escaped ? memchr(r->s, '\\', rest) : NULL;
    if (slash == r->s) {
        r->left = one_escape(r->s, r->end, r->one, &used);
        r->run = r->one;
        r->s += used;
        return true;
    }
    r->run = r->s;
    r->left = slash != NULL ? (size_t)(slash - r->s) : rest;
    r->s += r->left;
    return true;
}

static struct reader reader_of(struct jscan_span t)
{
    return (struct reader){.s = t.s, .end = t.s + t.len, .escaped = t.escaped};
}

int jscan_string_compare(struct jscan_span a, struct jscan_span b)
{
    struct reader ra = reader_of(a), rb = reader_of(b);
    for (;;) {
        bool more_a = fill(&ra), more_b = fill(&rb);
        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;
        size_t n = ra.left < rb.left ? ra.left : rb.left;
        int order = memcmp(ra.run, rb.run, n);
        if (order != 0)
            return order;
        ra.run += n;
        rb.run += n;
        ra.left -= n;
        rb.left -= n;
    }
}
