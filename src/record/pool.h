/*
 * pool: the hard bound on what a pipeline holds in memory.
 *
 * A pool has a limit in bytes. Slabs (read buffers) and arenas (what was parsed) are charged to it. Only
 * sources ask before they take: pool_slab gives no slab when the limit would be passed, and the source
 * waits until it is woken. What later stages add to data that was let in (an index, a rendering) is always
 * given, and charged: the overshoot is bounded by the expansion of the one slab that passed last, because
 * the next read waits. That makes the bound hard whatever the sinks do.
 *
 * A slab is one ref-counted buffer that may hold the chunks of several reads one behind the other. Everything
 * belongs to the loop's thread.
 */
#ifndef WEIR_RECORD_POOL_H
#define WEIR_RECORD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
struct pool;

#define SLAB_SIZE ((size_t)256 << 10)

struct slab {
    struct pool *pool;
    uint32_t refs;
    size_t size; /* bytes at data */
    size_t used; /* bytes that chunks refer to; the rest is free for its current filler */
    char data[];
};

/* Somebody who waits for room: woken once, from the tick, then to ask again. */
struct pool_waiter {
    struct list node;
    void (*wake)(struct pool_waiter *w);
};

/* Somebody who keeps a slab that it fills on with the next read. When somebody else waits for room it is asked, from the tick,
 * to let go of it: else sources with nothing to do could hold all that one with something to do needs. */
struct pool_filler {
    struct list node;
    void (*yield)(struct pool_filler *f);
};

/* A pool of ${limit} bytes in slabs of ${slab_size}; NULL when there is no memory. */
struct pool *pool_new(struct loop *loop, size_t limit, size_t slab_size);

/* Let go of *${pool} and clear it; it lives on until its last slab and arena are gone. */
void pool_free(struct pool **pool);

/* An empty slab of at least ${size} bytes (0: the pool's slab size) with one reference, or NULL: no room now.
 * A size past the limit is given when nothing is charged but what is kept (pool_keep) and held (pool_hold), so that one
 * long line can pass. */
struct slab *pool_slab(struct pool *pool, size_t size);

/* As pool_slab, also when there is no room: for what was let in before and stands outside memory, where waiting for room could mean to wait for
 * those who wait for it to go on. Whoever takes has one at a time out so. NULL: no memory. */
struct slab *pool_slab_anyway(struct pool *pool, size_t size);

struct slab *slab_ref(struct slab *s);
void slab_unref(struct slab *s);

/* ${s} made larger: at least ${size} bytes, with the same content, perhaps elsewhere; for its only holder. NULL: no room now, ${s} is as it
 * was. A size past the limit is given when nothing but ${s} is charged. */
struct slab *slab_grow(struct slab *s, size_t size);

/* From now on ${f} may be asked to yield, until pool_unfill. */
void pool_fill(struct pool *pool, struct pool_filler *f);
void pool_unfill(struct pool_filler *f);

/* Ask to be woken when room may have come. ${w} may be waiting already. pool_leave cancels. */
void pool_wait(struct pool *pool, struct pool_waiter *w);
void pool_leave(struct pool_waiter *w);

/* Count ${n} bytes in or out that were allocated for data already let in. */
void pool_charge(struct pool *pool, size_t n);
void pool_discharge(struct pool *pool, size_t n);

/* What sources keep of records whose end has not come is charged too, and has a bound of its own, all sources together: a quarter of the
 * limit, so that it cannot stand in the way of the rest. Exchange ${had} such bytes for ${want}. False: that would pass the bound,
 * nothing is changed; somebody who alone keeps anything is never refused, so that one long record can pass. */
bool pool_keep(struct pool *pool, size_t had, size_t want);

/* What a source cannot do its work without (a decoder) is charged and never refused: exchange ${had} such bytes for ${want}. As with what is kept, what comes
 * after it still gets one slab at a time when it alone fills the pool. */
void pool_hold(struct pool *pool, size_t had, size_t want);

/* The limit is ${limit} from now on; what is out stays out. */
void pool_set_limit(struct pool *pool, size_t limit);

/* The most that was charged at a time since this was asked last. */
size_t pool_take_peak(struct pool *pool);

size_t pool_used(const struct pool *pool);
size_t pool_kept(const struct pool *pool);
size_t pool_held(const struct pool *pool);
size_t pool_limit(const struct pool *pool);
size_t pool_slab_size(const struct pool *pool);

#endif
