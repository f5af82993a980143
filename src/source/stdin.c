/* The stdin source: lines from standard input. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define ROOM_MIN ((size_t)32 << 10)

struct stdin_settings {
    uint64_t max_line_bytes;
    int on_long_line;
    bool strip_cr;
};

enum { LONG_TRUNCATE, LONG_SPLIT, LONG_SKIP };

/* The slab in hand: [start, fill) is the beginning of a line that goes on in the next read. */
struct stdin_source {
    struct stream *stream;
    struct stage_env *env;
    const struct stdin_settings *set;
    struct origin *origin;
    struct slab *slab;
    size_t start, fill;
    uint64_t offset;  /* in the input, of `start` */
    bool skipping;    /* the rest of a line that was too long is thrown away */
    bool wanted, stopped, pollable;
    ev_io io;
    struct step turn;
    struct pool_waiter room;
    struct pool_filler filler;
};

static const char *const long_lines[] = {"truncate", "split", "skip", NULL};

#define AT(field) offsetof(struct stdin_settings, field)
static const struct option options[] = {
    {.key = "max_line_bytes", .type = OPTION_SIZE, .offset = AT(max_line_bytes),
     .fallback = "\"1MiB\"", .min = 64, .max = 1 << 30,
     .words = "Longest line, terminator not counted."},
    {.key = "on_long_line", .type = OPTION_CHOICE, .offset = AT(on_long_line),
     .fallback = "\"truncate\"", .choices = long_lines,
     .words = "What becomes of a longer line: its head is sent, all of it in pieces, or nothing. Each is counted and logged."},
    {.key = "strip_cr", .type = OPTION_BOOL, .offset = AT(strip_cr), .fallback = "false",
     .words = "A carriage return before the line feed does not belong to the line."},
    {0},
};

static void schedule(struct stdin_source *in)
{
    if (!in->wanted || in->stopped)
        return;
    if (in->pollable)
        ev_io_start(loop_ev(in->env->loop), &in->io);
    else
        loop_next(in->env->loop, &in->turn);
}

static void fail(struct stdin_source *in, int errnum)
{
    struct err e = {0};
    if (errnum != 0)
        err_sys(&e, errnum, "cannot read standard input");
    else
        err_nomem(&e);
    stream_destroy(in->stream, &e);
}

/* The slab that a begun line of ${begun} bytes needs, twice what it has so far when that is more than usual. */
static size_t slab_for(const struct stdin_source *in, size_t begun)
{
    size_t want = begun + ROOM_MIN, most = (size_t)in->set->max_line_bytes + ROOM_MIN * 2;
    if (want <= pool_slab_size(in->env->pool))
        return pool_slab_size(in->env->pool);
    return want * 2 < most ? want * 2 : most;
}

/* The pool is full, but nobody else uses this slab: move up inside it, or let it grow. */
static bool make_room_inside(struct stdin_source *in, size_t begun)
{
    memmove(in->slab->data, in->slab->data + in->start, begun);
    in->start = in->slab->used = 0;
    in->fill = begun;
    if (in->slab->size - in->fill >= ROOM_MIN)
        return true;
    struct slab *larger = slab_grow(in->slab, slab_for(in, begun));
    if (larger != NULL)
        in->slab = larger;
    return larger != NULL;
}

/* Make room behind `fill`: a new slab when this one is nearly full, with the begun line copied to its head. False: wait for the pool. */
static bool have_room(struct stdin_source *in)
{
    size_t begun = in->fill - in->start;
    if (in->slab != NULL && in->slab->size - in->fill >= ROOM_MIN)
        return true;
    struct slab *s = pool_slab(in->env->pool, slab_for(in, begun));
    if (s == NULL && in->slab != NULL && in->slab->refs == 1)
        return make_room_inside(in, begun);
    if (s == NULL)
        return false;
    if (in->slab != NULL) {
        memcpy(s->data, in->slab->data + in->start, begun);
        slab_unref(in->slab);
    }
    in->slab = s;
    in->start = 0;
    in->fill = begun;
    return true;
}

