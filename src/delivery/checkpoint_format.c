/* The text form of a checkpoint: see checkpoint.h. */
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "delivery/checkpoint.h"

#define HEADER  "weir-checkpoint "
#define VERSION 3 /* 1 has no LOG, 2 no WHOLE */

/* What a line has besides its names: words, spaces, nine numbers of twenty digits at most. */
#define LINE_BYTES 256

static char *put_name(char *at, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c > 0x20 && c < 0x7f && c != '%') {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    *at++ = ' ';
    return at;
}

static char *put_number(char *at, uint64_t n, unsigned base)
{
    char text[20];
    size_t i = sizeof text;
    do
        text[--i] = "0123456789abcdef"[n % base];
    while ((n /= base) > 0);
    memcpy(at, text + i, sizeof text - i);
    at += sizeof text - i;
    *at++ = ' ';
    return at;
}

/* On the loop's thread, every second for every file there is: so not by printf, which took three times as long. */
static void print_entry(const struct checkpoint_entry *e, struct buf *out)
{
    const struct file_state *s = &e->state;
    size_t names = strlen(e->pipeline) + strlen(e->stage) + strlen(e->path) + strlen(e->log);
    if (!buf_reserve(out, 3 * names + LINE_BYTES))
        return;
    char *at = out->data + out->len;
    memcpy(at, "file ", 5);
    at = put_name(at + 5, e->pipeline);
    at = put_name(at, e->stage);
    at = put_number(at, s->dev, 10);
    at = put_number(at, s->ino, 10);
    at = put_number(at, s->head.len, 10);
    at = put_number(at, s->head.crc, 16);
    at = put_number(at, s->offset, 10);
    at = put_number(at, s->mark.len, 10);
    at = put_number(at, s->mark.crc, 16);
    at = put_number(at, s->seen, 10);
    at = put_name(at, e->path);
    at = put_name(at, e->log);
    at = put_number(at, s->whole, 10);
    at[-1] = '\n';
    out->len = (size_t)(at - out->data);
}

void checkpoint_print(const struct list *entries, struct buf *out)
{
    size_t start = out->len, count = 0;
    buf_fmt(out, HEADER "%d\n", VERSION);
    LIST_EACH(node, entries) {
        print_entry(LIST_ENTRY(node, struct checkpoint_entry, node), out);
        count++;
    }
    if (out->failed)
        return;
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)out->data + start, out->len - start);
    buf_fmt(out, "end %zu %" PRIx32 "\n", count, crc);
}

/* A cursor over one line's fields. */
struct fields {
    const char *at, *end;
    bool bad, nomem;
};

