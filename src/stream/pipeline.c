/*
 * pipeline: streams that live and fail together.
 *
 * Each part is watched with stream_finished. The first part to fail takes the others along; the
 * last part to close brings the answer.
 */
#include "base/mem.h"
#include "stream/internal.h"

struct pipeline;

struct part {
    struct pipeline *pipeline;
    struct stream *stream; /* NULL: closed */
    struct finished finished;
    struct listener side; /* first: `end`; last: `finish` */
    bool done;            /* that came: what is left of the stream does not matter */
};

struct pipeline {
    void (*fn)(void *arg, const struct err *e);
    void *arg;
    size_t count, open;
    bool failed;
    struct err error;
    struct part part[];
};

static void fail(struct pipeline *p, const struct err *e)
{
    bool better = p->failed && p->error.code == ERR_STREAM_PREMATURE_CLOSE &&
                  e->code != ERR_STREAM_PREMATURE_CLOSE && e->code != ERR_STREAM_DESTROYED;
    if (!p->failed || better)
        p->error = *e;
    if (p->failed)
        return;
    p->failed = true;
    for (size_t i = 0; i < p->count; i++)
        if (p->part[i].stream != NULL)
            stream_destroy(p->part[i].stream, e);
}

/* Did ${part} close while the one in front of it still had data for it? */
static bool stopped_early(const struct pipeline *p, const struct part *part)
{
    const struct part *before = part - 1;
    return part != p->part && before->stream != NULL && !before->stream->r.emitted;
}

static void on_finished(void *arg, struct stream *s, const struct err *e)
{
    struct part *part = arg;
    struct pipeline *p = part->pipeline;
    struct err early = {0};
    part->stream = NULL;
    stream_off(&part->side);
    if (e != NULL && part->done && e->code == ERR_STREAM_PREMATURE_CLOSE)
        e = NULL;
    if (e == NULL && !p->failed && stopped_early(p, part))
        e = stream_err(s, &early, ERR_STREAM_PREMATURE_CLOSE);
    if (e != NULL)
        fail(p, e);
    if (--p->open > 0)
        return;
    if (p->fn != NULL)
        p->fn(p->arg, p->failed ? &p->error : NULL);
    mem_free(p);
}

/* The pipeline's side of its first or last stream is done: a Duplex may still have its other side
 * open. */
static void on_side(void *arg, struct stream_news *n)
{
    struct part *part = arg;
    struct stream *s = n->stream;
    bool first = n->event == STREAM_END;
    bool closes = first ? !s->w.on || s->w.finished || !s->half_open : !s->r.on || s->r.emitted;
    part->done = true;
    if (!closes)
        stream_destroy(s, NULL);
}

static int check(struct stream *const *streams, size_t count, struct err *e)
{
    if (count < 2)
        return err_set(e, ERR_INVALID, "a pipeline needs at least two streams, not %zu", count);
    for (size_t i = 0; i < count; i++) {
        const struct stream *s = streams[i];
        if (!s->auto_destroy)
            return err_set(e, ERR_INVALID, "%s: a stream of a pipeline needs auto_destroy",
                           s->name);
        bool sides = (i == 0 || s->w.on) && (i == count - 1 || (s->r.on && s->pipe.to == NULL));
        if (!sides) {
            stream_err(s, e != NULL ? e : &(struct err){0}, ERR_STREAM_PIPED);
            return -1;
        }
    }
    return 0;
}

int stream_pipeline(struct stream *const *streams, size_t count,
                    void (*fn)(void *arg, const struct err *e), void *arg, struct err *e)
{
    if (check(streams, count, e) != 0)
        return -1;
    struct pipeline *p = mem_zalloc(1, sizeof *p + count * sizeof p->part[0]);
    if (p == NULL)
        return err_nomem(e);
    p->fn = fn;
    p->arg = arg;
    p->count = p->open = count;
    for (size_t i = 0; i < count; i++) {
        struct part *part = &p->part[i];
        part->pipeline = p;
        part->stream = streams[i];
        stream_finished(streams[i], &part->finished, on_finished, part);
        if (i > 0)
            stream_pipe(streams[i - 1], streams[i], 0, NULL); /* checked above */
    }
    stream_on(streams[0], STREAM_END, &p->part[0].side, on_side, &p->part[0]);
    stream_on(streams[count - 1], STREAM_FINISH, &p->part[count - 1].side, on_side,
              &p->part[count - 1]);
    return 0;
}
