#include "base/loop.h"

#include <assert.h>
#include <ev.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

struct loop {
    struct ev_loop *ev;
    ev_prepare before_poll;      /* drains the tick */
    ev_check after_poll;         /* moves next-turn steps into the tick */
    ev_idle no_block;            /* active while a step waits: the poll must not block */
    struct list tick[LOOP_RANKS];
    uint64_t filled[LOOP_RANKS / 64]; /* which of tick[] hold something */
    unsigned queued;             /* steps in tick[] */
    struct list next;
    uint64_t seed; /* 0: in order */
    bool draining, stopping;
};

void step_init(struct step *s, void (*run)(struct step *), unsigned rank)
{
    list_init(&s->queued);
    s->run = run;
    s->rank = (uint8_t)(rank < LOOP_RANKS ? rank : LOOP_RANKS - 1);
    s->pending = s->next_turn = false;
}

static uint64_t next_random(struct loop *loop)
{
    loop->seed ^= loop->seed << 13; /* xorshift64, Marsaglia 2003 */
    loop->seed ^= loop->seed >> 7;
    loop->seed ^= loop->seed << 17;
    return loop->seed;
}

static struct step *take_ranked(struct loop *loop)
{
    for (int w = LOOP_RANKS / 64 - 1; w >= 0; w--)
        if (loop->filled[w] != 0) {
            int rank = w * 64 + 63 - __builtin_clzll(loop->filled[w]);
            return LIST_ENTRY(loop->tick[rank].next, struct step, queued);
        }
    return NULL;
}

static struct step *take_random(struct loop *loop)
{
    uint64_t skip = next_random(loop) % loop->queued;
    for (int rank = 0; rank < LOOP_RANKS; rank++)
        LIST_EACH(node, &loop->tick[rank])
            if (skip-- == 0)
                return LIST_ENTRY(node, struct step, queued);
    return NULL;
}

static void tick_add(struct loop *loop, struct step *s)
{
    list_push(&loop->tick[s->rank], &s->queued);
    loop->filled[s->rank / 64] |= UINT64_C(1) << (s->rank % 64);
    loop->queued++;
}

static void tick_remove(struct loop *loop, struct step *s)
{
    list_remove(&s->queued);
    if (list_empty(&loop->tick[s->rank]))
        loop->filled[s->rank / 64] &= ~(UINT64_C(1) << (s->rank % 64));
    loop->queued--;
}

void loop_tick(struct loop *loop)
{
    assert(!loop->draining);
    loop->draining = true;
    while (loop->queued > 0) {
        struct step *s = loop->seed != 0 ? take_random(loop) : take_ranked(loop);
        tick_remove(loop, s);
        s->pending = false;
        s->run(s);
    }
    loop->draining = false;
}

static void on_idle(struct ev_loop *ev, ev_idle *w, int events)
{
    (void)ev;
    (void)w;
    (void)events;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int events)
{
    (void)events;
    struct loop *loop = w->data;
    loop_tick(loop);
    if (!list_empty(&loop->next))
        ev_idle_start(ev, &loop->no_block);
    else
        ev_idle_stop(ev, &loop->no_block);
}

static void on_check(struct ev_loop *ev, ev_check *w, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = w->data;
    struct list *node;
    while ((node = list_shift(&loop->next)) != NULL) {
        struct step *s = LIST_ENTRY(node, struct step, queued);
        s->next_turn = false;
        tick_add(loop, s);
    }
}

struct loop *loop_new(struct err *e)
{
    struct loop *loop = mem_zalloc(1, sizeof *loop);
    if (loop == NULL)
        goto err0;
    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (loop->ev == NULL)
        goto err1;
    for (int i = 0; i < LOOP_RANKS; i++)
        list_init(&loop->tick[i]);
    list_init(&loop->next);
    ev_prepare_init(&loop->before_poll, on_prepare);
    ev_check_init(&loop->after_poll, on_check);
    ev_idle_init(&loop->no_block, on_idle);
    loop->before_poll.data = loop->after_poll.data = loop;
    ev_set_priority(&loop->before_poll, EV_MINPRI); /* last before the poll */
    ev_prepare_start(loop->ev, &loop->before_poll);
    ev_unref(loop->ev); /* must not keep the loop alive by itself */
    ev_check_start(loop->ev, &loop->after_poll);
    ev_unref(loop->ev);
    return loop;
err1:
    mem_free(loop);
err0:
    err_set(e, ERR_SYSTEM, "cannot create an event loop");
    return NULL;
}

void loop_free(struct loop **loop)
{
    struct loop *dead = *loop;
    *loop = NULL;
    if (dead == NULL)
        return;
    assert(dead->queued == 0 && list_empty(&dead->next));
    ev_ref(dead->ev);
    ev_prepare_stop(dead->ev, &dead->before_poll);
    ev_ref(dead->ev);
    ev_check_stop(dead->ev, &dead->after_poll);
    ev_idle_stop(dead->ev, &dead->no_block);
    ev_loop_destroy(dead->ev);
    mem_free(dead);
}

struct ev_loop *loop_ev(struct loop *loop)
{
    return loop->ev;
}

void loop_defer(struct loop *loop, struct step *s)
{
    if (s->pending)
        return;
    s->pending = true;
    tick_add(loop, s);
}

void loop_next(struct loop *loop, struct step *s)
{
    if (s->pending)
        return;
    s->pending = s->next_turn = true;
    list_push(&loop->next, &s->queued);
}

void loop_cancel(struct loop *loop, struct step *s)
{
    if (!s->pending)
        return;
    s->pending = false;
    if (s->next_turn)
        list_remove(&s->queued);
    else
        tick_remove(loop, s);
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    do /* libev returns when no watcher is left: go on while a step is */
        ev_run(loop->ev, 0);
    while (!loop->stopping && (loop->queued > 0 || !list_empty(&loop->next)));
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
    ev_break(loop->ev, EVBREAK_ALL);
}

bool loop_turn(struct loop *loop)
{
    loop_tick(loop);
    ev_run(loop->ev, EVRUN_NOWAIT);
    loop_tick(loop);
    return loop->queued > 0 || !list_empty(&loop->next);
}

void loop_shuffle(struct loop *loop, uint64_t seed)
{
    loop->seed = seed;
}

double loop_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
