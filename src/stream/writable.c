/*
 * writable: a queue filled by stream_write and emptied by the write hook, one call in flight.
 *
 *   stream_write → queue → hook → stream_write_done → `drain`, completion → next
 *   stream_end   → … queue empty → final hook → end callbacks, `finish`
 */
#include <assert.h>

#include "stream/internal.h"

void writable_init(struct stream *s, const struct stream_opts *o)
{
    struct writable *w = &s->w;
    w->on = o->writable;
    w->mark = (size_t)o->write_mark;
    w->low_mark = (size_t)o->low_mark;
    list_init(&w->queue);
    list_init(&w->enders);
    list_init(&w->late_ends);
    list_init(&w->late_chunks);
    list_init(&w->dead_chunks);
}

/* ---- writer ---- */

/* What there is to do for the queue as it is now. */
static void wake_writer(struct stream *s)
{
    const struct writable *w = &s->w;
    if (w->in_flight || w->written || w->corked > 0)
        return;
    if (w->count > 0)
        stream_wake(s, WORK_WRITE);
    else if (w->ending && w->final == HOOK_DUE)
        stream_wake(s, WORK_FINAL);
}

bool stream_write(struct stream *s, struct chunk *c, void (*done)(void *arg, const struct err *e),
                  void *arg)
{
    struct writable *w = &s->w;
    c->done = done;
    c->done_arg = arg;
    if (s->destroyed || !w->on || w->ending) {
        bool late = w->ending && !s->destroyed;
        list_push(late ? &w->late_chunks : &w->dead_chunks, &c->queued);
        stream_wake(s, WORK_REFUSED);
        if (late)
            stream_fail(s, ERR_STREAM_WRITE_AFTER_END);
        return false;
    }
    list_push(&w->queue, &c->queued);
    w->length += c->weight;
    w->count++;
    wake_writer(s);
    if (w->length < w->mark)
        return true;
    w->need_drain = true;
    return false;
}

void stream_end(struct stream *s, struct stream_ended *cb)
{
    struct writable *w = &s->w;
    bool late = s->destroyed || w->finished || !w->on;
    if (cb != NULL) {
        list_init(&cb->node);
        list_push(late ? &w->late_ends : &w->enders, &cb->node);
    }
    if (late) {
        if (cb != NULL)
            stream_wake(s, WORK_REFUSED);
        return;
    }
    w->ending = true;
    w->corked = 0;
    wake_writer(s);
}

void stream_cork(struct stream *s)
{
    s->w.corked++;
}

void stream_uncork(struct stream *s)
{
    if (s->w.corked == 0 || --s->w.corked > 0 || s->destroyed)
        return;
    wake_writer(s);
}

/* ---- hook ---- */

static void start(struct writable *w, struct chunk *c)
{
    w->flight_weight += c->weight;
    w->count--;
    if (c->done != NULL)
        w->told[w->told_count++] = (struct completion){c->done, c->done_arg};
}

static void start_all(struct stream *s)
{
    struct writable *w = &s->w;
    struct list batch;
    list_init(&batch);
    for (int i = 0; i < STREAM_WRITEV_MAX && w->told_count < STREAM_WRITEV_DONE; i++) {
        struct list *node = list_shift(&w->queue);
        if (node == NULL)
            break;
        start(w, LIST_ENTRY(node, struct chunk, queued));
        list_push(&batch, node);
    }
    s->ops->writev(s, s->self, &batch);
    assert(list_empty(&batch));
}

void writable_run_write(struct stream *s)
{
    struct writable *w = &s->w;
    if (w->in_flight || w->written || w->corked > 0 || w->count == 0)
        return;
    w->in_flight = true;
    w->flight_weight = 0;
    w->told_count = 0;
    if (s->ops->writev != NULL && (w->count > 1 || s->ops->write == NULL)) {
        start_all(s);
        return;
    }
    struct chunk *c = LIST_ENTRY(list_shift(&w->queue), struct chunk, queued);
    start(w, c);
    if (s->transform)
        transform_start(s, c);
    else
        s->ops->write(s, s->self, c);
}

