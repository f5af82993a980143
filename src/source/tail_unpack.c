/* Reading a compressed file: see tail.h. Its text comes once, in order, so what a plain file is read again for is carried here. */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "source/tail.h"

#define PASS_MAX ((uint64_t)4 << 20) /* bytes of text passed over in one turn */

bool tail_unpack_is(const struct tail_file *f)
{
    return f->kind == UNPACK_GZIP || f->kind == UNPACK_ZSTD;
}

/* ---- the decoder ------------------------------------------------------------------------------- */

/* Bring what the pool knows up to date. */
static void weigh(struct tail_reader *r)
{
    struct tail_unpack *u = &r->unpack;
    size_t now = u->carry.cap + u->rest.cap + (u->decoder != NULL ? unpack_memory(u->owner->kind) : 0);
    pool_hold(r->env->pool, u->held, now);
    u->held = now;
}

static void let_go(struct tail_reader *r)
{
    struct tail_unpack *u = &r->unpack;
    size_t held = u->held;
    unpack_free(&u->decoder);
    buf_clear(&u->carry);
    buf_clear(&u->rest);
    *u = (struct tail_unpack){.held = held};
    weigh(r);
}

void tail_unpack_let_go(struct tail_reader *r, const struct tail_file *f)
{
    if (r->unpack.owner == f)
        let_go(r);
}

/* A decoder for ${f}, at the start of its text. */
static int take_up(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    if (u->owner == f)
        return 0;
    let_go(r);
    u->decoder = unpack_new(f->kind, e);
    if (u->decoder == NULL)
        return -1;
    u->owner = f;
    weigh(r);
    return 0;
}

/* ${last} holds the end of a text to which ${len} bytes at ${text} are added. */
static void roll(char last[MARK_BYTES], size_t *last_len, const char *text, size_t len)
{
    if (len >= MARK_BYTES) {
        memcpy(last, text + len - MARK_BYTES, MARK_BYTES);
        *last_len = MARK_BYTES;
        return;
    }
    size_t stay = *last_len + len > MARK_BYTES ? MARK_BYTES - len : *last_len;
    memmove(last, last + *last_len - stay, stay);
    memcpy(last + stay, text, len);
    *last_len = stay + len;
}

/* The progress of --once counts text: how much it will be is known at the end only. */
static void expect(struct tail_reader *r, struct tail_file *f)
{
    uint64_t raw = unpack_raw(r->unpack.decoder), total = r->unpack.at;
    if (!r->env->once || raw == 0)
        return;
    if (raw < f->stop)
        total = (uint64_t)((double)total * (double)f->stop / (double)raw);
    total = total > f->begun ? total - f->begun : 0;
    r->env->stats->expected += total - f->expected;
    f->expected = total;
}

/* Text of ${f} into ${to}. */
static enum unpack_state decode(struct tail_reader *r, struct tail_file *f, char *to, size_t len, size_t *got, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    uint64_t limit = f->size < f->stop ? f->size : f->stop;
    enum unpack_state state = unpack_read(u->decoder, f->fd, limit, to, len, got, e);
    u->at += *got;
    expect(r, f);
    return state;
}

/* What becomes of the turn when no text came. */
static enum tail_outcome outcome_of(enum unpack_state state)
{
    switch (state) {
    case UNPACK_MORE: return TAIL_MORE;
    case UNPACK_END:
    case UNPACK_SHORT: return TAIL_IDLE;
    case UNPACK_BAD:
    case UNPACK_ERROR: break;
    }
    return TAIL_FAILED;
}

/* Is nothing more to be waited for? */
static bool is_last(enum unpack_state state, bool finish)
{
    return state == UNPACK_BAD || (finish && (state == UNPACK_END || state == UNPACK_SHORT));
}

static enum tail_outcome out_of_memory(struct tail_reader *r, const struct tail_file *f, struct err *e)
{
    tail_unpack_let_go(r, f); /* what was decoded may not be complete */
    err_nomem(e);
    return TAIL_FAILED;
}

/* ---- what is not sent -------------------------------------------------------------------------- */

/* Decode into nothing, up to ${end} of the text or for one turn. UNPACK_MORE: there is more to do, or ${end} is reached. */
static enum unpack_state pass(struct tail_reader *r, struct tail_file *f, uint64_t end, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    uint64_t most = u->at + PASS_MAX;
    enum unpack_state state = UNPACK_MORE;
    for (size_t got = 1; state == UNPACK_MORE && got > 0 && u->at < end && u->at < most;) {
        uint64_t left = end - u->at;
        state = decode(r, f, r->window, left < TAIL_WINDOW ? (size_t)left : TAIL_WINDOW, &got, e);
        roll(u->before, &u->before_len, r->window, got);
    }
    return state;
}

