/* event: listeners and how they are called. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "stream/internal.h"

static void listen_to(struct stream *s, enum stream_event event, struct listener *l,
                      void (*fn)(void *arg, struct stream_news *n), void *arg)
{
    assert(l->stream == NULL);
    l->fn = fn;
    l->arg = arg;
    l->stream = s;
    l->event = event;
    list_init(&l->node);
    list_push(&s->listeners[event], &l->node);
    s->listening[event]++;
    if (event == STREAM_ERROR && !l->watching)
        s->handlers++;
    readable_listens(s, event);
}

void stream_on(struct stream *s, enum stream_event event, struct listener *l,
               void (*fn)(void *arg, struct stream_news *n), void *arg)
{
    l->watching = false;
    listen_to(s, event, l, fn, arg);
}

void stream_watch(struct stream *s, enum stream_event event, struct listener *l,
                  void (*fn)(void *arg, struct stream_news *n), void *arg)
{
    l->watching = true;
    listen_to(s, event, l, fn, arg);
}

void stream_off(struct listener *l)
{
    struct stream *s = l->stream;
    if (s == NULL)
        return;
    l->stream = NULL;
    list_remove(&l->node);
    s->listening[l->event]--;
    if (l->event == STREAM_ERROR && !l->watching)
        s->handlers--;
    if (s->listening[l->event] == 0)
        readable_listened(s, l->event);
}

/* Several listeners: two marks in the list say where the call is and where it ends, whatever
 * handlers add and remove. Emitting never nests, so that the stream has one pair of them. */
static void call_all(struct stream *s, struct stream_news *n)
{
    struct list *head = &s->listeners[n->event];
    list_before(head->next, &s->here);
    list_push(head, &s->stop);
    while (s->here.next != &s->stop && !(n->event == STREAM_DATA && s->destroyed)) {
        struct list *node = s->here.next;
        list_remove(&s->here);
        list_before(node->next, &s->here);
        struct listener *l = LIST_ENTRY(node, struct listener, node);
        l->fn(l->arg, n);
    }
    list_remove(&s->here);
    list_remove(&s->stop);
}

void stream_emit(struct stream *s, enum stream_event event, struct chunk **chunk,
                 const struct err *e)
{
    struct stream_news n = {s, event, chunk != NULL ? *chunk : NULL, e};
    if (event == STREAM_ERROR && s->handlers == 0) {
        if (s->unhandled == NULL) {
            log_error(s->name, "unhandled stream error: %s", e->text);
            abort();
        }
        s->unhandled(s->unhandled_arg, s, e);
    }
    if (s->listening[event] == 1) {
        struct listener *l = LIST_ENTRY(s->listeners[event].next, struct listener, node);
        l->fn(l->arg, &n);
    } else if (s->listening[event] > 1) {
        call_all(s, &n);
    }
    if (chunk != NULL)
        *chunk = n.chunk;
}

struct chunk *stream_take(struct stream_news *n)
{
    struct chunk *c = n->chunk;
    n->chunk = NULL;
    return c;
}
