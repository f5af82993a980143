/*
 * Any bytes cut into records by any framing, in pieces of any length: the same records as whole, none longer than allowed, and every byte is
 * accounted for. Then once more with begun records given up at random: whatever comes of it, it ends.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/pool.h"
#include "source/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How it went, besides the records. */
struct end {
    enum frames_result result;
    size_t at, longs;
};

static struct end cut(struct batch *b, const struct frames_options *set, bool tidy, const char *text, size_t len, size_t step)
{
    struct frames f;
    struct end end = {FRAMES_MORE, 0, 0};
    size_t have = 0;
    frames_init(&f, set, tidy);
    for (;;) {
        size_t come = step == 0 || len - have < step ? len - have : step, used, count = b->count;
        bool last = have + come == len, ends = frames_ends(&f, have - end.at, text + have, come);
        have += come;
        do {
            end.result = frames_cut(&f, b, text + end.at, have - end.at, last, &used);
            assert(used <= have - end.at);
            end.at += used;
            end.longs += end.result == FRAMES_LONG;
        } while (end.result == FRAMES_LONG);
        assert(ends || last || b->count == count);
        if (end.result != FRAMES_MORE || last)
            return end;
        assert(have - end.at <= set->max_line_bytes || have - end.at <= FRAMES_HEAD_MAX);
    }
}

static void same(const struct batch *a, const struct batch *b, const struct frames_options *set)
{
    assert(a->count == b->count && a->bytes == b->bytes);
    for (size_t i = 0; i < a->count; i++) {
        const struct record *r = &a->records[i];
        assert(r->text == b->records[i].text && r->len == b->records[i].len && r->flags == b->records[i].flags);
        assert(r->len <= set->max_line_bytes);
        assert(!(r->flags & RECORD_ENDED) || r->text[r->len] == '\n');
    }
}

/* As a source does that may keep nothing when the next byte says so. */
static void give_up(struct batch *b, const struct frames_options *set, const char *text, size_t len)
{
    struct frames f;
    size_t at = 0, have = 0, used;
    enum frames_result result = FRAMES_MORE;
    frames_init(&f, set, false);
    while (have < len && (result == FRAMES_MORE || result == FRAMES_LONG)) {
        have++;
        while ((result = frames_cut(&f, b, text + at, have - at, false, &used)) == FRAMES_LONG)
            at += used;
        at += used;
        if (result == FRAMES_MORE && have - at > FRAMES_HEAD_MAX && (text[at] & 1)) {
            assert(frames_give_up(&f, b, text + at, have - at) == 0);
            at = have;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct err e = {0};
    struct loop *loop = loop_new(&e);
    struct pool *pool = pool_new(loop, 1 << 24, 1 << 16);
    struct frames_options set = {.framing = data[0] % 3, .on_long_line = data[0] / 3 % 3, .strip_cr = data[0] & 64,
                                 .max_line_bytes = 1 + data[1]};
    bool tidy = data[0] & 128;
    size_t len = size - 3;
    struct slab *slab = pool_slab(pool, len + 1);
    memcpy(slab->data, data + 3, len);
    struct batch *b[3];
    for (int i = 0; i < 3; i++)
        b[i] = batch_new(pool, slab, NULL);
    struct end whole = cut(b[0], &set, tidy, slab->data, len, 0), pieces = cut(b[1], &set, tidy, slab->data, len, 1 + data[2]);
    same(b[0], b[1], &set);
    assert(whole.result == pieces.result && whole.at == pieces.at && whole.longs == pieces.longs);
    assert(whole.result != FRAMES_MORE || whole.at == len);
    give_up(b[2], &set, slab->data, len);
    for (int i = 0; i < 3; i++) {
        struct chunk *c = &b[i]->chunk;
        chunk_free(&c);
    }
    slab_unref(slab);
    assert(pool_used(pool) == 0);
    pool_free(&pool);
    loop_free(&loop);
    assert(mem_live() == 0);
    return 0;
}