/* Go to the offset, where reading goes on. TAIL_BATCH: it is there, and what stands before it is what was read. */
static enum tail_outcome pass_read(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    size_t len = f->mark.len;
    if (u->at < f->offset) {
        enum unpack_state state = pass(r, f, f->offset, e);
        if (state == UNPACK_ERROR)
            return TAIL_FAILED;
        if (state == UNPACK_MORE && u->at < f->offset)
            return TAIL_MORE;
    }
    if (u->at >= f->offset && len <= u->before_len && mark_equal(mark_of(u->before + u->before_len - len, len), f->mark))
        return TAIL_BATCH;
    tail_unpack_let_go(r, f);
    f->anew = "has other text than before";
    return TAIL_ANEW;
}

/* Go to the end: what there is was there before weir, and start_at is end. */
static enum tail_outcome pass_all(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    enum unpack_state state = pass(r, f, UINT64_MAX, e);
    if (state == UNPACK_MORE || state == UNPACK_ERROR)
        return outcome_of(state);
    struct mark mark = mark_of(u->before, u->before_len);
    if (ledger_skip(f->ledger, u->at, mark) != 0)
        return out_of_memory(r, f, e);
    f->passed_over = false;
    f->offset = f->scanned = u->at;
    f->mark = mark;
    return outcome_of(state);
}

/* ---- a line that is too long -------------------------------------------------------------------- */

/* Does one begin what is carried? */
static bool is_too_long(const struct tail_reader *r)
{
    const struct buf *text = &r->unpack.carry;
    size_t max = (size_t)r->set->max_line_bytes;
    return text->len > max && memchr(text->data, '\n', max + 1) == NULL;
}

/* Keep of it only its head. */
static enum tail_outcome begin_long(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    const char *text = u->carry.data, *stop = memchr(text, '\n', u->carry.len);
    size_t line = stop != NULL ? (size_t)(stop + 1 - text) : u->carry.len;
    memcpy(u->last, u->before, u->before_len);
    u->last_len = u->before_len;
    roll(u->last, &u->last_len, text, line);
    u->rest.len = 0;
    buf_add(&u->rest, text + line, u->carry.len - line);
    if (u->rest.failed)
        return out_of_memory(r, f, e);
    u->is_long = true;
    u->is_ended = stop != NULL;
    u->long_end = f->offset + line;
    u->carry.len = r->set->on_long_line == TAIL_SKIP ? 0 : (size_t)r->set->max_line_bytes;
    return TAIL_BATCH;
}

/* Look for its end. TAIL_BATCH: it is known. */
static enum tail_outcome find_long_end(struct tail_reader *r, struct tail_file *f, bool finish, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    uint64_t most = u->at + PASS_MAX;
    while (!u->is_ended) {
        size_t got = 0;
        enum unpack_state state = u->at < most ? decode(r, f, r->window, TAIL_WINDOW, &got, e) : UNPACK_MORE;
        u->is_ended = is_last(state, finish);
        if (got == 0 && !u->is_ended)
            return outcome_of(state);
        const char *stop = memchr(r->window, '\n', got);
        size_t line = stop != NULL ? (size_t)(stop + 1 - r->window) : got;
        roll(u->last, &u->last_len, r->window, line);
        u->long_end += line;
        u->is_ended |= stop != NULL;
        buf_add(&u->rest, r->window + line, got - line);
        if (u->rest.failed)
            return out_of_memory(r, f, e);
    }
    return TAIL_BATCH;
}

/* It is done with: go on behind it. */
static void end_long(struct tail_unpack *u)
{
    struct buf text = u->carry;
    u->carry = u->rest;
    u->rest = text;
    u->rest.len = 0;
    memcpy(u->before, u->last, u->last_len);
    u->before_len = u->last_len;
    u->is_long = u->is_ended = false;
}

static enum tail_outcome skip_long(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    struct mark mark = mark_of(u->last, u->last_len);
    if (ledger_skip(f->ledger, u->long_end, mark) != 0)
        return out_of_memory(r, f, e);
    tail_batch_skipped(r, f, u->long_end);
    f->offset = f->scanned = u->long_end;
    f->mark = mark;
    end_long(u);
    return TAIL_MORE;
}

/* The first ${len} carried bytes are a record, which stands for all in front of ${end}. */
static enum tail_outcome hand_on_piece(struct tail_reader *r, struct tail_file *f, size_t len, uint64_t end, struct mark mark,
                                       struct batch **out, struct err *e)
{
    if (!tail_batch_room(r, len))
        return TAIL_NO_ROOM;
    char *text = r->slab->data + r->slab->used;
    memcpy(text, r->unpack.carry.data, len);
    return tail_batch_piece(r, f, text, len, end, mark, out, e);
}

/* Its head is a record. */
static enum tail_outcome read_head(struct tail_reader *r, struct tail_file *f, bool finish, struct batch **out, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    enum tail_outcome rc = find_long_end(r, f, finish, e);
    if (rc != TAIL_BATCH)
        return rc;
    if (r->set->on_long_line == TAIL_SKIP)
        return skip_long(r, f, e);
    rc = hand_on_piece(r, f, u->carry.len, u->long_end, mark_of(u->last, u->last_len), out, e);
    if (rc == TAIL_BATCH)
        end_long(u);
    return rc;
}

