/* stream: creation, the step that does the due work, and the memory. */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "stream/internal.h"

struct stream_opts stream_defaults(struct loop *loop)
{
    return (struct stream_opts){
        .loop = loop,
        .read_mark = STREAM_MARK,
        .write_mark = STREAM_MARK,
        .readable = true,
        .writable = true,
        .half_open = true,
        .auto_destroy = true,
    };
}

void stream_discard(struct stream *s)
{
    assert(list_empty(&s->r.queue) && list_empty(&s->w.queue));
    loop_cancel(s->loop, &s->step);
    for (int i = 0; i < STREAM_EVENTS; i++) {
        LIST_EACH(node, &s->listeners[i])
        stream_off(LIST_ENTRY(node, struct listener, node));
    }
    if (s->w.told != &s->w.one)
        mem_free(s->w.told);
    if (s->ops->free != NULL)
        s->ops->free(s->self);
    mem_free(s);
}

/* What may be done now: before the construct hook is done only that, after destroy only what leads
 * to close. */
static unsigned allowed(const struct stream *s)
{
    if (s->construct != HOOK_DONE)
        return WORK_CONSTRUCT | WORK_REFUSED;
    if (s->destroyed)
        return WORK_WRITTEN | WORK_CANCEL | WORK_REFUSED | WORK_DESTROY | WORK_ERROR | WORK_CLOSE;
    return (1u << WORK_KINDS) - 1;
}

static void run(struct step *step)
{
    static void (*const kinds[WORK_KINDS])(struct stream *) = {
        construct_run,         writable_run_write, writable_run_written, writable_run_final,
        writable_run_finish,   readable_run_pause, readable_run_resume,  readable_run_read,
        readable_run_readable, readable_run_data,  readable_run_end,     destroy_run_cancel,
        writable_run_refused,  destroy_run_hook,   destroy_run_error,    destroy_run_close,
    };
    struct stream *s = LIST_ENTRY(step, struct stream, step);
    s->running = true;
    unsigned later = (1u << WORK_KINDS) - 1; /* kinds whose turn is to come in this run */
    unsigned due;
    while ((due = s->work & allowed(s) & later) != 0) {
        unsigned kind = (unsigned)__builtin_ctz(due);
        s->work &= ~(1u << kind);
        later = ~((2u << kind) - 1);
        kinds[kind](s);
    }
    s->running = false;
    if ((s->work & allowed(s)) != 0)
        loop_defer(s->loop, &s->step);
    else if (s->freed && s->closed)
        stream_discard(s);
}

void stream_wake(struct stream *s, unsigned work)
{
    s->work |= work;
    if (!s->running && (s->work & allowed(s)) != 0)
        loop_defer(s->loop, &s->step);
}

static int check(const struct stream_opts *o, const char *name, struct err *e)
{
    if (o->read_mark < 0)
        return err_set(e, ERR_INVALID, "%s: read_mark is %lld, must be 0 or more", name,
                       (long long)o->read_mark);
    if (o->write_mark < 0)
        return err_set(e, ERR_INVALID, "%s: write_mark is %lld, must be 0 or more", name,
                       (long long)o->write_mark);
    if (o->low_mark < 0 || o->low_mark > o->write_mark)
        return err_set(e, ERR_INVALID, "%s: low_mark is %lld, must be 0 to write_mark (%lld)", name,
                       (long long)o->low_mark, (long long)o->write_mark);
    return 0;
}

static struct stream *create(const struct stream_ops *ops, void *self, const struct stream_opts *o,
                             struct err *e)
{
    const char *name = o->name != NULL ? o->name : ops->type != NULL ? ops->type : "stream";
    if (check(o, name, e) != 0)
        return NULL;
    struct stream *s = mem_zalloc(1, sizeof *s);
    if (s == NULL)
        goto err0;
    s->w.told = &s->w.one;
    if (ops->writev != NULL) {
        s->w.told = mem_zalloc(STREAM_WRITEV_DONE, sizeof *s->w.told);
        if (s->w.told == NULL)
            goto err1;
    }
    snprintf(s->name, sizeof s->name, "%s", name);
    s->loop = o->loop;
    s->ops = ops;
    s->self = self;
    s->half_open = o->half_open;
    s->auto_destroy = o->auto_destroy;
    s->unhandled = o->unhandled;
    s->unhandled_arg = o->unhandled_arg;
    for (int i = 0; i < STREAM_EVENTS; i++)
        list_init(&s->listeners[i]);
    list_init(&s->here);
    list_init(&s->stop);
    readable_init(s, o);
    writable_init(s, o);
    step_init(&s->step, run, o->rank);
    s->construct = ops->construct != NULL ? HOOK_DUE : HOOK_DONE;
    if (s->construct == HOOK_DUE)
        stream_wake(s, WORK_CONSTRUCT);
    return s;
err1:
    mem_free(s);
err0:
    err_nomem(e);
    return NULL;
}

struct stream *stream_readable_new(const struct stream_ops *ops, void *self,
                                   const struct stream_opts *o, struct err *e)
{
    assert(ops->write == NULL && ops->writev == NULL && ops->final == NULL &&
           ops->transform == NULL);
    struct stream_opts one_sided = *o;
    one_sided.readable = true;
    one_sided.writable = false;
    return create(ops, self, &one_sided, e);
}

struct stream *stream_writable_new(const struct stream_ops *ops, void *self,
                                   const struct stream_opts *o, struct err *e)
{
    assert((ops->write != NULL || ops->writev != NULL) && ops->read == NULL &&
           ops->transform == NULL);
    struct stream_opts one_sided = *o;
    one_sided.readable = false;
    one_sided.writable = true;
    return create(ops, self, &one_sided, e);
}

struct stream *stream_duplex_new(const struct stream_ops *ops, void *self,
                                 const struct stream_opts *o, struct err *e)
{
    assert((ops->write != NULL || ops->writev != NULL || !o->writable) && ops->transform == NULL);
    return create(ops, self, o, e);
}

struct stream *stream_transform_new(const struct stream_ops *ops, void *self,
                                    const struct stream_opts *o, struct err *e)
{
    assert(ops->transform != NULL && ops->write == NULL &&
           ops->writev == NULL && ops->final == NULL);
    struct stream *s = create(ops, self, o, e);
    if (s != NULL)
        s->transform = true;
    return s;
}

void construct_run(struct stream *s)
{
    s->construct = HOOK_RUNNING;
    s->ops->construct(s, s->self);
}

void stream_construct_done(struct stream *s, const struct err *e)
{
    if (s->construct != HOOK_RUNNING) {
        stream_fail(s, ERR_STREAM_DONE_TWICE);
        return;
    }
    s->construct = HOOK_DONE;
    if (err_is(e) && s->destroyed && !s->failed) { /* it was told to stop while it failed: say so */
        s->error = *e;
        s->failed = true;
    }
    if (err_is(e))
        stream_destroy(s, e);
    stream_wake(s, 0);
}

void stream_settle(struct stream *s)
{
    if (s->auto_destroy && (!s->r.on || s->r.emitted) && (!s->w.on || s->w.finished))
        stream_destroy(s, NULL);
}

void stream_free(struct stream **s)
{
    struct stream *dead = *s;
    *s = NULL;
    if (dead == NULL)
        return;
    dead->freed = true;
    stream_destroy(dead, NULL);
    if (dead->closed && !dead->running && (dead->work & allowed(dead)) == 0)
        stream_discard(dead);
}
