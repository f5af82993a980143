/*
 * readable: a queue filled by the read hook and emptied by `data` or stream_read.
 *
 * The hook is asked while the queue is below its mark, or, whatever the mark, when a flowing queue
 * is empty or stream_read found too little. Whoever changes one of these marks WORK_READ;
 * readable_run_read looks again.
 */
#include "stream/internal.h"

void readable_init(struct stream *s, const struct stream_opts *o)
{
    s->r.on = o->readable;
    s->r.mark = (size_t)o->read_mark;
    list_init(&s->r.queue);
}

static bool wants_more(const struct readable *r)
{
    return r->length < r->mark || (r->length == 0 && r->flow == STREAM_FLOWING) || r->demanded;
}

/* What stream_push answers: Node counts an empty queue as having room even at mark 0. */
static bool has_room(const struct readable *r)
{
    return !r->ended && (r->length < r->mark || r->length == 0);
}

static void wake_reader(struct stream *s)
{
    if (!s->r.ended && !s->r.reading && wants_more(&s->r))
        stream_wake(s, WORK_READ);
}

/* ---- producer ---- */

bool stream_push(struct stream *s, struct chunk *c)
{
    struct readable *r = &s->r;
    if (c == NULL)
        return stream_end_push(s);
    if (s->destroyed || !r->on || r->ended || c->weight == 0) {
        bool after_end = r->on && r->ended;
        bool nothing = c->weight == 0 && !after_end;
        chunk_free(&c);
        if (after_end)
            stream_fail(s, ERR_STREAM_PUSH_AFTER_END);
        return nothing ? stream_push_none(s) : false;
    }
    r->reading = false;
    list_push(&r->queue, &c->queued);
    r->length += c->weight;
    r->count++;
    if (s->listening[STREAM_READABLE] > 0)
        stream_wake(s, WORK_READABLE);
    else if (r->flow == STREAM_FLOWING)
        stream_wake(s, WORK_DATA);
    wake_reader(s);
    return has_room(r);
}

bool stream_push_none(struct stream *s)
{
    if (s->destroyed || !s->r.on)
        return false;
    s->r.reading = false;
    if (!s->r.in_hook)
        wake_reader(s);
    return has_room(&s->r);
}

bool stream_end_push(struct stream *s)
{
    struct readable *r = &s->r;
    if (s->destroyed || !r->on || r->ended)
        return false;
    r->reading = false;
    r->ended = true;
    if (s->listening[STREAM_READABLE] > 0)
        stream_wake(s, WORK_READABLE);
    else if (r->flow == STREAM_FLOWING && r->count == 0)
        stream_wake(s, WORK_END);
    return false;
}

void readable_run_read(struct stream *s)
{
    struct readable *r = &s->r;
    if (r->reading || r->ended || !wants_more(r))
        return;
    r->demanded = false;
    if (s->transform && (s->w.held || !s->w.in_flight)) {
        transform_release(s);
        return;
    }
    if (s->ops->read == NULL)
        return;
    r->reading = r->in_hook = true;
    s->ops->read(s, s->self);
    r->in_hook = false;
}

/* ---- consumer ---- */

static struct chunk *shift(struct stream *s)
{
    struct list *node = list_shift(&s->r.queue);
    if (node == NULL)
        return NULL;
    struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
    s->r.length -= c->weight;
    s->r.count--;
    return c;
}

static void wake_end(struct stream *s)
{
    if (s->r.ended && s->r.count == 0 && !s->r.emitted)
        stream_wake(s, WORK_END);
}

void stream_resume(struct stream *s)
{
    if (!s->r.on || s->destroyed || s->r.flow == STREAM_FLOWING ||
        s->listening[STREAM_READABLE] > 0)
        return;
    s->r.flow = STREAM_FLOWING;
    stream_wake(s, WORK_RESUME);
}

void stream_pause(struct stream *s)
{
    if (!s->r.on || s->r.flow == STREAM_PAUSED)
        return;
    s->r.flow = STREAM_PAUSED;
    if (s->listening[STREAM_PAUSE] > 0 && !s->destroyed)
        stream_wake(s, WORK_PAUSE);
}

struct chunk *stream_read(struct stream *s)
{
    struct readable *r = &s->r;
    if (s->destroyed || !r->on)
        return NULL;
    bool for_listeners = s->listening[STREAM_DATA] > 0 && s->listening[STREAM_READABLE] == 0;
    struct chunk *c = NULL;
    if (!for_listeners) {
        c = shift(s);
    } else if (r->flow != STREAM_FLOWING && r->handover < r->count) {
        r->handover++;
        stream_wake(s, WORK_DATA);
    }
    wake_end(s);
    if (r->length < r->mark || r->length == 0)
        r->demanded = true;
    wake_reader(s);
    return c;
}

void readable_run_pause(struct stream *s)
{
    stream_emit(s, STREAM_PAUSE, NULL, NULL);
}

void readable_run_resume(struct stream *s)
{
    stream_emit(s, STREAM_RESUME, NULL, NULL);
    if (s->destroyed || s->r.flow != STREAM_FLOWING)
        return;
    wake_reader(s);
    wake_end(s);
    if (s->r.count > 0)
        stream_wake(s, WORK_DATA);
}

void readable_run_readable(struct stream *s)
{
    if ((s->r.count > 0 || s->r.ended) && !s->r.emitted)
        stream_emit(s, STREAM_READABLE, NULL, NULL);
}

/* One chunk a run: what is downstream gets its turn before the next. */
void readable_run_data(struct stream *s)
{
    struct readable *r = &s->r;
    if (s->listening[STREAM_READABLE] > 0 || (r->flow != STREAM_FLOWING && r->handover == 0))
        return;
    if (r->handover > 0)
        r->handover--;
    struct chunk *c = shift(s);
    if (c == NULL)
        return;
    wake_end(s); /* even if the handler pauses now: nothing is left that could be held back */
    stream_emit(s, STREAM_DATA, &c, NULL);
    chunk_free(&c);
    if (s->destroyed)
        return;
    if (r->count > 0 && (r->flow == STREAM_FLOWING || r->handover > 0))
        stream_wake(s, WORK_DATA);
    wake_reader(s);
}

void readable_run_end(struct stream *s)
{
    struct readable *r = &s->r;
    if (!r->ended || r->count > 0 || r->emitted)
        return;
    r->emitted = true;
    stream_emit(s, STREAM_END, NULL, NULL);
    if (s->destroyed)
        return;
    if (!s->half_open && s->w.on && !s->w.ending)
        stream_end(s, NULL);
    stream_settle(s);
}

void readable_drop(struct stream *s)
{
    struct chunk *c;
    while ((c = shift(s)) != NULL)
        chunk_free(&c);
}

/* ---- listeners ---- */

void readable_listens(struct stream *s, enum stream_event event)
{
    struct readable *r = &s->r;
    if (!r->on || s->destroyed)
        return;
    if (event == STREAM_DATA && r->flow == STREAM_FLOW_UNSET)
        stream_resume(s);
    if (event == STREAM_READABLE) {
        r->flow = STREAM_PAUSED;
        r->demanded = r->demanded || r->length == 0;
        if (r->count > 0 || r->ended)
            stream_wake(s, WORK_READABLE);
        wake_reader(s);
    }
}

void readable_listened(struct stream *s, enum stream_event event)
{
    if (event != STREAM_READABLE || s->destroyed)
        return;
    s->r.flow = STREAM_FLOW_UNSET;
    if (s->listening[STREAM_DATA] > 0)
        stream_resume(s);
}
