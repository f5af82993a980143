/* finished: one answer to how a stream ended. */
#include "stream/internal.h"

const struct err *stream_outcome(const struct stream *s, struct err *e)
{
    if (s->failed)
        return &s->error;
    if ((s->r.on && !s->r.emitted) || (s->w.on && !s->w.finished))
        return stream_err(s, e, ERR_STREAM_PREMATURE_CLOSE);
    return NULL;
}

static void answer(struct finished *f)
{
    struct stream *s = f->stream;
    stream_finished_cancel(f);
    struct err e = {0};
    f->fn(f->arg, s, stream_outcome(s, &e));
}

static void on_close(void *arg, struct stream_news *n)
{
    (void)n;
    answer(arg);
}

/* `close` follows at once; listening is what counts. */
static void on_error(void *arg, struct stream_news *n)
{
    (void)arg;
    (void)n;
}

static void run_later(struct step *step)
{
    answer(LIST_ENTRY(step, struct finished, later));
}

void stream_finished(struct stream *s, struct finished *f,
                     void (*fn)(void *arg, struct stream *s, const struct err *e), void *arg)
{
    f->fn = fn;
    f->arg = arg;
    f->stream = s;
    step_init(&f->later, run_later, s->step.rank);
    if (s->closed) {
        loop_defer(s->loop, &f->later);
        return;
    }
    stream_on(s, STREAM_CLOSE, &f->closed, on_close, f);
    stream_on(s, STREAM_ERROR, &f->failed, on_error, f);
}

void stream_finished_cancel(struct finished *f)
{
    if (f->stream == NULL)
        return;
    if (f->later.pending)
        loop_cancel(f->stream->loop, &f->later);
    stream_off(&f->closed);
    stream_off(&f->failed);
    f->stream = NULL;
}
