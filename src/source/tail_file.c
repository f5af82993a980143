/* One followed file: see tail.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "delivery/cut.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "source/tail.h"

#define SCAN_MAX ((uint64_t)1 << 20) /* bytes looked through for a line's end in one turn */

void tail_file_keep(struct tail_file *f)
{
    if (f->entry == NULL)
        return;
    f->entry->state.offset = ledger_acked(f->ledger);
    f->entry->state.mark = ledger_mark(f->ledger);
    f->entry->state.head = f->head;
    f->entry->state.whole = f->whole != 0 && f->whole_text == f->entry->state.offset ? f->whole : 0;
    f->entry->state.seen = (uint64_t)time(NULL);
    checkpoint_touch(f->entry->owner, f->entry);
}

static void advanced(void *arg)
{
    tail_file_keep(arg);
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
    list_init(&f->held);
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    f->fd = -1;
    f->stop = env->once ? (uint64_t)st->st_size : UINT64_MAX;
    f->written = st->st_mtim;
    f->grown = loop_now();
    if (state != NULL) {
        f->resumed = true;
        f->offset = f->begun = state->offset;
        f->mark = state->mark;
        f->head = state->head;
        f->whole = state->whole;
        f->whole_text = state->offset;
    }
    f->path = mem_strdup(path);
    f->origin = origin_new(path, log, env->host, env->name, env->pipeline);
    f->ledger = ledger_new(f->offset, f->mark, advanced, f);
    if (f->path == NULL || f->origin == NULL || f->ledger == NULL)
        tail_file_free(&f);
    else
        ledger_count(f->ledger, cut_uncovered(env->cut));
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

int tail_file_start_over(struct tail_reader *r, struct tail_file *f)
{
    struct ledger *fresh = ledger_new(0, (struct mark){0, 0}, advanced, f);
    if (fresh == NULL)
        return -1;
    log_info(r->env->scope, "%s %s: reading it from its beginning", f->path, f->anew);
    tail_unpack_let_go(r, f);
    ledger_release(&f->ledger);
    f->ledger = fresh;
    ledger_count(fresh, cut_uncovered(r->env->cut));
    f->offset = f->scanned = f->line_end = f->begun = f->whole = 0;
    f->head = f->mark = (struct mark){0, 0};
    f->kind = UNPACK_UNSURE;
    f->damaged = f->told_short = f->passed_over = false;
    f->grown = loop_now();
    advanced(f);
    return 0;
}

int tail_file_move(struct tail_reader *r, struct tail_file *f, struct tail_copy *to)
{
    const struct stage_env *env = r->env;
    struct file_state state = {.dev = to->dev, .ino = to->ino, .head = to->head, .offset = ledger_acked(f->ledger),
                               .mark = ledger_mark(f->ledger), .seen = (uint64_t)time(NULL)};
    struct checkpoint_entry *entry = checkpoint_add(env->checkpoint, env->pipeline, env->name, to->path, f->origin->log, &state);
    if (entry == NULL)
        return -1;
    if (f->entry != NULL)
        checkpoint_remove(env->checkpoint, f->entry);
    f->entry = entry;
    tail_unpack_let_go(r, f);
    tail_file_close(f);
    mem_free(f->path);
    f->path = to->path;
    to->path = NULL;
    f->dev = to->dev;
    f->ino = to->ino;
    f->head = to->head;
    f->kind = to->kind;
    f->moved = true;
    f->scanned = f->offset;
    f->size = f->line_end = 0;
    f->written = (struct timespec){0};
    f->whole = to->whole;
    f->whole_text = f->offset;
    f->stop = UINT64_MAX;
    f->damaged = f->told_short = false;
    f->grown = loop_now();
    tail_file_keep(f);
    return 0;
}

/* It is not what was read, ${why}. */
static enum tail_outcome anew(struct tail_file *f, const char *why)
{
    f->anew = why;
    return TAIL_ANEW;
}

/* What is it? Once that is certain it is not asked again. */
static void learn_kind(struct tail_reader *r, struct tail_file *f)
{
    if (f->kind != UNPACK_UNSURE || f->size == 0)
        return;
    ssize_t n = tail_content_fetch(f, r->window, UNPACK_MAGIC, 0);
    if (n <= 0)
        return;
    f->kind = unpack_recognise(r->window, (size_t)n);
    if (!tail_unpack_is(f))
        return;
    /* one that was resumed under another name may be what its original was compressed to */
    if (r->set->compressed || f->moved || (f->resumed && strcmp(f->path, f->origin->log) != 0)) {
        f->rotated = true; /* as one that was rotated it may be finished when it has not grown for a while */
        return;
    }
    log_warn(r->env->scope, "%s holds %s data, which is read as if it were lines: leave it out, or set \"compressed\"",
             f->path, unpack_name(f->kind));
    f->kind = UNPACK_PLAIN;
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
    if (file_busy(errno))
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
        tail_file_close(f);
        return anew(f, "has other content than before");
    }
    f->unproven = false;
    tail_content_learn_head(r, f);
    learn_kind(r, f);
    if (keep_state(r, f) == 0)
        return TAIL_IDLE;
    err_nomem(e);
    tail_file_close(f);
    return TAIL_FAILED;
}

