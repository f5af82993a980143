#include "record/pack.h"

#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/render.h"

#define HEAD   16
#define ROW    24
#define ABSENT UINT32_MAX

enum { PACKED_TRUNCATED = 1, PACKED_OBJECT = 2 };

static void put32(char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

static void put64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof v);
}

static uint32_t get32(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static uint64_t get64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return le64toh(v);
}

/* ---- packing ----------------------------------------------------------------------------------- */

static void add_string(struct buf *out, const char *s)
{
    char len[4];
    size_t n = s != NULL ? strlen(s) : 0;
    put32(len, s != NULL ? (uint32_t)n : ABSENT);
    buf_add(out, len, sizeof len);
    if (s != NULL)
        buf_add(out, s, n + 1);
}

static void add_strings(struct buf *out, const struct origin *o)
{
    static const struct origin nowhere;
    if (o == NULL)
        o = &nowhere;
    add_string(out, o->path);
    add_string(out, o->log);
    add_string(out, o->peer);
    add_string(out, o->host);
    add_string(out, o->source);
    add_string(out, o->pipeline);
}

static void add_batch(struct buf *out, const struct batch *b)
{
    size_t head = out->len;
    if (!buf_reserve(out, HEAD + b->count * (ROW + 1) + b->text + 512))
        return;
    out->len += HEAD;
    add_strings(out, b->body->origin);
    size_t rows = out->len;
    if (!buf_reserve(out, b->count * ROW))
        return;
    put32(out->data + head, (uint32_t)b->count);
    put32(out->data + head + 4, (uint32_t)(rows - head - HEAD));
    put64(out->data + head + 8, (uint64_t)b->body->time);
    out->len += b->count * ROW;
    for (size_t i = 0; i < b->count && !out->failed; i++) {
        const struct record *r = &b->records[i];
        size_t before = out->len;
        render_record(out, r, RENDER_AUTO);
        buf_char(out, '\n');
        if (out->failed)
            return;
        char *row = out->data + rows + i * ROW;
        put32(row, (uint32_t)(out->len - before - 1));
        put32(row + 4, (r->flags & RECORD_TRUNCATED ? PACKED_TRUNCATED : 0) | (r->doc != NULL ? PACKED_OBJECT : 0));
        put64(row + 8, batch_offset(b, r));
        put64(row + 16, (uint64_t)r->time);
    }
}

enum pack_kind pack_add(struct buf *out, struct chunk *c)
{
    const struct blob *blob = chunk_blob(c);
    if (blob != NULL) {
        buf_add(out, blob->data, blob->len);
        return PACK_BLOB;
    }
    add_batch(out, chunk_batch(c));
    return PACK_BATCH;
}

/* ---- unpacking --------------------------------------------------------------------------------- */

/* The string at *${at}, before ${end}. False: there is none. */
static bool take_string(const char **at, const char *end, const char **out)
{
    *out = NULL;
    if (end - *at < 4)
        return false;
    uint32_t n = get32(*at);
    *at += 4;
    if (n == ABSENT)
        return true;
    if ((size_t)(end - *at) <= n || memchr(*at, '\0', (size_t)n + 1) != *at + n)
        return false;
    *out = *at;
    *at += (size_t)n + 1;
    return true;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum unpack_result take_origin(const char *at, const char *end, struct origin **last)
{
    struct origin o = {0};
    const struct origin *was = *last;
    if (!take_string(&at, end, &o.path) || !take_string(&at, end, &o.log) || !take_string(&at, end, &o.peer) ||
        !take_string(&at, end, &o.host) || !take_string(&at, end, &o.source) || !take_string(&at, end, &o.pipeline) ||
        at != end)
        return UNPACK_BAD;
    if (was != NULL && same(o.path, was->path) && same(o.log, was->log) && same(o.peer, was->peer) &&
        same(o.host, was->host) && same(o.source, was->source) && same(o.pipeline, was->pipeline))
        return UNPACK_OK;
    struct origin *fresh = origin_copy(&o);
    if (fresh == NULL)
        return UNPACK_NOMEM;
    origin_unref(*last);
    *last = fresh;
    return UNPACK_OK;
}

/* Do ${count} texts of the lengths in ${rows} fill ${len} bytes? */
static bool texts_fit(const char *rows, uint32_t count, const char *text, size_t len)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t n = get32(rows + (size_t)i * ROW);
        if (n >= len || text[n] != '\n')
            return false;
        text += n + 1;
        len -= n + 1;
    }
    return len == 0;
}

