/* What was read of a followed file becomes a batch: see tail.h. */
#include <inttypes.h>

#include "base/err.h"
#include "base/log.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "source/tail.h"

void tail_reader_let_go(struct tail_reader *r)
{
    if (r->slab != NULL)
        slab_unref(r->slab);
    r->slab = NULL;
}

/* Has what became of earlier reads, beside ${s}, filled the pool? Then the rest of the slab has to wait, too. */
static bool is_crowded(const struct pool *pool, const struct slab *s)
{
    return pool_used(pool) > s->size + pool_held(pool) && pool_used(pool) >= pool_limit(pool);
}

bool tail_batch_room(struct tail_reader *r, size_t need)
{
    struct slab *s = r->slab;
    if (s != NULL && is_crowded(r->env->pool, s))
        return false;
    if (s != NULL && s->size - s->used >= need)
        return true;
    tail_reader_let_go(r);
    r->slab = pool_slab(r->env->pool, need);
    return r->slab != NULL;
}

struct batch *tail_batch_new(struct tail_reader *r, struct tail_file *f, const char *text)
{
    struct batch *b = batch_new(r->env->pool, r->slab, f->origin);
    if (b == NULL)
        return NULL;
    b->body->base_text = text;
    b->body->base_offset = f->offset;
    batch_read_now(b);
    return b;
}

enum tail_outcome tail_batch_hand_on(struct tail_reader *r, struct tail_file *f, struct batch *b, uint64_t end,
                                     struct mark mark, struct batch **out, struct err *e)
{
    struct chunk *c = &b->chunk;
    struct ticket *t = ledger_ticket(f->ledger, end, mark);
    if (t == NULL)
        goto nomem;
    if (ticket_set_add(&b->tickets, t) != 0) {
        ledger_undo(t);
        goto nomem;
    }
    batch_weigh(b);
    r->env->stats->records_out += b->count;
    r->env->stats->bytes_out += b->bytes;
    f->offset = f->scanned = end;
    if (f->line_end <= end)
        f->line_end = 0;
    f->mark = mark;
    if (r->slab->size > pool_slab_size(r->env->pool))
        tail_reader_let_go(r); /* made for one long line: too much to keep for later */
    *out = b;
    return TAIL_BATCH;
nomem:
    err_nomem(e);
    chunk_free(&c);
    return TAIL_FAILED;
}

void tail_batch_take(struct slab *s, size_t len)
{
    s->used += len;
    if (s->used > s->size)
        s->used = s->size;
}

enum tail_outcome tail_batch_piece(struct tail_reader *r, struct tail_file *f, char *text, size_t len, uint64_t end,
                                   struct mark mark, struct batch **out, struct err *e)
{
    bool split = r->set->on_long_line == TAIL_SPLIT;
    log_warn(r->env->scope, "%s: line at offset %" PRIu64 " is longer than max_line_bytes %" PRIu64 ": %s", f->path,
             f->offset, r->set->max_line_bytes, split ? "split" : "truncated");
    r->env->stats->truncated++;
    struct batch *b = tail_batch_new(r, f, text);
    if (b == NULL || lines_add_rest(b, text, len, false) != 0) {
        struct chunk *c = b != NULL ? &b->chunk : NULL;
        chunk_free(&c);
        err_nomem(e);
        return TAIL_FAILED;
    }
    if (!split) {
        b->records[0].flags |= RECORD_TRUNCATED;
        b->bytes = (size_t)(end - f->offset);
    }
    tail_batch_take(r->slab, len);
    return tail_batch_hand_on(r, f, b, end, mark, out, e);
}

void tail_batch_skipped(struct tail_reader *r, const struct tail_file *f, uint64_t end)
{
    log_warn(r->env->scope, "%s: line at offset %" PRIu64 " of %" PRIu64 " bytes skipped (max_line_bytes %" PRIu64 ")", f->path,
             f->offset, end - f->offset, r->set->max_line_bytes);
    stage_dropped(r->env, "long line", 1);
}

enum tail_outcome tail_batch_cut(struct tail_reader *r, struct tail_file *f, char *text, size_t got, bool last,
                                 struct batch **out, struct err *e)
{
    size_t used, too_long, max = (size_t)r->set->max_line_bytes;
    struct batch *b = tail_batch_new(r, f, text);
    if (b == NULL || lines_add(b, text, got, max, r->set->strip_cr, &used, &too_long) != 0)
        goto nomem;
    if (last && too_long == 0 && used < got && got - used <= max) {
        if (lines_add_rest(b, text + used, got - used, r->set->strip_cr) != 0)
            goto nomem;
        used = got;
    }
    if (b->count == 0) {
        struct chunk *c = &b->chunk;
        chunk_free(&c);
        f->scanned = f->offset + (too_long > 0 ? too_long - 1 : got);
        f->line_end = too_long > 0 ? f->offset + too_long : 0;
        return TAIL_MORE;
    }
    struct mark mark = mark_of(text - f->mark.len, f->mark.len + used);
    r->line_bytes = used / b->count;
    r->records = b->count;
    tail_batch_take(r->slab, f->mark.len + used);
    return tail_batch_hand_on(r, f, b, f->offset + used, mark, out, e);
nomem:
    if (b != NULL) {
        struct chunk *c = &b->chunk;
        chunk_free(&c);
    }
    err_nomem(e);
    return TAIL_FAILED;
}

/* How many lines may be read at once: so many that what stages made of each of the last ones would be a part of the pool. It begins with few and
 * doubles, for what they make of the first is not known. */
static size_t records_at_once(struct tail_reader *r)
{
    size_t peak = pool_take_peak(r->env->pool), most = TAIL_RECORDS_MIN;
    if (r->records > 0) {
        size_t each = peak > r->before ? (peak - r->before) / r->records + 1 : 1;
        size_t fit = pool_limit(r->env->pool) / TAIL_SHARE / each;
        most = fit < 2 * r->records ? fit : 2 * r->records;
    }
    r->before = pool_used(r->env->pool);
    return most > TAIL_RECORDS ? TAIL_RECORDS : most > TAIL_RECORDS_MIN ? most : TAIL_RECORDS_MIN;
}

size_t tail_batch_most(struct tail_reader *r, size_t line)
{
    /* as many as those lines have if they are like the last ones */
    size_t most = records_at_once(r) * (r->line_bytes > 0 ? r->line_bytes : TAIL_LINE_GUESS);
    return most > line ? most : line;
}

