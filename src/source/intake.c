#include "source/intake.h"

#include "base/err.h"
#include "record/batch.h"
#include "stage/stage.h"
#include "stream/stream.h"

static void let_go(struct intake *in)
{
    if (in->slab != NULL)
        slab_unref(in->slab);
    in->slab = NULL;
    in->fill = 0;
}

static void on_room(struct pool_waiter *w)
{
    struct intake *in = LIST_ENTRY(w, struct intake, room);
    if (in->wanted && !in->over)
        in->go(in);
}

static void on_yield(struct pool_filler *f)
{
    let_go(LIST_ENTRY(f, struct intake, filler));
}

void intake_init(struct intake *in, struct stage_env *env, void (*go)(struct intake *in),
                 void (*drain)(struct intake *in))
{
    *in = (struct intake){.env = env, .go = go, .drain = drain};
    list_init(&in->room.node);
    in->room.wake = on_room;
    in->filler.yield = on_yield;
    pool_fill(env->pool, &in->filler);
}

void intake_clear(struct intake *in)
{
    pool_leave(&in->room);
    pool_unfill(&in->filler);
    let_go(in);
}

/* A slab of ${need} bytes; for a long record of more, so that it is not another one for each byte that comes. */
static struct slab *new_slab(struct intake *in, size_t need)
{
    struct pool *pool = in->env->pool;
    struct slab *s = need > pool_slab_size(pool) ? pool_slab(pool, need + need / 4) : NULL;
    return s != NULL ? s : pool_slab(pool, need);
}

/* Is the pool full, and not only of what sources keep? What is read now may have to be kept too. */
static bool is_crowded(const struct intake *in)
{
    const struct pool *pool = in->env->pool;
    size_t mine = in->slab->refs == 1 ? in->slab->size : 0;
    return pool_used(pool) > pool_limit(pool) && pool_used(pool) > pool_kept(pool) + mine;
}

char *intake_space(struct intake *in, size_t need, size_t *room)
{
    if (in->slab != NULL && in->slab->refs == 1)
        in->fill = in->slab->used = 0; /* nobody reads in it any more */
    if (in->slab != NULL && in->slab->size - in->fill < need)
        let_go(in);
    if (in->slab == NULL)
        in->slab = new_slab(in, need);
    if (in->slab == NULL || is_crowded(in)) {
        pool_wait(in->env->pool, &in->room);
        return NULL;
    }
    *room = in->slab->size - in->fill;
    return in->slab->data + in->fill;
}

void intake_push(struct intake *in, struct batch *b, size_t len)
{
    struct chunk *c = &b->chunk;
    if (b->count == 0) {
        chunk_free(&c);
        return;
    }
    in->fill += len;
    in->slab->used = in->fill;
    batch_weigh(b);
    in->env->stats->records_out += b->count;
    in->env->stats->bytes_out += b->bytes;
    in->wanted = false;
    stream_push(in->stream, c);
}

bool intake_waits(const struct intake *in)
{
    return !list_empty(&in->room.node);
}

void intake_want(struct intake *in)
{
    in->wanted = true;
    if (!in->over)
        in->go(in);
}

void intake_end(struct intake *in)
{
    if (in->over)
        return;
    in->over = true;
    stream_end_push(in->stream);
}

void intake_fail(struct intake *in, const struct err *e)
{
    in->over = true;
    stream_destroy(in->stream, e);
}

void intake_drain(struct stream *s)
{
    struct intake *in = stream_self(s);
    if (in->over || in->draining)
        return;
    in->draining = true;
    in->drain(in);
}

void intake_close(struct intake *in)
{
    in->over = true;
    pool_leave(&in->room);
}
