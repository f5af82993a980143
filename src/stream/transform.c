/*
 * transform: a writable side whose hook fills the readable side.
 *
 * Back-pressure crosses here: when the readable side is at its mark after a transform, the write
 * stays in flight (held) until the consumer asks for more. So the write queue fills, stream_write
 * says false, and the pipe in front stops.
 */
#include "stream/internal.h"

void transform_start(struct stream *s, struct chunk *c)
{
    s->ops->transform(s, s->self, c);
}

void stream_transform_done(struct stream *s, const struct err *e)
{
    const struct readable *r = &s->r;
    bool twice = !s->w.in_flight || s->w.held;
    if (twice) {
        stream_fail(s, ERR_STREAM_DONE_TWICE);
        return;
    }
    bool full = r->length > 0 && r->length >= r->mark && !r->ended && !s->destroyed;
    if (full && !err_is(e))
        s->w.held = true;
    else
        stream_write_done(s, e);
}

void transform_release(struct stream *s)
{
    if (!s->w.held)
        return;
    s->w.held = false;
    stream_write_done(s, NULL);
}

void transform_finish(struct stream *s)
{
    if (s->ops->flush != NULL)
        s->ops->flush(s, s->self);
    else
        stream_flush_done(s, NULL);
}

void stream_flush_done(struct stream *s, const struct err *e)
{
    if (s->w.final == HOOK_RUNNING && !err_is(e))
        stream_end_push(s);
    stream_final_done(s, e);
}