/* The next piece of it is a record. */
static enum tail_outcome read_piece(struct tail_reader *r, struct tail_file *f, struct batch **out, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    size_t len = (size_t)r->set->max_line_bytes, last_len = u->before_len;
    char last[MARK_BYTES];
    memcpy(last, u->before, last_len);
    roll(last, &last_len, u->carry.data, len);
    enum tail_outcome rc = hand_on_piece(r, f, len, f->offset + len, mark_of(last, last_len), out, e);
    if (rc != TAIL_BATCH)
        return rc;
    memcpy(u->before, last, last_len);
    u->before_len = last_len;
    u->carry.len -= len;
    memmove(u->carry.data, u->carry.data + len, u->carry.len);
    return rc;
}

/* ---- lines ------------------------------------------------------------------------------------- */

/* Nothing more is to come of it now. */
static enum tail_outcome at_end(struct tail_reader *r, struct tail_file *f, enum unpack_state state, bool finish)
{
    if (state == UNPACK_SHORT && finish && !f->told_short) {
        log_warn(r->env->scope, "%s ends in the middle of its %s data: what it has is sent", f->path, unpack_name(f->kind));
        r->env->stats->errors++;
        r->env->stats->incomplete += r->env->once;
        f->told_short = true;
    }
    f->damaged = state == UNPACK_BAD;
    if (state == UNPACK_END && f->size <= f->stop && r->unpack.at == f->offset) {
        f->whole = f->size;
        f->whole_text = f->offset;
        tail_file_keep(f);
    }
    if (is_last(state, finish))
        tail_unpack_let_go(r, f);
    return outcome_of(state);
}

/* Decode behind what is carried, and cut. */
static enum tail_outcome read_lines(struct tail_reader *r, struct tail_file *f, bool finish, struct batch **out, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    size_t had = u->carry.len, got, mark = f->mark.len;
    size_t least = had > TAIL_ROOM_MIN ? had : TAIL_ROOM_MIN, most = tail_batch_most(r, had + least) - had;
    if (!tail_batch_room(r, mark + had + least))
        return TAIL_NO_ROOM;
    char *text = r->slab->data + r->slab->used + mark;
    size_t room = r->slab->size - r->slab->used - mark - had;
    memcpy(text - mark, u->before + u->before_len - mark, mark);
    if (had > 0)
        memcpy(text, u->carry.data, had);
    enum unpack_state state = decode(r, f, text + had, room < most ? room : most, &got, e);
    bool last = got == 0 && is_last(state, finish);
    if (got == 0 && (had == 0 || !(last || memchr(text, '\n', had) != NULL)))
        return state == UNPACK_MORE ? TAIL_MORE : at_end(r, f, state, finish);
    uint64_t offset = f->offset;
    enum tail_outcome rc = tail_batch_cut(r, f, text, had + got, last, out, e);
    if (rc == TAIL_FAILED)
        return out_of_memory(r, f, e);
    f->scanned = f->offset;
    f->line_end = 0;
    size_t used = (size_t)(f->offset - offset);
    roll(u->before, &u->before_len, text, used);
    u->carry.len = 0;
    buf_add(&u->carry, text + used, had + got - used);
    if (u->carry.failed && rc != TAIL_BATCH)
        return out_of_memory(r, f, e);
    if (u->carry.failed)
        tail_unpack_let_go(r, f); /* it is decoded again */
    return rc;
}

/* One turn of one that is decoded up to its offset, or further. */
static enum tail_outcome read_text(struct tail_reader *r, struct tail_file *f, bool finish, struct batch **out, struct err *e)
{
    struct tail_unpack *u = &r->unpack;
    bool too_long = !u->is_long && is_too_long(r);
    if (too_long && r->set->on_long_line == TAIL_SPLIT)
        return read_piece(r, f, out, e);
    if (too_long && begin_long(r, f, e) != TAIL_BATCH)
        return TAIL_FAILED;
    return u->is_long ? read_head(r, f, finish, out, e) : read_lines(r, f, finish, out, e);
}

/* Is it known that there is nothing behind the offset? Then it need not be decoded to find that out. */
static bool is_whole(struct tail_reader *r, struct tail_file *f)
{
    if (f->whole == 0 || f->whole != f->size || f->whole_text != f->offset || r->unpack.owner == f)
        return false;
    r->env->stats->expected -= f->expected;
    f->expected = 0;
    return true;
}

enum tail_outcome tail_unpack_read(struct tail_reader *r, struct tail_file *f, bool finish, struct batch **out, struct err *e)
{
    if (f->damaged || is_whole(r, f))
        return TAIL_IDLE;
    if (take_up(r, f, e) != 0)
        return TAIL_FAILED;
    enum tail_outcome rc = f->passed_over ? pass_all(r, f, e) : pass_read(r, f, e);
    if (rc == TAIL_BATCH)
        rc = read_text(r, f, finish, out, e);
    if (r->unpack.owner == f)
        weigh(r);
    return rc;
}