enum tail_outcome tail_file_skip(struct tail_reader *r, struct tail_file *f, struct err *e)
{
    enum tail_outcome rc = tail_file_open(r, f, e);
    if (rc != TAIL_IDLE || f->size <= f->offset)
        return rc;
    if (tail_unpack_is(f)) {
        f->passed_over = true; /* where its text ends is known when it is decoded */
        return rc;
    }
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
    return (uint64_t)st->st_size == f->size &&
           ((!tail_unpack_is(f) && tail_content_mark_differs(r, f)) || (written && tail_content_head_differs(r, f)));
}

static bool was_truncated(const struct tail_file *f, uint64_t size)
{
    if (tail_unpack_is(f))
        return size < f->size;
    return size < f->offset || size < f->scanned || (f->line_end != 0 && size < f->line_end);
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
    if (was_truncated(f, size))
        return anew(f, "was truncated");
    if (was_replaced(r, f, &st))
        return anew(f, "was written anew");
    if (size > f->size) {
        f->grown = loop_now();
        f->told_short = false;
        f->rotated |= tail_unpack_is(f);
    }
    f->size = size;
    tail_content_learn_head(r, f);
    learn_kind(r, f);
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

/* Read ${len} bytes from the offset into the slab, behind the bytes that the mark covers. TAIL_BATCH: *${got} bytes are at *${text}. A
 * mark that does not fit means that somebody wrote the file anew. */
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
    if (f->mark.len > 0 && !mark_equal(mark_of(place, f->mark.len), f->mark))
        return anew(f, "was written anew");
    *text = place + f->mark.len;
    *got = (size_t)n - f->mark.len;
    return TAIL_BATCH;
}

/* The line at the offset, up to line_end, is longer than max_line_bytes: pass its head on, or the next piece of it, or nothing. */
static enum tail_outcome read_long(struct tail_reader *r, struct tail_file *f, uint64_t end,
                                   struct batch **out, struct err *e)
{
    const struct tail_settings *set = r->set;
    size_t max = (size_t)set->max_line_bytes, got;
    char *text;
    if (set->on_long_line == TAIL_SKIP) {
        if (tail_content_mark_differs(r, f))
            return anew(f, "was written anew");
        struct mark mark = tail_content_mark_before(r, f, end);
        if (ledger_skip(f->ledger, end, mark) != 0) {
            err_nomem(e);
            return TAIL_FAILED;
        }
        tail_batch_skipped(r, f, end);
        f->offset = f->scanned = end;
        f->line_end = 0;
        f->mark = mark;
        return TAIL_MORE;
    }
    if (!tail_batch_room(r, f->mark.len + max))
        return TAIL_NO_ROOM;
    enum tail_outcome rc = read_at_offset(r, f, max, &text, &got, e);
    if (rc != TAIL_BATCH)
        return rc;
    bool split = set->on_long_line == TAIL_SPLIT;
    uint64_t to = split ? f->offset + got : end;
    struct mark mark = split ? mark_of(text - f->mark.len, f->mark.len + got) : tail_content_mark_before(r, f, end);
    tail_batch_take(r->slab, f->mark.len);
    uint64_t scanned = f->scanned;
    rc = tail_batch_piece(r, f, text, got, to, mark, out, e);
    if (split && scanned > f->scanned)
        f->scanned = scanned;
    return rc;
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
    if (tail_unpack_is(f))
        return tail_unpack_read(r, f, finish, out, e);
    if (f->kind == UNPACK_UNSURE && r->set->compressed && !finish)
        return TAIL_IDLE;
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
    if (!tail_batch_room(r, f->mark.len + need))
        return TAIL_NO_ROOM;
    size_t room = r->slab->size - r->slab->used - f->mark.len, got;
    char *text;
    uint64_t want = limit - f->offset;
    size_t most = tail_batch_most(r, (size_t)line);
    if (room > most)
        room = most;
    rc = read_at_offset(r, f, want < room ? (size_t)want : room, &text, &got, e);
    if (rc != TAIL_BATCH)
        return rc;
    return tail_batch_cut(r, f, text, got, finish && f->offset + got == limit, out, e);
}