/* The next field: up to a space or the end; empty ones are bad. */
static const char *next_field(struct fields *f, size_t *len)
{
    const char *start = f->at;
    while (f->at < f->end && *f->at != ' ')
        f->at++;
    *len = (size_t)(f->at - start);
    if (*len == 0)
        f->bad = true;
    if (f->at < f->end)
        f->at++;
    return start;
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* Only what print writes: lower case, no sign, no leading zero. Any other spelling is damage. */
static uint64_t next_number(struct fields *f, unsigned base, uint64_t max)
{
    size_t len;
    uint64_t n = 0;
    const char *text = next_field(f, &len);
    if (len > 1 && text[0] == '0')
        f->bad = true;
    for (size_t i = 0; i < len && !f->bad; i++) {
        unsigned d = digit(text[i]);
        if (d >= base || n > (max - d) / base)
            f->bad = true;
        else
            n = n * base + d;
    }
    return n;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode a name; NULL when it is malformed or memory is short. */
static char *next_name(struct fields *f)
{
    size_t len, n = 0;
    const char *text = next_field(f, &len);
    char *name = mem_alloc(len + 1);
    if (name == NULL) {
        f->bad = f->nomem = true;
        return NULL;
    }
    for (size_t i = 0; i < len && !f->bad; i++) {
        if (text[i] != '%') {
            f->bad = text[i] <= 0x20 || text[i] >= 0x7f; /* print would have written %XX */
            name[n++] = text[i];
            continue;
        }
        int c = i + 2 < len ? hex(text[i + 1]) * 16 + hex(text[i + 2]) : -1;
        if (c <= 0 || hex(text[i + 2]) < 0) {
            f->bad = true;
            break;
        }
        name[n++] = (char)c;
        i += 2;
    }
    name[n] = '\0';
    return name;
}

static void entry_free(struct checkpoint_entry *e)
{
    mem_free(e->pipeline);
    mem_free(e->stage);
    mem_free(e->path);
    mem_free(e->log);
    mem_free(e);
}

void checkpoint_entries_free(struct list *entries)
{
    struct list *node;
    while ((node = list_shift(entries)) != NULL)
        entry_free(LIST_ENTRY(node, struct checkpoint_entry, node));
}

static int parse_file(struct fields *f, unsigned version, struct list *into)
{
    struct checkpoint_entry *e = mem_zalloc(1, sizeof *e);
    if (e == NULL) {
        f->nomem = true;
        return -1;
    }
    struct file_state *s = &e->state;
    list_init(&e->node);
    list_init(&e->by_ino);
    e->pipeline = next_name(f);
    e->stage = next_name(f);
    s->dev = next_number(f, 10, UINT64_MAX);
    s->ino = next_number(f, 10, UINT64_MAX);
    s->head.len = (uint32_t)next_number(f, 10, HEAD_BYTES);
    s->head.crc = (uint32_t)next_number(f, 16, UINT32_MAX);
    s->offset = next_number(f, 10, INT64_MAX);
    s->mark.len = (uint32_t)next_number(f, 10, MARK_BYTES);
    s->mark.crc = (uint32_t)next_number(f, 16, UINT32_MAX);
    s->seen = next_number(f, 10, INT64_MAX);
    e->path = next_name(f);
    if (version >= 2) {
        e->log = next_name(f);
    } else if (e->path != NULL && (e->log = mem_strdup(e->path)) == NULL) {
        f->bad = f->nomem = true;
    }
    if (version >= 3)
        s->whole = next_number(f, 10, INT64_MAX);
    if (f->bad || f->at != f->end || s->mark.len > s->offset) {
        entry_free(e);
        return -1;
    }
    list_push(into, &e->node);
    return 0;
}

/* The version that the header line says; 0: none that is known. */
static unsigned parse_header(const char *text, size_t len)
{
    size_t n = strlen(HEADER);
    if (len < n + 2 || memcmp(text, HEADER, n) != 0 || text[n + 1] != '\n')
        return 0;
    unsigned version = digit(text[n]);
    return version <= VERSION ? version : 0;
}

int checkpoint_parse(const char *text, size_t len, struct list *into, struct err *e)
{
    const char *at = text, *end = text + len;
    size_t count = 0;
    unsigned version = parse_header(text, len);
    if (version == 0)
        return err_set(e, ERR_INVALID, "line 1: expected \"" HEADER "%d\": not a checkpoint of this version", VERSION);
    at += strlen(HEADER) + 2;
    for (unsigned line = 2;; line++) {
        const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (stop == NULL)
            return err_set(e, ERR_INVALID, "line %u: cut short before its \"end\" line", line);
        if (stop - at > 5 && memcmp(at, "file ", 5) == 0) {
            struct fields f = {at + 5, stop, false, false};
            if (parse_file(&f, version, into) != 0)
                return f.nomem ? err_nomem(e) : err_set(e, ERR_INVALID, "line %u: malformed \"file\" line", line);
            count++;
            at = stop + 1;
            continue;
        }
        if (stop - at <= 4 || memcmp(at, "end ", 4) != 0)
            return err_set(e, ERR_INVALID, "line %u: expected \"file\" or \"end\"", line);
        struct fields f = {at + 4, stop, false, false};
        uint64_t n = next_number(&f, 10, SIZE_MAX), crc = next_number(&f, 16, UINT32_MAX);
        if (f.bad || f.at != f.end || n != count || stop + 1 != end)
            return err_set(e, ERR_INVALID, "line %u: malformed \"end\" line", line);
        if (crc != crc32_z(0, (const unsigned char *)text, (size_t)(at - text)))
            return err_set(e, ERR_INVALID, "checksum does not match");
        return 0;
    }
}