static struct batch *new_batch(struct stdin_source *in)
{
    struct batch *b = batch_new(in->env->pool, in->slab, in->origin);
    if (b == NULL)
        return NULL;
    b->body->base_text = in->slab->data + in->start;
    b->body->base_offset = in->offset;
    batch_read_now(b);
    return b;
}

static void advance(struct stdin_source *in, size_t len)
{
    in->start += len;
    in->offset += len;
    in->slab->used = in->start;
}

/* The line at `start` is longer than allowed, ${len} bytes of it are here; ${ended}: that is all, a terminator follows. */
static int take_long(struct stdin_source *in, struct batch *b, size_t len, bool ended)
{
    size_t max = (size_t)in->set->max_line_bytes;
    int mode = in->set->on_long_line;
    static const char *const words[] = {"truncated", "split", "skipped"};
    log_warn(in->env->scope, "standard input: line at offset %" PRIu64 " is longer than max_line_bytes %zu: %s",
             in->offset, max, words[mode]);
    if (mode == LONG_SKIP)
        stage_dropped(in->env, "long line", 1);
    else
        in->env->stats->truncated++;
    if (mode != LONG_SKIP && lines_add_rest(b, in->slab->data + in->start, max, false) != 0)
        return -1;
    if (mode == LONG_TRUNCATE)
        b->records[b->count - 1].flags |= RECORD_TRUNCATED;
    in->skipping = mode != LONG_SPLIT && !ended;
    advance(in, mode == LONG_SPLIT ? max : len + ended);
    return 0;
}

/* Throw the rest of a long line away. False: it goes on. */
static bool skip_rest(struct stdin_source *in)
{
    const char *from = in->slab->data + in->start;
    const char *stop = memchr(from, '\n', in->fill - in->start);
    advance(in, stop != NULL ? (size_t)(stop + 1 - from) : in->fill - in->start);
    in->skipping = stop == NULL;
    return stop != NULL;
}

/* Cut what is there into records; with ${last} the rest is one too. */
static int cut(struct stdin_source *in, struct batch *b, bool last)
{
    size_t max = (size_t)in->set->max_line_bytes, used, too_long;
    for (;;) {
        if (in->skipping && !skip_rest(in))
            return 0;
        const char *from = in->slab->data + in->start;
        if (lines_add(b, from, in->fill - in->start, max, in->set->strip_cr, &used, &too_long) != 0)
            return -1;
        advance(in, used);
        size_t rest = in->fill - in->start;
        if (too_long > 0 || rest > max) {
            bool ended = too_long > 0;
            if (take_long(in, b, ended ? too_long - 1 : rest, ended) != 0)
                return -1;
            continue;
        }
        if (last && rest > 0) {
            if (lines_add_rest(b, in->slab->data + in->start, rest, in->set->strip_cr) != 0)
                return -1;
            advance(in, rest);
        }
        return 0;
    }
}

/* Pass on what can be cut off. Returns whether anything was pushed. */
static bool hand_on(struct stdin_source *in, bool last)
{
    if (in->slab == NULL || in->fill == in->start)
        return false;
    struct batch *b = new_batch(in);
    if (b == NULL || cut(in, b, last) != 0) {
        struct chunk *c = b != NULL ? &b->chunk : NULL;
        chunk_free(&c);
        fail(in, 0);
        return true;
    }
    if (b->count == 0) {
        struct chunk *c = &b->chunk;
        chunk_free(&c);
        return false;
    }
    batch_weigh(b);
    in->env->stats->records_out += b->count;
    in->env->stats->bytes_out += b->bytes;
    in->wanted = false;
    stream_push(in->stream, &b->chunk);
    return true;
}

static void finish(struct stdin_source *in)
{
    if (in->stopped)
        return;
    in->stopped = true;
    ev_io_stop(loop_ev(in->env->loop), &in->io);
    hand_on(in, true);
    stream_end_push(in->stream);
}

