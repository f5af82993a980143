#include "agent/queue.h"

#include <inttypes.h>

#include "base/chunk.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define LOG_EVERY 10.0 /* seconds */

struct queue {
    struct stream *stream;
    struct stage_env *env;
    struct list chunks;
    size_t weight;
    uint64_t max_bytes;
    bool drop_oldest, wanted, ending;
    double logged_at;
    uint64_t unlogged;
};

static void drop(struct queue *q, struct chunk *c)
{
    size_t n = chunk_records(c);
    stage_dropped(q->env, "queue full", n);
    q->env->stats->records_in += n;
    q->unlogged += n;
    if (loop_now() >= q->logged_at + LOG_EVERY) {
        log_warn(q->env->scope, "queue full: %" PRIu64 " records dropped (%s)", q->unlogged,
                 q->drop_oldest ? "drop_oldest" : "drop_newest");
        q->logged_at = loop_now();
        q->unlogged = 0;
    }
    chunk_delivered(&c);
}

static struct chunk *shift(struct queue *q)
{
    struct list *node = list_shift(&q->chunks);
    if (node == NULL)
        return NULL;
    struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
    q->weight -= c->weight;
    return c;
}

static void add(struct queue *q, struct chunk *c)
{
    if (!q->drop_oldest && q->weight > 0 && q->weight + c->weight > q->max_bytes) {
        drop(q, c);
        return;
    }
    while (q->weight > 0 && q->weight + c->weight > q->max_bytes)
        drop(q, shift(q));
    list_push(&q->chunks, &c->queued);
    q->weight += c->weight;
}

static void hand_on(struct queue *q)
{
    struct chunk *c;
    while (q->wanted && (c = shift(q)) != NULL) {
        q->wanted = false;
        stream_push(q->stream, c);
    }
    if (q->ending && list_empty(&q->chunks))
        stream_end_push(q->stream);
}

static void queue_write(struct stream *s, void *self, struct chunk *c)
{
    struct queue *q = self;
    add(q, c);
    hand_on(q);
    stream_write_done(s, NULL);
}

static void queue_read(struct stream *s, void *self)
{
    (void)s;
    struct queue *q = self;
    q->wanted = true;
    hand_on(q);
}

static void queue_final(struct stream *s, void *self)
{
    struct queue *q = self;
    q->ending = true;
    hand_on(q);
    stream_final_done(s, NULL);
}

static void queue_destroy(struct stream *s, void *self, const struct err *e)
{
    struct queue *q = self;
    struct chunk *c;
    if (q->unlogged > 0)
        log_warn(q->env->scope, "queue full: %" PRIu64 " records dropped", q->unlogged);
    while ((c = shift(q)) != NULL)
        chunk_free(&c);
    stream_destroy_done(s, e);
}

static const struct stream_ops ops = {
    .type = "queue",
    .read = queue_read,
    .write = queue_write,
    .final = queue_final,
    .destroy = queue_destroy,
    .free = mem_free,
};

struct stream *queue_new(struct stage_env *env, uint64_t max_bytes, bool drop_oldest, struct err *e)
{
    struct queue *q = mem_zalloc(1, sizeof *q);
    if (q == NULL) {
        err_nomem(e);
        return NULL;
    }
    q->env = env;
    q->max_bytes = max_bytes;
    q->drop_oldest = drop_oldest;
    q->logged_at = -LOG_EVERY;
    list_init(&q->chunks);
    struct stream_opts o = stage_stream_opts(env);
    o.write_mark = STREAM_MARK; /* never fills: a write is taken at once */
    o.low_mark = 0;
    struct stream *stream = q->stream = stream_duplex_new(&ops, q, &o, e);
    if (stream == NULL)
        mem_free(q);
    return stream;
}
