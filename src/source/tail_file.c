/* One followed file: see tail.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "source/tail.h"

#define SCAN_MAX ((uint64_t)1 << 20) /* bytes looked through for a line's end in one turn */

static void advanced(void *arg)
{
    struct tail_file *f = arg;
    if (f->entry == NULL)
        return;
    f->entry->state.offset = ledger_acked(f->ledger);
    f->entry->state.mark = ledger_mark(f->ledger);
    f->entry->state.head = f->head;
    f->entry->state.seen = (uint64_t)time(NULL);
    checkpoint_touch(f->entry->owner, f->entry);
}

struct tail_file *tail_file_new(struct tail_reader *r, const char *path, const char *log,
                                const struct stat *st, const struct file_state *state)
{
    const struct stage_env *env = r->env;
    struct tail_file *f = mem_zalloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    list_init(&f->all);
    list_init(&f->ready);
    list_init(&f->open);
    list_init(&f->waiting);
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->fd = -1;
    f->stop = env->once ? (uint64_t)st->st_size : UINT64_MAX;
    f->written = st->st_mtim;
    f->grown = loop_now();
    if (state != NULL) {
        f->resumed = true;
        f->offset = state->offset;
        f->mark = state->mark;
        f->head = state->head;
    }
    f->path = mem_strdup(path);
    f->origin = origin_new(path, log, env->host, env->name, env->pipeline);
    f->ledger = ledger_new(f->offset, f->mark, advanced, f);
    if (f->path == NULL || f->origin == NULL || f->ledger == NULL)
        tail_file_free(&f);
    return f;
}

void tail_file_close(struct tail_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

void tail_file_free(struct tail_file **f)
{
    struct tail_file *dead = *f;
    *f = NULL;
    if (dead == NULL)
        return;
    tail_file_close(dead);
    ledger_release(&dead->ledger);
    origin_unref(dead->origin);
    mem_free(dead->path);
    mem_free(dead);
}

/* The content is not what it was: everything in the file is new. */
static int start_over(struct tail_reader *r, struct tail_file *f, const char *why)
{
    struct ledger *fresh = ledger_new(0, (struct mark){0, 0}, advanced, f);
    if (fresh == NULL)
        return -1;
    log_info(r->env->scope, "%s %s: reading it from its beginning", f->path, why);
    ledger_release(&f->ledger);
    f->ledger = fresh;
    f->offset = f->scanned = f->line_end = 0;
    f->head = f->mark = (struct mark){0, 0};
    f->grown = loop_now();
    advanced(f);
    return 0;
}

/* Keep the delivered offset of ${f} from now on. */
static int keep_state(struct tail_reader *r, struct tail_file *f)
{
    const struct stage_env *env = r->env;
    if (f->entry != NULL)
        return 0;
    struct file_state state = {.dev = f->dev, .ino = f->ino, .head = f->head,
                               .offset = f->offset, .mark = f->mark,
                               .seen = (uint64_t)time(NULL)};
    f->entry = checkpoint_add(env->checkpoint, env->pipeline, env->name, f->path, f->origin->log, &state);
    return f->entry != NULL ? 0 : -1;
}

static enum tail_outcome open_failed(struct err *e)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE)
        return TAIL_VANISHED;
    if (errno == EMFILE || errno == ENFILE)
        return TAIL_BUSY;
    err_sys(e, errno, "cannot be opened");
    return TAIL_FAILED;
}

enum tail_outcome tail_file_open(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct stat st;
    if (f->fd >= 0)
        return TAIL_IDLE;
    /* O_NONBLOCK: it may have been replaced by a FIFO since it was looked at */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (r->set->follow_symlinks ? 0 : O_NOFOLLOW);
    f->fd = open(f->path, flags);
    if (f->fd < 0)
        return open_failed(e);
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_dev != f->dev ||
        st.st_ino != f->ino) {
        tail_file_close(f);
        return TAIL_VANISHED;
    }
    f->size = (uint64_t)st.st_size;
    if (f->size < f->head.len || tail_content_head_differs(r, f)) {
        if (start_over(r, f, "has other content than before") != 0)
            goto nomem;
    }
    f->unproven = false;
    tail_content_learn_head(r, f);
    if (keep_state(r, f) != 0)
        goto nomem;
    return TAIL_IDLE;