static void run_turn(struct step *s)
{
    struct stdin_source *in = LIST_ENTRY(s, struct stdin_source, turn);
    if (!in->wanted || in->stopped)
        return;
    if (!have_room(in)) {
        ev_io_stop(loop_ev(in->env->loop), &in->io);
        pool_wait(in->env->pool, &in->room);
        return;
    }
    ssize_t n = read(STDIN_FILENO, in->slab->data + in->fill, in->slab->size - in->fill);
    if (n == 0) {
        finish(in);
        return;
    }
    if (n < 0) {
        if (errno != EINTR && errno != EAGAIN)
            fail(in, errno);
        else
            schedule(in);
        return;
    }
    in->fill += (size_t)n;
    if (hand_on(in, false))
        ev_io_stop(loop_ev(in->env->loop), &in->io);
    else
        schedule(in);
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    struct stdin_source *in = w->data;
    loop_defer(in->env->loop, &in->turn);
}

static void on_room(struct pool_waiter *w)
{
    schedule(LIST_ENTRY(w, struct stdin_source, room));
}

static void on_yield(struct pool_filler *f)
{
    struct stdin_source *in = LIST_ENTRY(f, struct stdin_source, filler);
    if (in->slab == NULL || in->fill > in->start)
        return; /* a line is begun in it */
    slab_unref(in->slab);
    in->slab = NULL;
    in->start = in->fill = 0;
}

static void stdin_read(struct stream *s, void *self)
{
    (void)s;
    struct stdin_source *in = self;
    in->wanted = true;
    schedule(in);
}

static void stdin_destroy(struct stream *s, void *self, const struct err *e)
{
    struct stdin_source *in = self;
    in->stopped = true;
    ev_io_stop(loop_ev(in->env->loop), &in->io);
    loop_cancel(in->env->loop, &in->turn);
    pool_leave(&in->room);
    stream_destroy_done(s, e);
}

static void stdin_free(void *self)
{
    struct stdin_source *in = self;
    pool_unfill(&in->filler);
    if (in->slab != NULL)
        slab_unref(in->slab);
    origin_unref(in->origin);
    mem_free(in);
}

static const struct stream_ops ops = {
    .type = "stdin",
    .read = stdin_read,
    .destroy = stdin_destroy,
    .free = stdin_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct stdin_source *in = mem_zalloc(1, sizeof *in);
    if (in == NULL)
        goto err0;
    in->env = env;
    in->set = settings;
    in->origin = origin_new(NULL, NULL, env->host, env->name, env->pipeline);
    if (in->origin == NULL)
        goto err1;
    step_init(&in->turn, run_turn, 0);
    list_init(&in->room.node);
    in->room.wake = on_room;
    ev_io_init(&in->io, on_io, STDIN_FILENO, EV_READ);
    in->io.data = in;
    struct stat st;
    in->pollable = fstat(STDIN_FILENO, &st) == 0 && !S_ISREG(st.st_mode); /* epoll(7) refuses files */
    struct stream_opts o = stage_stream_opts(env);
    in->stream = stream_readable_new(&ops, in, &o, e);
    if (in->stream == NULL)
        goto err2;
    in->filler.yield = on_yield;
    pool_fill(env->pool, &in->filler);
    return in->stream;
err2:
    origin_unref(in->origin);
err1:
    mem_free(in);
err0:
    err_nomem(e);
    return NULL;
}

static void stop(struct stream *s)
{
    finish(stream_self(s));
}

const struct stage stage_stdin = {
    .kind = STAGE_SOURCE,
    .type = "stdin",
    .summary = "Reads lines from standard input.",
    .description =
        "Each line, without its terminator, is a record; so is a last one without terminator. Ends with its input. There is no "
        "checkpoint: what was read and not delivered when weir is killed is gone, because a pipe cannot be read again.",
    .example = "{ \"type\": \"stdin\" }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct stdin_settings),
    .open = open_stage,
    .stop = stop,
};