void stream_write_done(struct stream *s, const struct err *e)
{
    struct writable *w = &s->w;
    if (!w->in_flight) {
        stream_fail(s, ERR_STREAM_DONE_TWICE);
        return;
    }
    w->in_flight = w->held = false;
    w->length -= w->flight_weight;
    w->written = true;
    w->failed = err_is(e);
    if (w->failed) {
        w->error = *e;
        stream_destroy(s, e);
    } else if (s->destroyed) {
        stream_wake(s, WORK_CANCEL);
    }
    stream_wake(s, WORK_WRITTEN);
}

static void tell(struct writable *w, const struct err *e)
{
    for (size_t i = 0; i < w->told_count; i++)
        w->told[i].fn(w->told[i].arg, e);
}

void writable_run_written(struct stream *s)
{
    struct writable *w = &s->w;
    if (w->need_drain && !w->ending && !s->destroyed && w->length <= w->low_mark) {
        w->need_drain = false;
        stream_emit(s, STREAM_DRAIN, NULL, NULL);
    }
    tell(w, w->failed ? &w->error : NULL);
    w->written = false;
    if (!s->destroyed)
        wake_writer(s);
}

/* ---- the end ---- */

void writable_run_final(struct stream *s)
{
    struct writable *w = &s->w;
    if (w->final != HOOK_DUE || w->count > 0 || w->in_flight)
        return;
    w->final = HOOK_RUNNING;
    if (s->transform)
        transform_finish(s);
    else if (s->ops->final != NULL)
        s->ops->final(s, s->self);
    else
        stream_final_done(s, NULL);
}

void stream_final_done(struct stream *s, const struct err *e)
{
    if (s->w.final != HOOK_RUNNING) {
        stream_fail(s, ERR_STREAM_DONE_TWICE);
        return;
    }
    s->w.final = HOOK_DONE;
    if (s->destroyed)
        return;
    if (err_is(e))
        stream_destroy(s, e);
    else
        stream_wake(s, WORK_FINISH);
}

static void call_ended(struct list *enders, const struct err *e)
{
    struct list *node;
    while ((node = list_shift(enders)) != NULL) {
        struct stream_ended *cb = LIST_ENTRY(node, struct stream_ended, node);
        cb->fn(cb->arg, e);
    }
}

void writable_run_finish(struct stream *s)
{
    s->w.finished = true;
    call_ended(&s->w.enders, NULL);
    if (s->destroyed)
        return;
    stream_emit(s, STREAM_FINISH, NULL, NULL);
    if (!s->destroyed)
        stream_settle(s);
}

/* ---- what will not be written ---- */

static void refuse(struct list *chunks, const struct err *e)
{
    struct list *node;
    while ((node = list_shift(chunks)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        void (*done)(void *arg, const struct err *why) = c->done;
        void *arg = c->done_arg;
        chunk_free(&c);
        if (done != NULL)
            done(arg, e);
    }
}

void writable_run_refused(struct stream *s)
{
    struct writable *w = &s->w;
    struct err late = {0}, dead = {0}, end = {0};
    if (!list_empty(&w->late_chunks))
        refuse(&w->late_chunks, stream_err(s, &late, ERR_STREAM_WRITE_AFTER_END));
    if (!list_empty(&w->dead_chunks))
        refuse(&w->dead_chunks, stream_err(s, &dead, ERR_STREAM_DESTROYED));
    if (!list_empty(&w->late_ends))
        call_ended(&w->late_ends,
                   stream_err(s, &end, w->finished ? ERR_STREAM_FINISHED : ERR_STREAM_DESTROYED));
}

void writable_cancel_flight(struct stream *s, const struct err *e)
{
    struct writable *w = &s->w;
    if (!w->in_flight)
        return;
    w->in_flight = w->held = false;
    tell(w, e);
}

void writable_cancel_queue(struct stream *s, const struct err *e)
{
    struct writable *w = &s->w;
    w->length = w->count = 0;
    refuse(&w->queue, e);
    call_ended(&w->enders, e);
}
