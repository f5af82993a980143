/* The stdin source: lines from standard input. */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/feed.h"
#include "source/frames.h"
#include "source/intake.h"
#include "stage/stage.h"
#include "stream/stream.h"

/* How it is read: pipes and terminals when the kernel says so, files (which epoll(7) refuses) turn by turn. */
struct stdin_source {
    struct intake intake;
    struct feed feed;
    bool pollable;
    ev_io io;
    struct step turn;
};

/* A settings struct of its own, so that its rows are those of all that cut lines. */
struct stdin_settings {
    struct frames_options frames;
};

static const struct option options[] = {
    FRAMES_OPTIONS(struct stdin_settings, frames),
    {0},
};

static struct ev_loop *loop_of(const struct stdin_source *in)
{
    return loop_ev(in->intake.env->loop);
}

static void schedule(struct intake *intake)
{
    struct stdin_source *in = LIST_ENTRY(intake, struct stdin_source, intake);
    if (in->pollable)
        ev_io_start(loop_of(in), &in->io);
    else
        loop_next(intake->env->loop, &in->turn);
}

static void fail(struct stdin_source *in, int errnum)
{
    struct err e = {0};
    if (errnum != 0)
        err_sys(&e, errnum, "cannot read standard input");
    else
        err_nomem(&e);
    intake_fail(&in->intake, &e);
}

/* ${len} bytes came; ${last}: they are the last ones. */
static void take(struct stdin_source *in, size_t len, bool last)
{
    if (feed_take(&in->feed, &in->intake, len, last) == FEED_NOMEM)
        fail(in, 0);
    else if (last)
        intake_end(&in->intake);
}

static void run_turn(struct step *s)
{
    struct stdin_source *in = LIST_ENTRY(s, struct stdin_source, turn);
    size_t room;
    if (!in->intake.wanted || in->intake.over)
        return;
    ev_io_stop(loop_of(in), &in->io);
    char *to = feed_space(&in->feed, &in->intake, &room);
    if (to == NULL)
        return; /* schedule follows */
    ssize_t n = in->intake.draining ? 0 : read(STDIN_FILENO, to, room);
    if (n >= 0)
        take(in, (size_t)n, n == 0);
    else if (errno != EINTR && errno != EAGAIN)
        fail(in, errno);
    if (in->intake.wanted && !in->intake.over)
        schedule(&in->intake);
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    struct stdin_source *in = w->data;
    loop_defer(in->intake.env->loop, &in->turn);
}

static void stdin_read(struct stream *s, void *self)
{
    (void)s;
    struct stdin_source *in = self;
    intake_want(&in->intake);
}

static void stdin_destroy(struct stream *s, void *self, const struct err *e)
{
    struct stdin_source *in = self;
    intake_close(&in->intake);
    ev_io_stop(loop_of(in), &in->io);
    loop_cancel(in->intake.env->loop, &in->turn);
    stream_destroy_done(s, e);
}

static void stdin_free(void *self)
{
    struct stdin_source *in = self;
    feed_clear(&in->feed, &in->intake);
    intake_clear(&in->intake);
    mem_free(in);
}

static const struct stream_ops ops = {
    .type = "stdin",
    .read = stdin_read,
    .destroy = stdin_destroy,
    .free = stdin_free,
};

/* The begun line is the last one. It needs a place in a slab: if the pool has none now, as soon as it has. */
static void drain(struct intake *intake)
{
    struct stdin_source *in = LIST_ENTRY(intake, struct stdin_source, intake);
    intake->wanted = true;
    loop_defer(intake->env->loop, &in->turn);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct stdin_source *in = mem_zalloc(1, sizeof *in);
    struct origin *origin = origin_new(NULL, NULL, env->host, env->name, env->pipeline);
    struct stat st;
    struct stream_opts o = stage_stream_opts(env);
    if (in == NULL || origin == NULL) {
        err_nomem(e);
        goto err0;
    }
    const struct stdin_settings *set = settings;
    intake_init(&in->intake, env, schedule, drain);
    feed_init(&in->feed, &set->frames, false, origin, "standard input", NULL);
    step_init(&in->turn, run_turn, 0);
    ev_io_init(&in->io, on_io, STDIN_FILENO, EV_READ);
    in->io.data = in;
    in->pollable = fstat(STDIN_FILENO, &st) == 0 && !S_ISREG(st.st_mode);
    in->intake.stream = stream_readable_new(&ops, in, &o, e);
    if (in->intake.stream == NULL)
        goto err1;
    origin_unref(origin);
    return in->intake.stream;
err1:
    feed_clear(&in->feed, &in->intake);
    intake_clear(&in->intake);
err0:
    origin_unref(origin);
    mem_free(in);
    return NULL;
}

static void claim(const void *settings, char *out, size_t size)
{
    (void)settings;
    snprintf(out, size, "standard input");
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
    .claim = claim,
    .open = open_stage,
    .stop = intake_drain,
};
