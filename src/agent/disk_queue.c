#include "agent/disk_queue_state.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/spool_dir.h"
#include "record/batch.h"
#include "record/pack.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define LOAD_MOST  ((size_t)1 << 20) /* bytes collected for one round; in a small pipeline a part of its memory */
#define LOAD_PART  16
#define LOAD_LEAST ((size_t)16 << 10)
#define SAVE_EVERY 1.0               /* seconds between two writes of the state */
#define WAIT_FIRST 0.25              /* seconds after a failed round: doubles up to the most */
#define WAIT_MOST  5.0
#define LOG_EVERY  10.0

static void start_round(struct disk_queue *q);
static void take(struct disk_queue *q);

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- collecting -------------------------------------------------------------------------------- */

static void charge(struct disk_queue *q, struct load *l)
{
    size_t cap = l->write.bytes.cap;
    pool_charge(q->env->pool, cap);
    pool_discharge(q->env->pool, l->charged);
    l->charged = cap;
}

/* ${l} is empty again. */
static void unload(struct disk_queue *q, struct load *l, bool delivered, bool free)
{
    ticket_set_end(&l->tickets, delivered);
    spool_write_clear(&l->write, free);
    l->records = 0;
    charge(q, l);
}

/* Put ${c} into what is collected; it is let go of then. */
static enum spool_fit put(struct disk_queue *q, struct chunk *c)
{
    struct load *l = q->next;
    size_t records = chunk_records(c);
    if (l->write.bytes.len >= q->load_bytes)
        return SPOOL_LATER;
    enum spool_fit fit = spool_entry_begin(&q->spool, &l->write);
    if (fit != SPOOL_FITS)
        return fit;
    size_t before = l->write.bytes.len;
    enum pack_kind kind = pack_add(&l->write.bytes, c);
    size_t length = l->write.bytes.len - before;
    fit = spool_entry_end(&q->spool, &l->write, (uint32_t)kind, (uint32_t)records, now());
    charge(q, l);
    if (fit != SPOOL_FITS)
        return fit;
    if (ticket_set_move(&l->tickets, chunk_tickets(c)) != 0)
        return SPOOL_NOMEM; /* it is on its way without tickets: the pipeline fails now, and it is sent again */
    l->records += records;
    q->env->stats->records_in += records;
    q->env->stats->bytes_in += length;
    chunk_free(&c);
    return SPOOL_FITS;
}

static void drop(struct disk_queue *q, struct chunk *c)
{
    size_t n = chunk_records(c);
    stage_dropped(q->env, "queue full", n);
    q->env->stats->records_in += n;
    q->unlogged += n;
    if (loop_now() >= q->logged_at + LOG_EVERY) {
        log_warn(q->env->scope, "queue full: %" PRIu64 " records dropped (drop_newest)", q->unlogged);
        q->logged_at = loop_now();
        q->unlogged = 0;
    }
    chunk_delivered(&c);
}

static void write_done(struct disk_queue *q)
{
    q->held = NULL;
    stream_write_done(q->stream, NULL);
}

/* The chunk that is held, if it can be taken now. */
static void take(struct disk_queue *q)
{
    struct err e = {0};
    if (q->held == NULL || q->past || q->closing)
        return;
    enum spool_fit fit = put(q, q->held);
    switch (fit) {
    case SPOOL_FITS: write_done(q); break;
    case SPOOL_LATER: break;
    case SPOOL_FULL:
    case SPOOL_NEVER:
        if (q->drop_newest) {
            drop(q, q->held);
            write_done(q);
        } else if (fit == SPOOL_NEVER) {
            q->past = true;
            loop_next(q->env->loop, &q->more); /* the reader passes it on when it gets there */
        }
        break;
    case SPOOL_NOMEM:
        err_nomem(&e);
        chunk_free(&q->held);
        stream_write_done(q->stream, &e);
        break;
    }
}

/* ---- rounds ------------------------------------------------------------------------------------ */

static void settle_if_done(struct disk_queue *q)
{
    if (!q->final || q->settled || q->closing || q->held != NULL || q->next->write.entries > 0 || q->running->write.entries > 0)
        return;
    q->settled = true;
    stream_final_done(q->stream, NULL);
    disk_queue_out(q);
}

