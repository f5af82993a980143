#include "agent/pipeline.h"

#include <inttypes.h>

#include "agent/disk_queue.h"
#include "agent/pipeline_state.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "delivery/cut.h"
#include "record/pool.h"
#include "stage/config.h"
#include "stage/exact.h"
#include "stream/stream.h"
#include "transform/filter.h"

#define SLAB_SIZE_MIN ((size_t)16 << 10)
#define GRACE         2.5 /* seconds that a sink has at a stop when all it has not delivered is safe on disk */
#define SLABS_WANTED  8 /* a pool should hold as many, else slabs are smaller */

static void on_closed(struct step *s);
static void on_grace(struct ev_loop *ev, ev_timer *w, int events);

static size_t slab_size(uint64_t memory)
{
    size_t size = SLAB_SIZE;
    while (size > SLAB_SIZE_MIN && size * SLABS_WANTED > memory)
        size /= 2;
    return size;
}

static void on_cut_failed(void *arg, const struct err *e)
{
    pipeline_abort(arg, e);
}

/* The checkpoint of what sinks are cut back to, if there are any. */
static int begin_cut(struct pipeline *p, struct err *e)
{
    const struct pipeline_env *env = p->env;
    if (!exact_is(p->config)) {
        checkpoint_unhold(env->checkpoint, p->config->name);
        return 0;
    }
    p->cut = cut_new(env->loop, env->work, env->checkpoint, p->config->name, on_cut_failed, p, e);
    return p->cut != NULL ? 0 : -1;
}

struct pipeline *pipeline_new(struct pipeline_env *env, const struct pipeline_config *config,
                              uint64_t memory,
                              void (*done)(void *arg, struct pipeline *p, const struct err *e),
                              void *arg, struct err *e)
{
    struct pipeline *p = mem_zalloc(1, sizeof *p);
    if (p == NULL) {
        err_nomem(e);
        return NULL;
    }
    p->env = env;
    p->config = config;
    p->done = done;
    p->arg = arg;
    step_init(&p->closed, on_closed, LOOP_RANKS - 1);
    ev_timer_init(&p->grace, on_grace, GRACE, 0.);
    p->grace.data = p;
    p->cap = pipeline_count_parts(config);
    p->parts = mem_zalloc(p->cap, sizeof *p->parts);
    p->branches = mem_zalloc(config->sinks.count, sizeof(struct stream *));
    p->wheres = mem_zalloc(config->sinks.count, sizeof *p->wheres);
    p->pool = pool_new(env->loop, (size_t)memory, slab_size(memory));
    if (p->parts == NULL || p->branches == NULL || p->wheres == NULL || p->pool == NULL) {
        err_nomem(e);
        pipeline_free(&p);
        return NULL;
    }
    if (begin_cut(p, e) != 0) {
        pipeline_free(&p);
        return NULL;
    }
    if (pipeline_build(p, &p->err) != 0) { /* what was built is destroyed as after any other failure */
        struct err why = p->err;
        if (p->open > 0) {
            pipeline_abort(p, &why);
            return p;
        }
        if (e != NULL)
            *e = why;
        pipeline_free(&p);
    }
    return p;
}

/* ---- living and dying -------------------------------------------------------------------------- */

static void destroy_all(struct pipeline *p, const struct err *e)
{
    if (p->cut != NULL)
        cut_abandon(p->cut);
    for (size_t i = 0; i < p->count; i++)
        if (p->parts[i].element.stream != NULL)
            stream_destroy(p->parts[i].element.stream, e);
}

void pipeline_part_finished(void *arg, struct stream *s, const struct err *e)
{
    struct part *part = arg;
    struct pipeline *p = part->pipeline;
    (void)s;
    p->open--;
    if (e != NULL && !p->aborting && !part->let_go) {
        p->aborting = true;
        p->err = *e;
        log_debug(part->element.scope, "failed: %s", e->text);
        destroy_all(p, e);
    }
    if (part->letters != NULL && !p->aborting)
        stream_end(part->letters, NULL); /* it has nothing left to refuse */
    if (p->open == 0)
        loop_defer(p->env->loop, &p->closed);
}

/* What those sinks have been given and not delivered is on disk, and goes on at the next start. */
static void on_grace(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct pipeline *p = w->data;
    for (size_t i = 0; i + 1 < p->count && !p->aborting; i++) {
        struct part *queue = &p->parts[i], *sink = queue + 1;
        if (!queue->element.disk || !stream_is_finished(queue->element.stream))
            continue;
        queue->let_go = sink->let_go = true;
        stream_destroy(sink->element.stream, NULL);
        if (sink->letters != NULL) { /* they are made anew then: see pipeline_build.c, they stand behind their sink */
            sink[1].let_go = true;
            stream_destroy(sink->letters, NULL);
        }
        stream_destroy(queue->element.stream, NULL);
    }
}

void pipeline_part_safe(void *arg, struct stream_news *n)
{
    (void)n;
    struct pipeline *p = ((struct part *)arg)->pipeline;
    struct ev_loop *ev = loop_ev(p->env->loop);
    if (!p->stopping)
        return;
    ev_now_update(ev);
    ev_timer_stop(ev, &p->grace);
    ev_timer_set(&p->grace, GRACE, 0.);
    ev_timer_start(ev, &p->grace);
}

static void on_finished(void *arg)
{
    struct pipeline *p = arg;
    p->done(p->arg, p, err_is(&p->err) ? &p->err : NULL);
}

static void on_closed(struct step *s)
{
    struct pipeline *p = LIST_ENTRY(s, struct pipeline, closed);
    if (p->cut != NULL)
        cut_finish(p->cut, on_finished, p);
    else
        on_finished(p);
}