nomem:
    err_nomem(e);
    tail_file_close(f);
    return TAIL_FAILED;
}

enum tail_outcome tail_file_skip(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    enum tail_outcome rc = tail_file_open(r, f, e);
    if (rc != TAIL_IDLE || f->size <= f->offset)
        return rc;
    struct mark mark = tail_content_mark_before(r, f, f->size);
    if (ledger_skip(f->ledger, f->size, mark) != 0) {
        err_nomem(e);
        return TAIL_FAILED;
    }
    f->offset = f->size;
    f->mark = mark;
    return TAIL_IDLE;
}

/* Not longer than before: that may be somebody who begins anew and happens to be as far as we are. (What grew is compared when it is
 * read.) The time of writing alone does not tell: it stands still between two ticks of the kernel's clock, some milliseconds. */
static bool was_replaced(struct tail_reader *r, struct tail_file *f, const struct stat *st)
{
    bool written = st->st_mtim.tv_sec != f->written.tv_sec || st->st_mtim.tv_nsec != f->written.tv_nsec;
    f->written = st->st_mtim;
    return (uint64_t)st->st_size == f->size && (tail_content_mark_differs(r, f) || (written && tail_content_head_differs(r, f)));
}

/* How long is it now, and is what was read still there? */
static enum tail_outcome look(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    struct stat st;
    enum tail_outcome rc = tail_file_open(r, f, e);
    if (rc != TAIL_IDLE)
        return rc;
    if (fstat(f->fd, &st) != 0) {
        err_sys(e, errno, "cannot be looked at");
        return TAIL_FAILED;
    }
    uint64_t size = (uint64_t)st.st_size;
    if (size > f->size)
        f->grown = loop_now();
    const char *why = NULL;
    if (size < f->offset || size < f->scanned || (f->line_end != 0 && size < f->line_end))
        why = "was truncated";
    else if (was_replaced(r, f, &st))
        why = "was written anew";
    if (why != NULL && start_over(r, f, why) != 0) {
        err_nomem(e);
        return TAIL_FAILED;
    }
    f->size = size;
    tail_content_learn_head(r, f);
    return TAIL_IDLE;
}

/* Look for the end of a line that is known to go on at `scanned`. TAIL_IDLE: the file ends before it. TAIL_BATCH: found. */
static enum tail_outcome find_line_end(struct tail_reader *r, struct tail_file *f, uint64_t limit,
                                       struct err *e)
{
    uint64_t most = f->scanned + SCAN_MAX;
    while (f->scanned < limit) {
        if (f->scanned >= most)
            return TAIL_MORE;
        uint64_t left = limit - f->scanned;
        size_t len = left < TAIL_WINDOW ? (size_t)left : TAIL_WINDOW;
        ssize_t n = tail_content_fetch(f, r->window, len, f->scanned);
        if (n < 0) {
            err_sys(e, errno, "cannot be read");
            return TAIL_FAILED;
        }
        const char *stop = memchr(r->window, '\n', (size_t)n);
        if (stop != NULL) {
            f->line_end = f->scanned + (uint64_t)(stop + 1 - r->window);
            return TAIL_BATCH;
        }
        f->scanned += (uint64_t)n;
        if ((size_t)n < len)
            return TAIL_MORE; /* it shrank: look again */
    }
    return TAIL_IDLE;
}

void tail_reader_let_go(struct tail_reader *r)
{
    if (r->slab != NULL)
        slab_unref(r->slab);
    r->slab = NULL;
}

