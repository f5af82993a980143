/* look: the state of a stream, for metrics, tests and those who decide by it. */
#include "stream/internal.h"

void *stream_self(const struct stream *s)
{
    return s->self;
}

struct loop *stream_loop(const struct stream *s)
{
    return s->loop;
}

const char *stream_name(const struct stream *s)
{
    return s->name;
}

unsigned stream_rank(const struct stream *s)
{
    return s->step.rank;
}

bool stream_has_readable(const struct stream *s)
{
    return s->r.on;
}

bool stream_has_writable(const struct stream *s)
{
    return s->w.on;
}

enum stream_flow stream_flowing(const struct stream *s)
{
    return s->r.flow;
}

size_t stream_readable_length(const struct stream *s)
{
    return s->r.length;
}

size_t stream_readable_queued(const struct stream *s)
{
    return s->r.count;
}

size_t stream_readable_mark(const struct stream *s)
{
    return s->r.mark;
}

bool stream_is_ended(const struct stream *s)
{
    return s->r.emitted;
}

bool stream_is_aborted(const struct stream *s)
{
    return s->r.on && s->destroyed && !s->r.emitted;
}

size_t stream_writable_length(const struct stream *s)
{
    return s->w.length;
}

size_t stream_writable_queued(const struct stream *s)
{
    return s->w.count;
}

size_t stream_writable_mark(const struct stream *s)
{
    return s->w.mark;
}

bool stream_needs_drain(const struct stream *s)
{
    return s->w.need_drain && !s->w.ending && !s->destroyed;
}

unsigned stream_corked(const struct stream *s)
{
    return s->w.corked;
}

bool stream_is_ending(const struct stream *s)
{
    return s->w.ending;
}

bool stream_is_finished(const struct stream *s)
{
    return s->w.finished;
}

bool stream_is_destroyed(const struct stream *s)
{
    return s->destroyed;
}

bool stream_is_closed(const struct stream *s)
{
    return s->closed;
}

const struct err *stream_error(const struct stream *s)
{
    return s->failed ? &s->error : NULL;
}