/* Where the texts stood in their file. */
static int take_places(struct batch *b, const char *rows, const char *text)
{
    size_t room, cap = 0;
    struct batch_place *places = NULL;
    uint64_t next = 0;
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        uint64_t offset = get64(rows + i * ROW + 8);
        if (n == 0 || offset != next) {
            if (n == cap) { /* a larger place; what was built is copied */
                struct batch_place *larger = arena_open(&b->body->arena, (cap + 16) * 2 * sizeof *places, &room);
                if (larger == NULL)
                    return -1;
                if (larger != places && n > 0)
                    memcpy(larger, places, n * sizeof *places);
                places = larger;
                cap = room / sizeof *places;
            }
            places[n++] = (struct batch_place){text, offset};
        }
        size_t len = get32(rows + i * ROW) + (size_t)1;
        text += len;
        next = offset + len;
    }
    arena_take(&b->body->arena, n * sizeof *places);
    b->body->places = places;
    b->body->place_count = n;
    return 0;
}

static int take_records(struct batch *b, const char *rows, uint32_t count, const char *text)
{
    const char *at = text;
    for (uint32_t i = 0; i < count; i++) {
        const char *row = rows + (size_t)i * ROW;
        struct record *r = batch_add(b);
        if (r == NULL)
            return -1;
        uint32_t flags = get32(row + 4);
        *r = (struct record){
            .text = at,
            .len = get32(row),
            .flags = RECORD_ENDED | (flags & PACKED_TRUNCATED ? RECORD_TRUNCATED : 0),
            .time = (int64_t)get64(row + 16),
        };
        /* What a stage nested deeper than a text may be cannot be parsed again: it stays text, which is what is sent. */
        if (flags & PACKED_OBJECT && doc_parse(&r->doc, &b->body->arena, r->text, r->len, NULL) == DOC_NOMEM)
            return -1;
        at += r->len + (size_t)1;
    }
    return count > 0 ? take_places(b, rows, text) : 0;
}

static enum unpack_result take_batch(struct pool *pool, struct slab *slab, const char *data, size_t len,
                                     uint32_t records, struct origin **origin, struct chunk **out)
{
    if (len < HEAD || get32(data) != records)
        return UNPACK_BAD;
    size_t strings = get32(data + 4), left = len - HEAD;
    if (strings > left || (left - strings) / ROW < records)
        return UNPACK_BAD;
    const char *rows = data + HEAD + strings, *text = rows + (size_t)records * ROW;
    if (!texts_fit(rows, records, text, (size_t)(data + len - text)))
        return UNPACK_BAD;
    enum unpack_result result = take_origin(data + HEAD, rows, origin);
    if (result != UNPACK_OK)
        return result;
    struct batch *b = batch_new(pool, slab, *origin);
    if (b == NULL)
        return UNPACK_NOMEM;
    *out = &b->chunk;
    b->body->base_text = text;
    b->body->time = (int64_t)get64(data + 8);
    if (take_records(b, rows, records, text) != 0) {
        chunk_free(out);
        return UNPACK_NOMEM;
    }
    b->body->base_offset = records > 0 ? get64(rows + 8) : 0;
    b->bytes = batch_count_text(b);
    batch_weigh(b);
    return UNPACK_OK;
}

static enum unpack_result take_blob(struct pool *pool, const char *data, size_t len, uint32_t records,
                                    struct chunk **out)
{
    if (len == 0)
        return UNPACK_BAD;
    char *copy = mem_alloc(len);
    struct blob *b = copy != NULL ? blob_new(pool, copy, len) : NULL;
    if (b == NULL) {
        mem_free(copy);
        return UNPACK_NOMEM;
    }
    memcpy(copy, data, len);
    b->records = records;
    *out = &b->chunk;
    return UNPACK_OK;
}

enum unpack_result unpack(struct pool *pool, struct slab *slab, const char *data, size_t len, enum pack_kind kind,
                          uint32_t records, struct origin **origin, struct chunk **out)
{
    *out = NULL;
    switch (kind) {
    case PACK_BATCH: return take_batch(pool, slab, data, len, records, origin, out);
    case PACK_BLOB: return take_blob(pool, data, len, records, out);
    }
    return UNPACK_BAD;
}
