/* The way out of a disk queue: see disk_queue_state.h. */
#include <inttypes.h>

#include "agent/disk_queue_state.h"
#include "base/chunk.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/pack.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define AGAIN 1.0 /* seconds until a spool that cannot be read is read again */

/* An entry that was handed on. */
struct handed {
    struct ticket ticket;
    struct list node;
    struct disk_queue *queue;
    uint64_t end, end_record; /* place and number behind it */
    uint32_t records;
    uint32_t length;
    bool delivered;
};

/* ---- tickets ----------------------------------------------------------------------------------- */

/* Everything up to the first that is not delivered is done with. One that failed stays: it is sent again after the next start. */
static void advance(struct disk_queue *q)
{
    bool moved = false;
    LIST_EACH(node, &q->handed) {
        struct handed *h = LIST_ENTRY(node, struct handed, node);
        if (!h->delivered)
            break;
        spool_acked(&q->spool, h->end, h->end_record);
        q->env->stats->records_out += h->records;
        q->env->stats->bytes_out += h->length;
        list_remove(node);
        mem_free(h);
        moved = true;
    }
    if (moved)
        disk_queue_acked(q);
}

static void settled(struct ticket *t, bool delivered)
{
    struct handed *h = LIST_ENTRY(t, struct handed, ticket);
    struct disk_queue *q = h->queue;
    h->delivered = delivered;
    q->out--;
    advance(q);
    if (q->closing)
        disk_queue_close_if_done(q);
    else if (q->wanted)
        loop_next(q->env->loop, &q->more); /* what waited for room may go on */
}

static struct handed *add_handed(struct disk_queue *q, uint64_t end, uint64_t end_record)
{
    struct handed *h = mem_zalloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->ticket.settled = settled;
    h->queue = q;
    h->end = end;
    h->end_record = end_record;
    list_push(&q->handed, &h->node);
    return h;
}