void pipeline_stop(struct pipeline *p)
{
    if (p->aborting)
        return;
    p->stopping = true;
    for (size_t i = 0; i < p->count; i++) {
        const struct element *el = &p->parts[i].element;
        if (el->config != NULL && el->config->type->stop != NULL && el->stream != NULL)
            el->config->type->stop(el->stream);
        if (!el->disk)
            continue;
        disk_queue_stop(el->stream);
        if (stream_is_finished(el->stream))
            pipeline_part_safe(&p->parts[i], NULL);
    }
}

void pipeline_reopen(struct pipeline *p)
{
    for (size_t i = 0; i < p->count && !p->aborting; i++) {
        const struct element *el = &p->parts[i].element;
        if (el->config != NULL && el->config->type->reopen != NULL && el->stream != NULL)
            el->config->type->reopen(el->stream);
    }
}

void pipeline_abort(struct pipeline *p, const struct err *e)
{
    if (!p->aborting) {
        p->aborting = true;
        p->err = *e;
    }
    destroy_all(p, e);
}

void pipeline_set_memory(struct pipeline *p, uint64_t memory)
{
    pool_set_limit(p->pool, (size_t)memory);
}

void pipeline_free(struct pipeline **p)
{
    struct pipeline *dead = *p;
    *p = NULL;
    if (dead == NULL)
        return;
    loop_cancel(dead->env->loop, &dead->closed);
    ev_timer_stop(loop_ev(dead->env->loop), &dead->grace);
    for (size_t i = 0; i < dead->count; i++) {
        struct part *part = &dead->parts[i];
        stream_off(&part->ended);
        stream_off(&part->safe);
        stream_finished_cancel(&part->finished);
        stream_free(&part->element.stream);
    }
    for (size_t i = 0; i < dead->count; i++) {
        mem_free(dead->parts[i].element.name);
        mem_free(dead->parts[i].element.scope);
    }
    mem_free(dead->parts);
    mem_free(dead->branches);
    mem_free(dead->wheres);
    cut_free(&dead->cut); /* no ledger counts in it any more */
    pool_free(&dead->pool);
    mem_free(dead);
}

/* ---- looking ----------------------------------------------------------------------------------- */

const struct pipeline_config *pipeline_configured(const struct pipeline *p)
{
    return p->config;
}

struct element *pipeline_element(struct pipeline *p, size_t i)
{
    return &p->parts[i].element;
}

size_t pipeline_size(const struct pipeline *p)
{
    return p->count;
}

static uint64_t dropped(const struct stage_stats *stats)
{
    uint64_t n = 0;
    for (int i = 0; i < STAGE_REASONS; i++)
        n += stats->dropped[i].records;
    return n;
}

uint64_t pipeline_undelivered(const struct pipeline *p, int sink)
{
    uint64_t read = 0, settled = 0;
    bool behind_disk = false; /* what comes now has settled already */
    for (size_t i = 0; i < p->count; i++) {
        const struct element *el = &p->parts[i].element;
        enum stage_kind kind = el->config != NULL ? el->config->type->kind : STAGE_TRANSFORM;
        if (kind == STAGE_SOURCE) {
            read += el->stats.records_out;
        } else if (el->disk && el->sink == sink) {
            settled += el->stats.records_in - disk_queue_unsafe(el->stream);
            behind_disk = true;
        } else if (behind_disk && el->sink == sink) {
            continue;
        } else if (el->sink < 0 || el->sink == sink) {
            settled += dropped(&el->stats) + el->stats.merged;
            if (kind == STAGE_SINK)
                settled += el->stats.records_out;
        }
    }
    return read > settled ? read - settled : 0;
}

static void log_element(const struct element *el)
{
    struct buf line = {0};
    const struct stage_stats *s = &el->stats;
    buf_fmt(&line, "in %" PRIu64 " records, %" PRIu64 " bytes; out %" PRIu64 " records, %" PRIu64 " bytes",
            s->records_in, s->bytes_in, s->records_out, s->bytes_out);
    for (int i = 0; i < STAGE_REASONS && s->dropped[i].reason != NULL; i++)
        buf_fmt(&line, "; dropped %" PRIu64 " (%s)", s->dropped[i].records, s->dropped[i].reason);
    if (s->refused > 0)
        buf_fmt(&line, "; refused %" PRIu64, s->refused);
    if (s->merged > 0)
        buf_fmt(&line, "; joined %" PRIu64, s->merged);
    if (s->errors > 0)
        buf_fmt(&line, "; errors %" PRIu64, s->errors);
    if (s->truncated > 0)
        buf_fmt(&line, "; too long %" PRIu64, s->truncated);
    if (el->stream != NULL && stream_has_writable(el->stream))
        buf_fmt(&line, "; queue %zu of %zu bytes", stream_writable_length(el->stream),
                stream_writable_mark(el->stream));
    if (el->disk && el->stream != NULL)
        disk_queue_describe(el->stream, &line);
    const char *text = buf_cstr(&line);
    log_info(el->scope, "%s", text != NULL ? text : "out of memory");
    buf_clear(&line);
}

void pipeline_log_state(const struct pipeline *p)
{
    log_info(p->config->name, "memory %zu of %zu bytes%s", pool_used(p->pool), pool_limit(p->pool),
             p->aborting ? ", failing" : p->stopping ? ", stopping" : "");
    for (size_t i = 0; i < p->count; i++)
        if (p->parts[i].element.config != NULL || p->parts[i].element.disk)
            log_element(&p->parts[i].element);
}
