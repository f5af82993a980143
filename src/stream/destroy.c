/*
 * destroy: the way to `close`.
 *
 *   stream_destroy → (construct done) → cancel what waits → destroy hook → cancel what is in flight
 * → `error` → `close`
 *
 * Queued writes wait behind the one in flight, so that completions keep the order of the writes.
 */
#include "stream/internal.h"

void stream_destroy(struct stream *s, const struct err *e)
{
    if (s->destroyed)
        return;
    s->destroyed = true;
    if (err_is(e)) {
        s->error = *e;
        s->failed = true;
    }
    s->work &= WORK_CONSTRUCT | WORK_WRITTEN | WORK_REFUSED;
    stream_wake(s, WORK_CANCEL | WORK_DESTROY);
}

void stream_fail(struct stream *s, int code)
{
    if (s->destroyed)
        return;
    struct err e = {0};
    stream_destroy(s, stream_err(s, &e, code));
}

/* What a write is told that will not happen. */
static const struct err *reason(const struct stream *s, struct err *own)
{
    return s->failed ? &s->error : stream_err(s, own, ERR_STREAM_DESTROYED);
}

void destroy_run_cancel(struct stream *s)
{
    readable_drop(s);
    struct err e = {0};
    if (!s->w.in_flight)
        writable_cancel_queue(s, reason(s, &e));
}

void destroy_run_hook(struct stream *s)
{
    s->destroy = HOOK_RUNNING;
    const struct err *e = s->failed ? &s->error : NULL;
    if (s->ops->destroy != NULL)
        s->ops->destroy(s, s->self, e);
    else
        stream_destroy_done(s, e);
}

void stream_destroy_done(struct stream *s, const struct err *e)
{
    if (s->destroy != HOOK_RUNNING)
        return;
    s->destroy = HOOK_DONE;
    s->failed = err_is(e);
    if (s->failed && e != &s->error)
        s->error = *e;
    stream_wake(s, WORK_ERROR);
}

/* Is somebody refused who has not been told? That comes first. */
static bool tells(struct stream *s, enum work then)
{
    if ((s->work & WORK_REFUSED) == 0)
        return false;
    stream_wake(s, then);
    return true;
}

void destroy_run_error(struct stream *s)
{
    if (tells(s, WORK_ERROR))
        return;
    struct err e = {0};
    const struct err *why = reason(s, &e);
    writable_cancel_flight(s, why);
    writable_cancel_queue(s, why);
    if (s->failed)
        stream_emit(s, STREAM_ERROR, NULL, &s->error);
    stream_wake(s, WORK_CLOSE);
}

void destroy_run_close(struct stream *s)
{
    if (tells(s, WORK_CLOSE))
        return;
    s->closed = true;
    stream_emit(s, STREAM_CLOSE, NULL, NULL);
}
