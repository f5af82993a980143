/*
 * Any bytes cut into lines, in pieces of any length: the same records as whole. Then as frames with their length in front: a decoder that knows
 * nothing of the encoder finds the same records; and from any byte on, the pieces of a wire are the preview's bytes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "record/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct batch *a, const struct batch *b)
{
    assert(a->count == b->count && a->bytes == b->bytes);
    for (size_t i = 0; i < a->count; i++)
        assert(a->records[i].text == b->records[i].text && a->records[i].len == b->records[i].len &&
               a->records[i].flags == b->records[i].flags);
}

static void cut(struct batch *b, const char *text, size_t len, size_t longest, bool strip, size_t step)
{
    size_t at = 0, have = 0;
    while (have < len || at < have) {
        size_t used, too_long;
        have = step == 0 || len - have < step ? len : have + step;
        assert(lines_add(b, text + at, have - at, longest, strip, &used, &too_long) == 0);
        assert(used <= have - at && too_long <= have - at - used);
        at += used;
        if (too_long > 0) {
            assert(too_long > longest + 1 && text[at + too_long - 1] == '\n');
            assert(memchr(text + at, '\n', too_long - 1) == NULL);
            at += too_long; /* as a source does that skips it */
            b->bytes += too_long;
        } else if (have == len) {
            break;
        }
    }
    assert(at == len || memchr(text + at, '\n', len - at) == NULL);
    if (at < len)
        assert(lines_add_rest(b, text + at, len - at, strip) == 0);
}

/* The length in front of a record, in either way; ${at} moves behind it. */
static size_t length(const char **at, const char *end, enum wire_framing framing)
{
    size_t n = 0;
    if (framing == WIRE_LENGTH_PREFIX) {
        assert(end - *at >= 4);
        for (int i = 0; i < 4; i++)
            n = n << 8 | (unsigned char)*(*at)++;
        return n;
    }
    assert(*at < end && **at >= '0' && **at <= '9');
    while (**at != ' ') {
        assert(*at < end && **at >= '0' && **at <= '9');
        n = n * 10 + (size_t)(*(*at)++ - '0');
    }
    (*at)++;
    return n;
}

static void decode(const struct batch *b, const char *at, size_t len, enum wire_framing framing)
{
    const char *end = at + len;
    for (size_t i = 0; i < b->count; i++) {
        size_t n = length(&at, end, framing);
        assert((size_t)(end - at) >= n && n == b->records[i].len);
        assert(n == 0 || memcmp(at, b->records[i].text, n) == 0);
        at += n;
    }
    assert(at == end);
}

static void send(struct pool *pool, struct chunk *c, enum wire_framing framing)
{
    struct buf out = {0};
    assert(wire_preview(c, RENDER_AUTO, framing, &out) == 0);
    if (framing != WIRE_NEWLINE)
        decode(chunk_batch(c), out.data, out.len, framing);
    struct wire *w = wire_new(pool, chunk_fork(c), RENDER_AUTO, framing);
    assert(w != NULL && w->bytes == out.len);
    for (size_t from = 0; from < out.len; from += 1 + out.len / 20) {
        struct iovec v[7];
        size_t at = from;
        int n;
        while ((n = wire_pieces(w, at, v, 7)) > 0)
            for (int i = 0; i < n; i++) {
                assert(memcmp(out.data + at, v[i].iov_base, v[i].iov_len) == 0);
                at += v[i].iov_len;
            }
        assert(at == out.len);
        size_t boundary = wire_boundary(w, from);
        assert(boundary <= from && wire_boundary(w, boundary) == boundary);
    }
    wire_delivered(&w);
    buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct err e = {0};
    struct loop *loop = loop_new(&e);
    struct pool *pool = pool_new(loop, 1 << 24, 1 << 16);
    size_t step = data[0], longest = data[1] >> 1 == 127 ? SIZE_MAX : data[1] >> 1, len = size - 2;
    bool strip = data[1] & 1;
    struct slab *slab = pool_slab(pool, len);
    memcpy(slab->data, data + 2, len);
    struct batch *whole = batch_new(pool, slab, NULL), *pieces = batch_new(pool, slab, NULL);
    cut(whole, slab->data, len, longest, strip, 0);
    cut(pieces, slab->data, len, longest, strip, step);
    same(whole, pieces);
    batch_weigh(whole);
    struct chunk *a = &whole->chunk, *b = &pieces->chunk;
    if (whole->count > 0) {
        send(pool, a, WIRE_NEWLINE);
        send(pool, a, WIRE_OCTET_COUNTING);
        send(pool, a, WIRE_LENGTH_PREFIX);
    }
    chunk_free(&a);
    chunk_free(&b);
    slab_unref(slab);
    assert(pool_used(pool) == 0);
    pool_free(&pool);
    loop_free(&loop);
    assert(mem_live() == 0);
    return 0;
}