/* Has what became of earlier reads, beside ${s}, filled the pool? Then the rest of the slab has to wait, too. */
static bool is_crowded(const struct pool *pool, const struct slab *s)
{
    return pool_used(pool) > s->size && pool_used(pool) >= pool_limit(pool);
}

/* A slab with ${need} bytes free, preferably the one being filled. */
static bool have_room(struct tail_reader *r, size_t need)
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

static struct batch *new_batch(struct tail_reader *r, struct tail_file *f, const char *text)
{
    struct batch *b = batch_new(r->env->pool, r->slab, f->origin);
    if (b == NULL)
        return NULL;
    b->body->base_text = text;
    b->body->base_offset = f->offset;
    batch_read_now(b);
    return b;
}

/* ${b} holds everything from the offset to ${end}; ${mark} is that of ${end}. Frees ${b} on failure. */
static enum tail_outcome hand_on(struct tail_reader *r, struct tail_file *f, struct batch *b,
                                 uint64_t end, struct mark mark, struct batch **out, struct err *e)
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

/* Read ${len} bytes from the offset into the slab, behind the bytes that the mark covers. TAIL_BATCH: *${got} bytes are at *${text}. A
 * mark that does not fit means that somebody wrote the file anew: it starts over. */
static enum tail_outcome read_at_offset(struct tail_reader *r, struct tail_file *f, size_t len,
                                        char **text, size_t *got, struct err *e)
{
    char *place = r->slab->data + r->slab->used;
    ssize_t n = tail_content_fetch(f, place, f->mark.len + len, f->offset - f->mark.len);
    if (n < 0) {
        err_sys(e, errno, "cannot be read");
        return TAIL_FAILED;
    }
    if ((size_t)n <= f->mark.len)
        return TAIL_MORE; /* it shrank since it was looked at */
    if (f->mark.len > 0 && !mark_equal(mark_of(place, f->mark.len), f->mark)) {
        if (start_over(r, f, "was written anew") != 0) {
            err_nomem(e);
            return TAIL_FAILED;
        }
        return TAIL_MORE;
    }
    *text = place + f->mark.len;
    *got = (size_t)n - f->mark.len;
    return TAIL_BATCH;
}

/* Take what was used of the slab out of what is free. */
static void slab_take(struct slab *s, size_t len)
{
    s->used += len;
    if (s->used > s->size)
        s->used = s->size;
}

/* The line at the offset, up to line_end, is longer than max_line_bytes: pass its head on, or the next piece of it, or nothing. */
static enum tail_outcome read_long(struct tail_reader *r, struct tail_file *f, uint64_t end,
                                   struct batch **out, struct err *e)
{
    const struct tail_settings *set = r->set;
    size_t max = (size_t)set->max_line_bytes, got;
    char *text;
    if (set->on_long_line == TAIL_SKIP) {
        if (tail_content_mark_differs(r, f)) {
            if (start_over(r, f, "was written anew") == 0)
                return TAIL_MORE;
            err_nomem(e);
            return TAIL_FAILED;
        }
        struct mark mark = tail_content_mark_before(r, f, end);
        if (ledger_skip(f->ledger, end, mark) != 0) {
            err_nomem(e);
            return TAIL_FAILED;
        }
        log_warn(r->env->scope, "%s: line at offset %" PRIu64 " of %" PRIu64 " bytes skipped (max_line_bytes %zu)",
                 f->path, f->offset, end - f->offset, max);
        stage_dropped(r->env, "long line", 1);
        f->offset = f->scanned = end;
        f->line_end = 0;
        f->mark = mark;
        return TAIL_MORE;
    }
    if (!have_room(r, f->mark.len + max))
        return TAIL_NO_ROOM;
    enum tail_outcome rc = read_at_offset(r, f, max, &text, &got, e);
    if (rc != TAIL_BATCH)
        return rc;
    bool split = set->on_long_line == TAIL_SPLIT;
    log_warn(r->env->scope, "%s: line at offset %" PRIu64 " is longer than max_line_bytes %zu: %s", f->path,
             f->offset, max, split ? "split" : "truncated");
    r->env->stats->truncated++;
    struct batch *b = new_batch(r, f, text);
    if (b == NULL || lines_add_rest(b, text, got, false) != 0) {
        struct chunk *c = b != NULL ? &b->chunk : NULL;
        chunk_free(&c);
        err_nomem(e);
        return TAIL_FAILED;
    }
    uint64_t to = split ? f->offset + got : end;
    struct mark mark = split ? mark_of(text - f->mark.len, f->mark.len + got) : tail_content_mark_before(r, f, end);
    if (!split) {
        b->records[0].flags |= RECORD_TRUNCATED;
        b->bytes = (size_t)(end - f->offset);
    }
    slab_take(r->slab, f->mark.len + got);
    uint64_t scanned = f->scanned;
    rc = hand_on(r, f, b, to, mark, out, e);
    if (split && scanned > f->scanned)
        f->scanned = scanned;
    return rc;
}

