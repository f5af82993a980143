/* pipe: data handler on one side, stream_write on the other, a pause between false and `drain`. */
#include "stream/internal.h"

static void on_data(void *arg, struct stream_news *n)
{
    struct stream *from = arg;
    struct chunk *c = stream_take(n);
    if (c == NULL || stream_write(from->pipe.to, c, NULL, NULL))
        return;
    from->pipe.waiting = true;
    stream_pause(from);
}

static void on_drain(void *arg, struct stream_news *n)
{
    (void)n;
    struct stream *from = arg;
    if (!from->pipe.waiting)
        return;
    from->pipe.waiting = false;
    stream_resume(from);
}

static void on_end(void *arg, struct stream_news *n)
{
    (void)n;
    struct stream *from = arg;
    struct stream *to = from->pipe.to;
    bool keep = from->pipe.keep;
    stream_unpipe(from);
    if (!keep)
        stream_end(to, NULL);
}

static void on_gone(void *arg, struct stream_news *n)
{
    (void)n;
    stream_unpipe(arg);
}

int stream_pipe(struct stream *from, struct stream *to, unsigned flags, struct err *e)
{
    struct pipe *p = &from->pipe;
    if (p->to != NULL || !from->r.on || !to->w.on) {
        stream_err(from, e != NULL ? e : &(struct err){0}, ERR_STREAM_PIPED);
        return -1;
    }
    p->to = to;
    p->keep = (flags & STREAM_PIPE_KEEP) != 0;
    stream_on(from, STREAM_DATA, &p->data, on_data, from);
    stream_on(from, STREAM_END, &p->end, on_end, from);
    stream_on(from, STREAM_CLOSE, &p->closed, on_gone, from);
    stream_on(to, STREAM_DRAIN, &p->drain, on_drain, from);
    stream_on(to, STREAM_FINISH, &p->to_finish, on_gone, from);
    stream_on(to, STREAM_CLOSE, &p->to_closed, on_gone, from);
    p->waiting = stream_needs_drain(to);
    if (p->waiting)
        stream_pause(from);
    else
        stream_resume(from);
    return 0;
}

void stream_unpipe(struct stream *from)
{
    struct pipe *p = &from->pipe;
    if (p->to == NULL)
        return;
    p->to = NULL;
    p->waiting = false;
    stream_off(&p->data);
    stream_off(&p->end);
    stream_off(&p->closed);
    stream_off(&p->drain);
    stream_off(&p->to_finish);
    stream_off(&p->to_closed);
    stream_pause(from);
}

struct stream *stream_piped_to(const struct stream *from)
{
    return from->pipe.to;
}
