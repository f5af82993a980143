#include "record/pool.h"

#include <assert.h>
#include <ev.h>

#include "base/loop.h"
#include "base/mem.h"

/* Slabs kept for the next read, so that a busy source does not map and fault in fresh memory for each. */
#define SPARE_MAX 4

#define KEPT_SHARE 4 /* a quarter of the limit may be kept of records that are not whole yet */

#define NOMEM_DELAY 0.25 /* seconds until somebody tries again for whom the machine had no memory, and nobody has any to give back */

struct pool {
    struct loop *loop;
    size_t limit, slab_size;
    size_t used;     /* charged now: slabs in use, arenas, indices, what is kept and held */
    size_t peak;     /* the most of that since it was asked for */
    size_t kept;     /* of records whose end has not come */
    size_t held;     /* by what sources need for their work */
    bool released;   /* its owner is gone */
    struct list waiters, fillers;
    struct step wake, ask;
    ev_timer again;
    struct slab *spare[SPARE_MAX];
    unsigned spares;
};

static void wake_all(struct step *s)
{
    struct pool *pool = LIST_ENTRY(s, struct pool, wake);
    struct list ready;
    list_init(&ready);
    list_splice(&ready, &pool->waiters);
    struct list *node;
    while ((node = list_shift(&ready)) != NULL) {
        struct pool_waiter *w = LIST_ENTRY(node, struct pool_waiter, node);
        w->wake(w);
    }
}

/* Somebody waits: whoever keeps a slab for later lets go of it. */
static void ask_all(struct step *s)
{
    struct pool *pool = LIST_ENTRY(s, struct pool, ask);
    LIST_EACH(node, &pool->fillers) {
        struct pool_filler *f = LIST_ENTRY(node, struct pool_filler, node);
        f->yield(f);
    }
    if (pool->used > pool->kept || list_empty(&pool->waiters) || ev_is_active(&pool->again))
        return;
    ev_timer_set(&pool->again, NOMEM_DELAY, 0.);
    ev_timer_start(loop_ev(pool->loop), &pool->again);
}

static void on_again(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct pool *pool = w->data;
    loop_defer(pool->loop, &pool->wake);
}

struct pool *pool_new(struct loop *loop, size_t limit, size_t slab_size)
{
    struct pool *pool = mem_zalloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->loop = loop;
    pool->limit = limit;
    pool->slab_size = slab_size;
    list_init(&pool->waiters);
    list_init(&pool->fillers);
    step_init(&pool->wake, wake_all, 0);
    step_init(&pool->ask, ask_all, 0);
    ev_timer_init(&pool->again, on_again, 0., 0.);
    pool->again.data = pool;
    return pool;
}

static void drop_if_unused(struct pool *pool)
{
    if (!pool->released || pool->used > 0)
        return;
    mem_free(pool);
}

void pool_free(struct pool **pool)
{
    struct pool *dead = *pool;
    *pool = NULL;
    if (dead == NULL)
        return;
    assert(list_empty(&dead->waiters) && list_empty(&dead->fillers));
    loop_cancel(dead->loop, &dead->wake);
    loop_cancel(dead->loop, &dead->ask);
    ev_timer_stop(loop_ev(dead->loop), &dead->again);
    while (dead->spares > 0)
        mem_free(dead->spare[--dead->spares]);
    dead->released = true;
    drop_if_unused(dead);
}

static bool has_room(const struct pool *pool, size_t size)
{
    return pool->used == pool->kept + pool->held || (pool->used < pool->limit && pool->limit - pool->used >= size);
}

struct slab *pool_slab_anyway(struct pool *pool, size_t size)
{
    if (size < pool->slab_size)
        size = pool->slab_size;
    struct slab *s;
    if (size == pool->slab_size && pool->spares > 0)
        s = pool->spare[--pool->spares];
    else
        s = mem_alloc(sizeof *s + size);
    if (s == NULL)
        return NULL;
    s->pool = pool;
    s->refs = 1;
    s->size = size;
    s->used = 0;
    pool_charge(pool, size);
    return s;
}

struct slab *pool_slab(struct pool *pool, size_t size)
{
    if (!has_room(pool, size < pool->slab_size ? pool->slab_size : size))
        return NULL;
    return pool_slab_anyway(pool, size);
}

struct slab *slab_ref(struct slab *s)
{
    s->refs++;
    return s;
}

void slab_unref(struct slab *s)
{
    assert(s->refs > 0);
    if (--s->refs > 0)
        return;
    struct pool *pool = s->pool;
    size_t size = s->size;
    if (!pool->released && size == pool->slab_size && pool->spares < SPARE_MAX)
        pool->spare[pool->spares++] = s;
    else
        mem_free(s);
    pool_discharge(pool, size);
}

struct slab *slab_grow(struct slab *s, size_t size)
{
    struct pool *pool = s->pool;
    size_t before = s->size;
    assert(s->refs == 1);
    pool->used -= before;
    struct slab *larger = has_room(pool, size) ? mem_realloc(s, sizeof *s + size) : NULL;
    if (larger != NULL)
        larger->size = size;
    pool->used += larger != NULL ? size : before;
    return larger;
}

void pool_fill(struct pool *pool, struct pool_filler *f)
{
    list_push(&pool->fillers, &f->node);
}

void pool_unfill(struct pool_filler *f)
{
    list_remove(&f->node);
}

void pool_wait(struct pool *pool, struct pool_waiter *w)
{
    if (!list_empty(&w->node))
        return;
    list_push(&pool->waiters, &w->node);
    loop_defer(pool->loop, &pool->ask);
}

void pool_leave(struct pool_waiter *w)
{
    list_remove(&w->node);
}

void pool_charge(struct pool *pool, size_t n)
{
    pool->used += n;
    if (pool->used > pool->peak)
        pool->peak = pool->used;
}

size_t pool_take_peak(struct pool *pool)
{
    size_t peak = pool->peak;
    pool->peak = pool->used;
    return peak;
}

void pool_discharge(struct pool *pool, size_t n)
{
    assert(pool->used >= n);
    pool->used -= n;
    if (pool->released)
        drop_if_unused(pool);
    else if (!list_empty(&pool->waiters))
        loop_defer(pool->loop, &pool->wake);
}

bool pool_keep(struct pool *pool, size_t had, size_t want)
{
    assert(pool->kept >= had);
    size_t others = pool->kept - had, most = pool->limit / KEPT_SHARE;
    if (want > had && others > 0 && (others > most || want > most - others))
        return false;
    pool->kept = others + want;
    pool_charge(pool, want);
    pool_discharge(pool, had);
    return true;
}

void pool_hold(struct pool *pool, size_t had, size_t want)
{
    assert(pool->held >= had);
    pool->held += want - had;
    pool_charge(pool, want);
    pool_discharge(pool, had);
}

void pool_set_limit(struct pool *pool, size_t limit)
{
    pool->limit = limit;
    if (!list_empty(&pool->waiters))
        loop_defer(pool->loop, &pool->wake);
}

size_t pool_used(const struct pool *pool)
{
    return pool->used;
}

size_t pool_kept(const struct pool *pool)
{
    return pool->kept;
}

size_t pool_held(const struct pool *pool)
{
    return pool->held;
}

size_t pool_limit(const struct pool *pool)
{
    return pool->limit;
}

size_t pool_slab_size(const struct pool *pool)
{
    return pool->slab_size;
}