/* Cut what was read into records. */
static enum tail_outcome cut(struct tail_reader *r, struct tail_file *f, char *text, size_t got,
                             bool last, struct batch **out, struct err *e)
{
    size_t used, too_long, max = (size_t)r->set->max_line_bytes;
    struct batch *b = new_batch(r, f, text);
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
    slab_take(r->slab, f->mark.len + used);
    return hand_on(r, f, b, f->offset + used, mark, out, e);
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

/* So many bytes as those lines have if they are like the last ones; ${line}, one that is known, at least. */
static size_t most_at_once(struct tail_reader *r, size_t line)
{
    size_t most = records_at_once(r) * (r->line_bytes > 0 ? r->line_bytes : TAIL_LINE_GUESS);
    return most > line ? most : line;
}

enum tail_outcome tail_file_read(struct tail_reader *r, struct tail_file *f, bool finish,
                                 struct batch **out, struct err *e)
{
    double grown = f->grown;
    enum tail_outcome rc = look(r, f, e);
    if (rc != TAIL_IDLE)
        return rc;
    if (f->over && f->grown > grown)
        finish = f->over = false; /* its writer is back, and may be in the middle of a line */
    uint64_t max = r->set->max_line_bytes;
    uint64_t limit = f->size < f->stop ? f->size : f->stop;
    if (f->offset >= limit)
        return TAIL_IDLE;
    if (f->line_end == 0 && f->scanned > f->offset) {
        bool split = r->set->on_long_line == TAIL_SPLIT && f->scanned - f->offset > max;
        rc = split ? TAIL_BATCH : find_line_end(r, f, limit, e);
        if (rc == TAIL_IDLE && finish)
            f->line_end = limit;
        else if (rc != TAIL_BATCH)
            return rc;
        if (split)
            return read_long(r, f, f->scanned, out, e);
    }
    uint64_t line = f->line_end != 0 ? f->line_end - f->offset : 0;
    if (line > max + 1 || (line == max + 1 && finish && f->line_end == limit && f->scanned == limit))
        return read_long(r, f, f->line_end, out, e);
    size_t need = line > TAIL_ROOM_MIN ? (size_t)line : TAIL_ROOM_MIN;
    if (!have_room(r, f->mark.len + need))
        return TAIL_NO_ROOM;
    size_t room = r->slab->size - r->slab->used - f->mark.len, got;
    char *text;
    uint64_t want = limit - f->offset;
    size_t most = most_at_once(r, (size_t)line);
    if (room > most)
        room = most;
    rc = read_at_offset(r, f, want < room ? (size_t)want : room, &text, &got, e);
    if (rc != TAIL_BATCH)
        return rc;
    return cut(r, f, text, got, finish && f->offset + got == limit, out, e);
}