/* Say how it went, when that is news. */
static void report(struct disk_queue *q, const struct err *e, bool *failing, const char *what)
{
    if (err_is(e) && !*failing)
        log_error(q->env->scope, "%s: %s (%s; trying again until it works)", q->path, e->text, what);
    else if (!err_is(e) && *failing)
        log_info(q->env->scope, "%s is written again", q->path);
    *failing = err_is(e);
}

static void arm(struct disk_queue *q, double seconds)
{
    struct ev_loop *ev = loop_ev(q->env->loop);
    ev_now_update(ev);
    ev_timer_stop(ev, &q->timer);
    ev_timer_set(&q->timer, seconds > 0 ? seconds : 0, 0.);
    ev_timer_start(ev, &q->timer);
}

static void round_run(struct job *j)
{
    spool_round_run(&LIST_ENTRY(j, struct disk_queue, job)->round);
}

static void round_done(struct job *j)
{
    struct disk_queue *q = LIST_ENTRY(j, struct disk_queue, job);
    struct spool_round *r = &q->round;
    q->busy = false;
    spool_round_done(&q->spool, r);
    if (r->save)
        q->saved_at = loop_now();
    if (r->write != NULL)
        report(q, &r->write_err, &q->failing_write, "what comes is not taken");
    report(q, &r->state_err, &q->failing_state, "what was delivered since may be sent again");
    if (r->write != NULL && !err_is(&r->write_err))
        unload(q, q->running, true, q->next->write.entries == 0);
    if (q->failing_write || q->failing_state)
        q->wait = q->wait == 0 ? WAIT_FIRST : q->wait * 2 < WAIT_MOST ? q->wait * 2 : WAIT_MOST;
    else
        q->wait = 0;
    if (q->closing) {
        disk_queue_close_if_done(q);
        return;
    }
    take(q);
    if (q->wait > 0)
        arm(q, q->wait);
    else
        start_round(q);
    settle_if_done(q);
    disk_queue_out(q);
}

/* Begin a round if there is anything worth one: something to write, a segment to delete, or a state that is old enough. */
static void start_round(struct disk_queue *q)
{
    if (q->busy || q->closing || (q->wait > 0 && ev_is_active(&q->timer)))
        return;
    if (q->running->write.entries == 0 && q->next->write.entries > 0) {
        struct load *l = q->running;
        q->running = q->next;
        q->next = l;
        take(q);
    }
    struct spool_write *w = q->running->write.entries > 0 ? &q->running->write : NULL;
    double age = loop_now() - q->saved_at;
    if (w == NULL && !spool_has_dead(&q->spool) && age < SAVE_EVERY) {
        if (q->spool.acked != q->spool.saved && !ev_is_active(&q->timer))
            arm(q, SAVE_EVERY - age);
        return;
    }
    if (!spool_round_prepare(&q->spool, &q->round, w))
        return;
    if (age < SAVE_EVERY && q->round.dead_count == 0)
        q->round.save = false; /* with the next one */
    if (w == NULL && !q->round.save && q->round.dead_count == 0)
        return;
    q->busy = true;
    q->job = (struct job){.run = round_run, .done = round_done};
    work_start(q->env->work, &q->job);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct disk_queue *q = w->data;
    take(q);
    start_round(q);
}

void disk_queue_acked(struct disk_queue *q)
{
    if (q->closing)
        return;
    if (q->held != NULL && !q->past)
        take(q); /* the last segment may be all done with now */
    start_round(q);
}

/* ---- the stream -------------------------------------------------------------------------------- */

static void queue_write(struct stream *s, void *self, struct chunk *c)
{
    (void)s;
    struct disk_queue *q = self;
    q->held = c;
    take(q);
    start_round(q);
}

static void queue_read(struct stream *s, void *self)
{
    (void)s;
    struct disk_queue *q = self;
    q->wanted = true;
    disk_queue_out(q);
}

static void queue_final(struct stream *s, void *self)
{
    (void)s;
    struct disk_queue *q = self;
    q->final = true;
    settle_if_done(q);
}

void disk_queue_close_if_done(struct disk_queue *q)
{
    struct err e = {0};
    if (q->busy || q->out > 0)
        return;
    q->closing = false;
    q->ended = true;
    disk_queue_out_free(q);
    if (spool_save(&q->spool, &e) != 0)
        log_error(q->env->scope, "%s (what was delivered since the last write may be sent again)", e.text);
    if (q->spool.durable_records > q->spool.acked_records)
        log_info(q->env->scope, "%" PRIu64 " records stay in %s for the next start",
                 q->spool.durable_records - q->spool.acked_records, q->path);
    spool_close(&q->spool);
    unload(q, q->running, false, true);
    unload(q, q->next, false, true);
    stream_destroy_done(q->stream, err_is(&q->why) ? &q->why : NULL);
}

