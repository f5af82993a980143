/* The text form of a checkpoint: see checkpoint.h. */
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "delivery/checkpoint.h"

#define HEADER  "weir-checkpoint "
#define VERSION 4 /* 1 has no LOG, 2 no WHOLE, 3 no outputs */

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
void checkpoint_print_entry(const struct checkpoint_entry *e, struct buf *out)
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

void checkpoint_print_begin(struct buf *out)
{
    buf_fmt(out, HEADER "%d\n", VERSION);
}

void checkpoint_print_output(const struct checkpoint_output *o, struct buf *out)
{
    size_t names = strlen(o->pipeline) + strlen(o->stage) + strlen(o->path);
    if (!buf_reserve(out, 3 * names + LINE_BYTES))
        return;
    char *at = out->data + out->len;
    memcpy(at, "output ", 7);
    at = put_name(at + 7, o->pipeline);
    at = put_name(at, o->stage);
    at = put_number(at, o->dev, 10);
    at = put_number(at, o->ino, 10);
    at = put_number(at, o->length, 10);
    at = put_number(at, o->mark.len, 10);
    at = put_number(at, o->mark.crc, 16);
    at = put_name(at, o->path);
    at[-1] = '\n';
    out->len = (size_t)(at - out->data);
}

void checkpoint_print_end(struct buf *out)
{
    size_t count = 0;
    if (out->failed)
        return;
    for (const char *at = out->data; (at = memchr(at, '\n', (size_t)(out->data + out->len - at))) != NULL; at++)
        count++;
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)out->data, out->len);
    buf_fmt(out, "end %zu %" PRIx32 "\n", count - 1, crc);
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

static void output_free(struct checkpoint_output *o)
{
    mem_free(o->pipeline);
    mem_free(o->stage);
    mem_free(o->path);
    mem_free(o);
}

void checkpoint_outputs_free(struct list *outputs)
{
    struct list *node;
    while ((node = list_shift(outputs)) != NULL)
        output_free(LIST_ENTRY(node, struct checkpoint_output, node));
}

static int parse_output(struct fields *f, struct list *into)
{
    struct checkpoint_output *o = mem_zalloc(1, sizeof *o);
    if (o == NULL) {
        f->nomem = true;
        return -1;
    }
    o->pipeline = next_name(f);
    o->stage = next_name(f);
    o->dev = next_number(f, 10, UINT64_MAX);
    o->ino = next_number(f, 10, UINT64_MAX);
    o->length = next_number(f, 10, INT64_MAX);
    o->mark.len = (uint32_t)next_number(f, 10, MARK_BYTES);
    o->mark.crc = (uint32_t)next_number(f, 16, UINT32_MAX);
    o->path = next_name(f);
    if (f->bad || f->at != f->end || o->mark.len > o->length) {
        output_free(o);
        return -1;
    }
    list_push(into, &o->node);
    return 0;
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

/* Is the line at ${f} a ${word} line? Then ${f} is behind the word. */
static bool is_word(struct fields *f, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(f->end - f->at) <= len || memcmp(f->at, word, len) != 0)
        return false;
    f->at += len;
    return true;
}

/* The last line, at ${f}, of ${text}: ${count} lines came before. */
static int parse_end(struct fields *f, const char *text, size_t len, size_t count, unsigned line, struct err *e)
{
    size_t body = (size_t)(f->at - text) - strlen("end ");
    uint64_t n = next_number(f, 10, SIZE_MAX), crc = next_number(f, 16, UINT32_MAX);
    if (f->bad || f->at != f->end || n != count || f->end + 1 != text + len)
        return err_set(e, ERR_INVALID, "line %u: malformed \"end\" line", line);
    if (crc != crc32_z(0, (const unsigned char *)text, body))
        return err_set(e, ERR_INVALID, "checksum does not match");
    return 0;
}

int checkpoint_parse(const char *text, size_t len, struct list *into, struct list *outputs, struct err *e)
{
    const char *at = text, *end = text + len;
    size_t count = 0;
    unsigned version = parse_header(text, len);
    if (version == 0)
        return err_set(e, ERR_INVALID, "line 1: expected \"" HEADER "%d\": not a checkpoint of this version", VERSION);
    at += strlen(HEADER) + 2;
    for (unsigned line = 2;; line++, count++) {
        const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (stop == NULL)
            return err_set(e, ERR_INVALID, "line %u: cut short before its \"end\" line", line);
        struct fields f = {at, stop, false, false};
        const char *word = "file";
        int rc;
        if (is_word(&f, "file ")) {
            rc = parse_file(&f, version, into);
        } else if (version >= 4 && is_word(&f, "output ")) {
            word = "output";
            rc = parse_output(&f, outputs);
        } else if (is_word(&f, "end ")) {
            return parse_end(&f, text, len, count, line, e);
        } else {
            return err_set(e, ERR_INVALID, "line %u: expected \"file\", \"output\" or \"end\"", line);
        }
        if (rc != 0)
            return f.nomem ? err_nomem(e) : err_set(e, ERR_INVALID, "line %u: malformed \"%s\" line", line, word);
        at = stop + 1;
    }
}
