#include "record/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/pool.h"

/* A shorter run is copied: cheaper than a piece of its own, and a slab of which only such are left is free at once. */
#define COPY_BELOW ((size_t)16 << 10)

/* Pieces in the buffer are kept by offset until it stops growing; this base marks them. */
static const char in_text;

static struct iovec *add_piece(struct wire *w, void *base, size_t len)
{
    if (w->count == w->cap) {
        size_t cap = w->cap < 8 ? 8 : w->cap * 2;
        struct iovec *pieces = mem_realloc(w->pieces, cap * sizeof *pieces);
        if (pieces == NULL)
            return NULL;
        w->pieces = pieces;
        w->cap = cap;
    }
    struct iovec *p = &w->pieces[w->count++];
    *p = (struct iovec){base, len};
    return p;
}

/* Count what was appended to the buffer since it was ${before} long. */
static int text_added(struct wire *w, size_t before)
{
    size_t len = w->text.len - before;
    struct iovec *last = w->count > 0 ? &w->pieces[w->count - 1] : NULL;
    if (w->text.failed)
        return -1;
    if (len == 0)
        return 0;
    w->bytes += len;
    if (last != NULL && last->iov_base == &in_text)
        last->iov_len += len;
    else if (add_piece(w, (void *)(uintptr_t)&in_text, len) == NULL)
        return -1;
    return 0;
}

static int add_run(struct wire *w, const char *from, size_t len)
{
    if (len >= COPY_BELOW) {
        w->bytes += len;
        return add_piece(w, (void *)(uintptr_t)from, len) != NULL ? 0 : -1;
    }
    size_t before = w->text.len;
    if (before == 0 && w->most > w->bytes + len)
        buf_reserve(&w->text, w->most - w->bytes);
    buf_add(&w->text, from, len);
    return text_added(w, before);
}

/* Put the length of what was appended since the buffer was ${before} long in front of it. */
static void add_length(struct buf *text, size_t before, enum wire_framing framing)
{
    char head[24];
    size_t len = text->len - before, n = 4;
    if (text->failed)
        return;
    if (framing == WIRE_OCTET_COUNTING)
        n = (size_t)snprintf(head, sizeof head, "%zu ", len);
    else
        for (int i = 0; i < 4; i++)
            head[i] = (char)(len >> (24 - 8 * i));
    buf_add(text, head, n); /* makes room */
    if (text->failed)
        return;
    memmove(text->data + before + n, text->data + before, len);
    memcpy(text->data + before, head, n);
}

static int add_framed(struct wire *w, const struct record *r, enum render_encoding encoding,
                      enum wire_framing framing)
{
    size_t before = w->text.len;
    render_record(&w->text, r, encoding);
    if (framing == WIRE_NEWLINE)
        buf_char(&w->text, '\n');
    else
        add_length(&w->text, before, framing);
    return text_added(w, before);
}

/* May ${r} leave as the bytes it came in as, terminator included? */
static bool is_verbatim(const struct record *r, enum render_encoding encoding,
                        enum wire_framing framing)
{
    bool same = encoding == RENDER_AUTO || (encoding == RENDER_TEXT && r->doc == NULL);
    return same && framing == WIRE_NEWLINE &&
           (r->flags & (RECORD_ENDED | RECORD_CHANGED)) == RECORD_ENDED;
}

static int build(struct wire *w, const struct batch *b, enum render_encoding encoding,
                 enum wire_framing framing)
{
    const char *run = NULL;
    size_t len = 0; /* of the run */
    for (size_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        if (is_verbatim(r, encoding, framing)) {
            if (run != NULL && r->text != run + len) {
                if (add_run(w, run, len) != 0)
                    return -1;
                run = NULL;
            }
            if (run == NULL) {
                run = r->text;
                len = 0;
            }
            len += r->len + (size_t)1;
        } else {
            if (run != NULL && add_run(w, run, len) != 0)
                return -1;
            run = NULL;
            len = 0;
            if (add_framed(w, r, encoding, framing) != 0)
                return -1;
        }
        w->ends[i] = (uint32_t)(w->bytes + len);
    }
    return run != NULL ? add_run(w, run, len) : 0;
}

/* Now that the buffer stays where it is: let its pieces point into it. */
static void settle(struct wire *w)
{
    char *at = w->text.data;
    for (size_t i = 0; i < w->count; i++) {
        if (w->pieces[i].iov_base != &in_text)
            continue;
        w->pieces[i].iov_base = at;
        at += w->pieces[i].iov_len;
    }
}

