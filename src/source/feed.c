#include "source/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "source/intake.h"
#include "base/quiet.h"
#include "stage/stage.h"

#define KEEP_MIN 256

void feed_init(struct feed *f, const struct frames_options *set, bool tidy, struct origin *origin,
               const char *name, struct quiet *quiet)
{
    *f = (struct feed){.origin = origin_ref(origin), .name = name, .quiet = quiet};
    frames_init(&f->frames, set, tidy);
}

/* Let go of the memory for a begun record. */
static void forget(struct feed *f, struct intake *in)
{
    if (f->kept != NULL)
        pool_keep(in->env->pool, f->cap, 0);
    mem_free(f->kept);
    f->kept = NULL;
    f->begun = f->cap = 0;
}

void feed_clear(struct feed *f, struct intake *in)
{
    forget(f, in);
    origin_unref(f->origin);
    f->origin = NULL;
}

static const char *begun_at(const struct feed *f)
{
    return f->kept != NULL ? f->kept : f->small;
}

char *feed_space(struct feed *f, struct intake *in, size_t *room)
{
    size_t half = pool_slab_size(in->env->pool) / 2;
    char *at = intake_space(in, f->begun + (half < INTAKE_ROOM ? half : INTAKE_ROOM), room);
    if (at == NULL)
        return NULL;
    *room -= f->begun;
    return at + f->begun;
}

/* ---- begun records ------------------------------------------------------------------------------- */

enum keeping { KEPT, REFUSED, NO_MEMORY };

/* Make room for ${len} bytes of a begun record. */
static enum keeping reserve(struct feed *f, struct intake *in, size_t len)
{
    size_t cap = f->cap > 0 ? f->cap : KEEP_MIN;
    if (len <= f->cap || (f->kept == NULL && len <= sizeof f->small))
        return KEPT;
    while (cap < len)
        cap *= 2;
    if (!pool_keep(in->env->pool, f->cap, cap))
        return REFUSED;
    char *p = mem_realloc(f->kept, cap);
    if (p == NULL) {
        pool_keep(in->env->pool, cap, f->cap);
        return NO_MEMORY;
    }
    if (f->kept == NULL)
        memcpy(p, f->small, f->begun);
    f->kept = p;
    f->cap = cap;
    return KEPT;
}

/* ${len} bytes at ${text} are begun, behind those that are already. */
static enum keeping keep(struct feed *f, struct intake *in, const char *text, size_t len)
{
    enum keeping result = reserve(f, in, f->begun + len);
    if (result != KEPT)
        return result;
    memcpy((f->kept != NULL ? f->kept : f->small) + f->begun, text, len);
    f->begun += len;
    return KEPT;
}

/* ---- cutting ------------------------------------------------------------------------------------- */

static void tell(struct feed *f, struct intake *in, const char *what, uint64_t offset)
{
    uint64_t before = 0;
    if (f->quiet != NULL && !quiet_may(f->quiet, &before))
        return;
    char more[64] = "";
    quiet_words(before, more, sizeof more);
    log_warn(in->env->scope, "%s: line at offset %" PRIu64 " %s%s", f->name, offset, what, more);
}

/* The record at ${offset} was too long, or there was no memory to keep it. */
static void was_long(struct feed *f, struct intake *in, uint64_t offset, bool cramped)
{
    static const char *const words[] = {"truncated", "split", "skipped"};
    const struct frames_options *set = f->frames.set;
    char what[128];
    if (set->on_long_line == LONG_SKIP)
        stage_dropped(in->env, "long line", 1);
    else
        in->env->stats->truncated++;
    if (cramped)
        snprintf(what, sizeof what, "is begun, and all begun lines take a quarter of the memory: %s", words[set->on_long_line]);
    else
        snprintf(what, sizeof what, "is longer than max_line_bytes %" PRIu64 ": %s", set->max_line_bytes,
                 words[set->on_long_line]);
    tell(f, in, what, offset);
}

static enum feed_result was_bad(struct feed *f, struct intake *in, bool in_short, uint64_t offset)
{
    in->env->stats->errors++;
    stage_dropped(in->env, in_short ? "incomplete record" : "not framed as configured", 1);
    tell(f, in, in_short ? "ends before the length that was told" : "does not begin with its length and a space", offset);
    return FEED_BAD;
}

/* Cut the ${len} bytes at ${text}. *${used} of them are done with. */
static enum feed_result cut(struct feed *f, struct intake *in, struct batch *b, const char *text, size_t len, bool last,
                            size_t *used)
{
    uint64_t base = b->body->base_offset;
    *used = 0;
    for (;;) {
        size_t n;
        enum frames_result result = frames_cut(&f->frames, b, text + *used, len - *used, last, &n);
        *used += n;
        switch (result) {
        case FRAMES_MORE: return FEED_ON;
        case FRAMES_LONG: was_long(f, in, base + *used - n, false); break;
        case FRAMES_BAD: return was_bad(f, in, false, base + *used);
        case FRAMES_SHORT: return was_bad(f, in, true, base + *used);
        case FRAMES_NOMEM: return FEED_NOMEM;
        }
    }
}

/* Keep the ${len} bytes at ${text} for the next time; if they may not be kept they are a record as it is. */
static enum feed_result keep_rest(struct feed *f, struct intake *in, struct batch *b, const char *text, size_t len)
{
    forget(f, in);
    switch (keep(f, in, text, len)) {
    case KEPT: return FEED_ON;
    case NO_MEMORY: return FEED_NOMEM;
    case REFUSED: break;
    }
    was_long(f, in, f->offset, true);
    f->offset += len;
    return frames_give_up(&f->frames, b, text, len) == 0 ? FEED_ON : FEED_NOMEM;
}

/* The begun record and what came behind it are ${len} bytes at ${text}, in the slab. */
static enum feed_result hand_on(struct feed *f, struct intake *in, char *text, size_t len, bool last, bool cramped)
{
    size_t used = 0;
    struct batch *b = batch_new(in->env->pool, in->slab, f->origin);
    if (b == NULL)
        return FEED_NOMEM;
    b->body->base_text = text;
    b->body->base_offset = f->offset;
    batch_read_now(b);
    enum feed_result result = FEED_ON;
    if (!cramped)
        result = cut(f, in, b, text, len, last, &used);
    f->offset += used;
    size_t taken = len;
    if (result == FEED_ON && used < len)
        result = keep_rest(f, in, b, text + used, len - used);
    else
        forget(f, in);
    if (f->begun > 0)
        taken = used;
    if (result == FEED_NOMEM)
        b->count = 0;
    if (f->frames.tidy)
        batch_count_text(b);
    intake_push(in, b, taken);
    return result;
}

enum feed_result feed_take(struct feed *f, struct intake *in, size_t len, bool last)
{
    char *text = in->slab->data + in->fill;
    bool cramped = false;
    if (!last && !frames_ends(&f->frames, f->begun, text + f->begun, len)) {
        switch (keep(f, in, text + f->begun, len)) {
        case KEPT: return FEED_ON;
        case NO_MEMORY: return FEED_NOMEM;
        case REFUSED: cramped = true;
        }
    }
    if (f->begun + len == 0 && f->frames.left == 0)
        return FEED_ON;
    memcpy(text, begun_at(f), f->begun);
    return hand_on(f, in, text, f->begun + len, last, cramped);
}