static void queue_destroy(struct stream *s, void *self, const struct err *e)
{
    (void)s;
    struct disk_queue *q = self;
    if (e != NULL)
        q->why = *e;
    if (q->unlogged > 0)
        log_warn(q->env->scope, "queue full: %" PRIu64 " records dropped", q->unlogged);
    ev_timer_stop(loop_ev(q->env->loop), &q->timer);
    chunk_free(&q->held);
    disk_queue_out_clear(q);
    q->closing = true;
    disk_queue_close_if_done(q);
}

static void queue_free(void *self)
{
    struct disk_queue *q = self;
    mem_free(q->path);
    mem_free(q);
}

static const struct stream_ops ops = {
    .type = "disk queue",
    .read = queue_read,
    .write = queue_write,
    .final = queue_final,
    .destroy = queue_destroy,
    .free = queue_free,
};

static size_t load_bytes(const struct pool *pool)
{
    size_t bytes = pool_limit(pool) / LOAD_PART;
    return bytes > LOAD_MOST ? LOAD_MOST : bytes < LOAD_LEAST ? LOAD_LEAST : bytes;
}

static int open_spool(struct disk_queue *q, const char *data_dir, const char *sink, uint64_t max_bytes, struct err *e)
{
    q->path = spool_dir_path(data_dir, q->env->pipeline, sink);
    if (q->path == NULL)
        return err_nomem(e);
    int fd = spool_dir_open(data_dir, q->env->pipeline, sink, e);
    if (fd < 0)
        return -1;
    return spool_open(&q->spool, fd, q->path, max_bytes, q->env->scope, e);
}

struct stream *disk_queue_new(struct stage_env *env, const char *data_dir, const char *sink, uint64_t max_bytes,
                              bool drop_newest, struct err *e)
{
    struct disk_queue *q = mem_zalloc(1, sizeof *q);
    if (q == NULL)
        goto nomem;
    q->env = env;
    q->drop_newest = drop_newest;
    q->next = &q->loads[0];
    q->running = &q->loads[1];
    q->load_bytes = load_bytes(env->pool);
    q->logged_at = -LOG_EVERY;
    ev_timer_init(&q->timer, on_timer, 0., 0.);
    q->timer.data = q;
    disk_queue_out_init(q);
    if (open_spool(q, data_dir, sink, max_bytes, e) != 0)
        goto err1;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = q->stream = stream_duplex_new(&ops, q, &o, e);
    if (stream != NULL)
        return stream;
    spool_close(&q->spool);
err1:
    queue_free(q);
    return NULL;
nomem:
    err_nomem(e);
    return NULL;
}

void disk_queue_stop(struct stream *s)
{
    struct disk_queue *q = stream_self(s);
    q->stopping = true;
    if (!stream_is_destroyed(s))
        disk_queue_out(q);
}

/* ---- looking ----------------------------------------------------------------------------------- */

uint64_t disk_queue_unsafe(const struct stream *s)
{
    const struct disk_queue *q = stream_self(s);
    return q->next->records + q->running->records;
}

uint64_t disk_queue_kept(const struct stream *s)
{
    const struct disk_queue *q = stream_self(s);
    return spool_waiting(&q->spool) - disk_queue_unsafe(s);
}

void disk_queue_describe(struct stream *s, struct buf *out)
{
    struct disk_queue *q = stream_self(s);
    struct spool *spool = &q->spool;
    buf_fmt(out, "; %" PRIu64 " records wait on disk, %" PRIu64 " not there yet; %" PRIu64 " of %" PRIu64 " bytes in %zu segments",
            disk_queue_kept(s), disk_queue_unsafe(s), spool->bytes, spool->max_bytes, spool->count);
    int64_t oldest = spool->dir_fd >= 0 ? spool_oldest(spool) : 0, present = now();
    if (oldest > 0) /* a clock that was set back makes nothing younger than new */
        buf_fmt(out, ", the oldest since %.0f s", present > oldest ? (double)(present - oldest) / 1e9 : 0.);
    if (spool->bad_bytes > 0)
        buf_fmt(out, "; %" PRIu64 " bytes in .bad files", spool->bad_bytes);
}