static bool is_inside(const struct iovec *piece, const char *data, size_t size)
{
    uintptr_t at = (uintptr_t)piece->iov_base, from = (uintptr_t)data;
    return size > 0 && at >= from && at < from + size;
}

/* Let go of what no piece refers to: of a batch, the index and what was parsed are done with, often the slab too. */
static void let_go(struct wire *w)
{
    const struct batch *b = chunk_batch(w->chunk);
    struct slab *slab = b != NULL ? b->body->slab : NULL;
    size_t in_slab = 0, copied = 0;
    for (size_t i = 0; i < w->count; i++) {
        copied += is_inside(&w->pieces[i], w->text.data, w->text.len);
        in_slab += slab != NULL && is_inside(&w->pieces[i], slab->data, slab->size);
    }
    if (copied + in_slab < w->count)
        return;
    if (in_slab > 0)
        w->slab = slab_ref(slab);
    chunk_free(&w->chunk);
}

static int fill(struct wire *w, struct chunk *c, enum render_encoding encoding,
                enum wire_framing framing)
{
    struct blob *blob = chunk_blob(c);
    if (blob != NULL) {
        w->bytes = blob->len;
        return add_piece(w, blob->data, blob->len) != NULL ? 0 : -1;
    }
    struct batch *b = chunk_batch(c);
    w->ends = mem_alloc(b->count * sizeof *w->ends);
    w->most = b->text;
    return w->ends != NULL ? build(w, b, encoding, framing) : -1;
}

struct wire *wire_new(struct pool *pool, struct chunk *c, enum render_encoding encoding,
                      enum wire_framing framing)
{
    struct wire *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        chunk_free(&c);
        return NULL;
    }
    list_init(&w->node);
    w->pool = pool;
    w->chunk = c;
    w->records = chunk_records(c);
    if (fill(w, c, encoding, framing) != 0 || ticket_set_move(&w->tickets, chunk_tickets(c)) != 0) {
        wire_free(&w);
        return NULL;
    }
    settle(w);
    let_go(w);
    w->charged = w->text.cap + w->cap * sizeof(struct iovec) + w->records * sizeof *w->ends;
    pool_charge(pool, w->charged);
    return w;
}

void wire_free(struct wire **w)
{
    struct wire *dead = *w;
    *w = NULL;
    if (dead == NULL)
        return;
    list_remove(&dead->node);
    ticket_set_end(&dead->tickets, false);
    chunk_free(&dead->chunk);
    if (dead->slab != NULL)
        slab_unref(dead->slab);
    buf_clear(&dead->text);
    mem_free(dead->pieces);
    mem_free(dead->ends);
    pool_discharge(dead->pool, dead->charged);
    mem_free(dead);
}

void wire_delivered(struct wire **w)
{
    ticket_set_end(&(*w)->tickets, true);
    wire_free(w);
}

int wire_pieces(const struct wire *w, size_t from, struct iovec *out, int max)
{
    int n = 0;
    for (size_t i = 0; i < w->count && n < max; i++) {
        const struct iovec *p = &w->pieces[i];
        if (from >= p->iov_len) {
            from -= p->iov_len;
            continue;
        }
        out[n++] = (struct iovec){(char *)p->iov_base + from, p->iov_len - from};
        from = 0;
    }
    return n;
}

size_t wire_boundary(const struct wire *w, size_t at)
{
    size_t low = 0, high = w->records; /* the first record that ends behind `at` */
    if (w->ends == NULL)
        return at >= w->bytes ? w->bytes : 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->ends[mid] > at)
            high = mid;
        else
            low = mid + 1;
    }
    return low == 0 ? 0 : w->ends[low - 1];
}

int wire_preview(struct chunk *c, enum render_encoding encoding, enum wire_framing framing,
                 struct buf *out)
{
    struct wire w = {.chunk = c, .records = chunk_records(c)};
    int rc = fill(&w, c, encoding, framing);
    settle(&w);
    for (size_t i = 0; rc == 0 && i < w.count; i++)
        buf_add(out, w.pieces[i].iov_base, w.pieces[i].iov_len);
    buf_clear(&w.text);
    mem_free(w.pieces);
    mem_free(w.ends);
    return rc;
}