/* Nothing that counts is left to read: what was passed over at the end is done with when what is in front of it is. */
static int pass_to_end(struct disk_queue *q)
{
    struct spool *s = &q->spool;
    uint64_t last = list_empty(&q->handed) ? s->acked : LIST_ENTRY(q->handed.prev, struct handed, node)->end;
    if (s->read_at <= last)
        return 0;
    struct handed *h = add_handed(q, s->read_at, s->read_record);
    if (h == NULL)
        return -1;
    h->delivered = true;
    advance(q);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void nomem(struct disk_queue *q)
{
    struct err e = {0};
    err_nomem(&e);
    stream_destroy(q->stream, &e);
}

void disk_queue_out_clear(struct disk_queue *q)
{
    if (q->slab != NULL)
        slab_unref(q->slab);
    q->slab = NULL;
}

/* A slab to read ${size} bytes to. NULL: later, if ${later} is set; else no memory. */
static struct slab *get_slab(struct disk_queue *q, size_t size, bool *later)
{
    struct slab *slab = pool_slab(q->env->pool, size);
    *later = false;
    if (slab == NULL && q->out == 0)
        return pool_slab_anyway(q->env->pool, size);
    if (slab == NULL) {
        *later = true;
        pool_wait(q->env->pool, &q->waiter);
    }
    return slab;
}

static void count_lost(struct disk_queue *q)
{
    uint64_t lost = q->spool.lost_records;
    stage_dropped(q->env, "damaged in the queue", lost - q->lost);
    q->lost = lost;
}

/* Read the next piece. Says what there is now: SPOOL_READ, SPOOL_EMPTY, or SPOOL_TROUBLE: not now. */
static enum spool_read read_more(struct disk_queue *q)
{
    size_t size = 0;
    for (;;) {
        bool later;
        disk_queue_out_clear(q);
        if (q->spool.read_at >= q->spool.durable && size == 0) { /* not worth a slab */
            enum spool_read end = spool_read(&q->spool, NULL, 0, &q->got);
            count_lost(q);
            return end;
        }
        q->slab = get_slab(q, size, &later);
        if (q->slab == NULL) {
            if (!later)
                nomem(q);
            return SPOOL_TROUBLE;
        }
        enum spool_read result = spool_read(&q->spool, q->slab->data, q->slab->size, &q->got);
        count_lost(q);
        q->slab->used = q->got.len;
        switch (result) {
        case SPOOL_ROOM: size = q->got.need; continue;
        case SPOOL_SKIPPED: continue;
        case SPOOL_READ: return SPOOL_READ;
        case SPOOL_TROUBLE:
            ev_timer_set(&q->again, AGAIN, 0.);
            ev_timer_start(loop_ev(q->env->loop), &q->again);
            break;
        case SPOOL_EMPTY: break;
        }
        disk_queue_out_clear(q);
        return result;
    }
}

/* ---- handing on -------------------------------------------------------------------------------- */

/* The chunk of ${entry}, with a ticket. NULL: it is none (counted; *${rc} 0), or there is no memory (*${rc} -1). */
static struct chunk *make_chunk(struct disk_queue *q, const struct spool_entry *entry, int *rc)
{
    struct chunk *c;
    struct handed *h = add_handed(q, entry->at + spool_entry_bytes(entry->length), entry->first + entry->records);
    *rc = h != NULL ? 0 : -1;
    if (h == NULL)
        return NULL;
    h->length = entry->length;
    enum unpack_result result = unpack(q->env->pool, q->slab, entry->payload, entry->length, (enum pack_kind)entry->kind,
                                       entry->records, &q->origin, &c);
    if (result == UNPACK_OK && ticket_set_add(chunk_tickets(c), &h->ticket) == 0) {
        h->records = entry->records;
        q->out++;
        return c;
    }
    if (result == UNPACK_BAD) { /* its CRC is right: written by another version, or by somebody else */
        log_error(q->env->scope, "%s: the entry at %" PRIu64 " is not known to this version: %" PRIu32 " records are lost", q->path,
                  entry->at, entry->records);
        stage_dropped(q->env, "damaged in the queue", entry->records);
        h->delivered = true;
        advance(q);
        return NULL;
    }
    if (result == UNPACK_OK)
        chunk_free(&c);
    list_remove(&h->node);
    mem_free(h);
    *rc = -1;
    return NULL;
}

/* The next entry of what was read. False: there is none, or the stream fails. */
static bool hand_on_one(struct disk_queue *q)
{
    struct spool_entry entry;
    int rc;
    if (q->slab == NULL || !spool_next(&q->got, &entry)) {
        disk_queue_out_clear(q);
        return false;
    }
    struct chunk *c = make_chunk(q, &entry, &rc);
    if (rc != 0)
        nomem(q);
    if (c != NULL) {
        q->wanted = false;
        stream_push(q->stream, c);
    }
    return rc == 0;
}

/* Everything was read. */
static void at_end(struct disk_queue *q)
{
    if (pass_to_end(q) != 0) {
        nomem(q);
        return;
    }
    if (q->past && q->held != NULL && !q->busy && q->spool.end == q->spool.durable) {
        struct chunk *c = q->held; /* with the tickets it came with */
        q->env->stats->records_in += chunk_records(c);
        q->env->stats->records_out += chunk_records(c);
        q->held = NULL;
        q->past = q->wanted = false;
        stream_push(q->stream, c);
        stream_write_done(q->stream, NULL);
    } else if (q->settled && !q->ended) {
        q->ended = true;
        stream_end_push(q->stream);
    }
}

void disk_queue_out(struct disk_queue *q)
{
    if (q->closing || q->ended)
        return;
    if (q->settled && q->stopping) {
        disk_queue_out_clear(q);
        q->ended = true;
        stream_end_push(q->stream);
        return;
    }
    if (!q->wanted || ev_is_active(&q->again))
        return;
    while (q->wanted && hand_on_one(q))
        ;
    if (!q->wanted || stream_is_destroyed(q->stream))
        return;
    switch (read_more(q)) {
    case SPOOL_READ: loop_next(q->env->loop, &q->more); break; /* others get their turn */
    case SPOOL_EMPTY: at_end(q); break;
    default: break;
    }
}

static void on_more(struct step *s)
{
    disk_queue_out(LIST_ENTRY(s, struct disk_queue, more));
}

static void on_room(struct pool_waiter *w)
{
    disk_queue_out(LIST_ENTRY(w, struct disk_queue, waiter));
}

static void on_again(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    disk_queue_out(w->data);
}

void disk_queue_out_init(struct disk_queue *q)
{
    list_init(&q->handed);
    list_init(&q->waiter.node);
    q->waiter.wake = on_room;
    step_init(&q->more, on_more, q->env->rank);
    ev_timer_init(&q->again, on_again, 0., 0.);
    q->again.data = q;
}

void disk_queue_out_free(struct disk_queue *q)
{
    struct list *node;
    loop_cancel(q->env->loop, &q->more);
    pool_leave(&q->waiter);
    ev_timer_stop(loop_ev(q->env->loop), &q->again);
    disk_queue_out_clear(q);
    while ((node = list_shift(&q->handed)) != NULL)
        mem_free(LIST_ENTRY(node, struct handed, node));
    origin_unref(q->origin);
    q->origin = NULL;
}
