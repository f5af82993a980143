#include "agent/pipeline.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/queue.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/pool.h"
#include "stage/config.h"
#include "stream/stream.h"
#include "transform/filter.h"

#define SLAB_SIZE_MIN ((size_t)16 << 10)
#define SLABS_WANTED  8 /* a pool should hold as many, else slabs are smaller */
#define QUEUE_BEHIND  1 /* write mark of a stage that has a queue stream in front: what waits, waits there */

/* An element and how it is tied to the pipeline's life. */
struct part {
    struct element element;
    struct finished finished;
    struct listener ended; /* the last of what belongs to one of several sources */
    bool joins;            /* it is that */
    struct pipeline *pipeline;
};

struct pipeline {
    struct pipeline_env *env;
    const struct pipeline_config *config;
    struct pool *pool;
    struct part *parts; /* in the order of ranks */
    size_t count, cap;
    size_t open;        /* streams not closed yet */
    size_t sources_left;
    struct stream *head; /* where several sources meet; NULL: there is one */
    struct stream **branches; /* of the tee; handed to parts */
    struct filter_settings *wheres; /* one for each sink */
    bool stopping, aborting;
    struct err err;
    struct step closed; /* all streams are: tell, from an empty stack */
    void (*done)(void *arg, struct pipeline *p, const struct err *e);
    void *arg;
};

/* ---- parts ------------------------------------------------------------------------------------- */

static char *join(const char *a, char between, const char *b)
{
    struct buf out = {0};
    buf_fmt(&out, "%s%c%s", a, between, b);
    if (buf_cstr(&out) == NULL)
        buf_clear(&out);
    return out.data;
}

/* A further part called ${name}. NULL: no memory. There is room: pipeline_new has counted. */
static struct part *add_part(struct pipeline *p, const struct stage_config *config,
                             const char *name, int sink)
{
    assert(p->count < p->cap);
    struct part *part = &p->parts[p->count];
    struct element *el = &part->element;
    part->pipeline = p;
    el->config = config;
    el->sink = sink;
    el->name = mem_strdup(name);
    el->scope = join(p->config->name, '/', name);
    if (el->name == NULL || el->scope == NULL) {
        mem_free(el->name);
        mem_free(el->scope);
        return NULL;
    }
    el->env = (struct stage_env){
        .loop = p->env->loop,
        .work = p->env->work,
        .pool = p->pool,
        .pipeline = p->config->name,
        .name = el->name,
        .scope = el->scope,
        .host = p->env->host,
        .rank = (unsigned)p->count,
        .queue_bytes = config != NULL ? config->queue.max_bytes : QUEUE_BEHIND,
        .ahead_bytes = config != NULL && config->type->kind == STAGE_SOURCE ? config->queue.max_bytes : 0,
        .hurry = &p->env->hurry,
        .once = p->env->once,
        .checkpoint = p->env->checkpoint,
        .stats = &el->stats,
    };
    p->count++;
    return part;
}

static void on_finished(void *arg, struct stream *s, const struct err *e);
static void on_closed(struct step *s);

/* ${s} is the part's stream from now on. */
static void tie(struct part *part, struct stream *s)
{
    part->element.stream = s;
    part->pipeline->open++;
    stream_finished(s, &part->finished, on_finished, part);
}

/* Put ${s} behind *${tail}. */
static int extend(struct stream **tail, struct stream *s, struct err *e)
{
    if (*tail != NULL && stream_pipe(*tail, s, 0, e) != 0)
        return -1;
    *tail = s;
    return 0;
}

/* ---- building ---------------------------------------------------------------------------------- */

/* A stage, and in front of it its queue if that drops. */
static struct part *add_stage(struct pipeline *p, const struct stage_config *config, int sink,
                              struct stream **tail, struct err *e)
{
    bool drops = config->queue.when_full != WHEN_FULL_BLOCK;
    struct part *queue = NULL, *part;
    if (drops) {
        char *name = join(config->name, '.', "queue");
        queue = name != NULL ? add_part(p, NULL, name, sink) : NULL;
        mem_free(name);
        if (queue == NULL)
            goto nomem;
    }
    part = add_part(p, config, config->name, sink);
    if (part == NULL)
        goto nomem;
    if (drops) {
        part->element.env.queue_bytes = QUEUE_BEHIND;
        struct stream *s = queue_new(&part->element.env, config->queue.max_bytes,
                                     config->queue.when_full == WHEN_FULL_DROP_OLDEST, e);
        if (s == NULL)
            return NULL;
        tie(queue, s);
        if (extend(tail, s, e) != 0)
            return NULL;
    }
    struct stream *s = config->type->open(&part->element.env, config->settings, e);
    if (s == NULL)
        return NULL;
    tie(part, s);
    return extend(tail, s, e) == 0 ? part : NULL;
nomem:
    err_nomem(e);
    return NULL;
}

/* `where` of sink ${i}: a filter in front of all it has. */
static int add_where(struct pipeline *p, size_t i, struct stream **tail, struct err *e)
{
    const struct stage_config *sink = &p->config->sinks.items[i];
    if (sink->where == NULL)
        return 0;
    char *name = join(sink->name, '.', "where");
    struct part *part = name != NULL ? add_part(p, NULL, name, (int)i) : NULL;
    mem_free(name);
    if (part == NULL)
        return err_nomem(e);
    p->wheres[i].where = sink->where;
    part->element.env.queue_bytes = sink->queue.max_bytes;
    struct stream *s = stage_filter.open(&part->element.env, &p->wheres[i], e);
    if (s == NULL)
        return -1;
    tie(part, s);
    return extend(tail, s, e);
}

static int add_chain(struct pipeline *p, const struct stage_list *list, int sink,
                     struct stream **tail, struct err *e)
{
    for (size_t i = 0; i < list->count; i++)
        if (add_stage(p, &list->items[i], sink, tail, e) == NULL)
            return -1;
    return 0;
}

/* A tee behind ${tail}, one branch for each sink. */
static int add_tee(struct pipeline *p, struct stream **tail, struct err *e)
{
    size_t n = p->config->sinks.count;
    struct part *input = add_part(p, NULL, "tee", -1);
    if (input == NULL)
        return err_nomem(e);
    struct stream *s;
    struct stream_opts o = stage_stream_opts(&input->element.env);
    if (stream_tee(&o, n, &s, p->branches, e) != 0)
        return -1;
    tie(input, s);
    for (size_t i = 0; i < n; i++) {
        struct part *part = add_part(p, NULL, "branch", (int)i);
        if (part == NULL) {
            for (; i < n; i++)
                stream_free(&p->branches[i]);
            return err_nomem(e);
        }
        tie(part, p->branches[i]);
    }
    return extend(tail, s, e);
}

static int add_sinks(struct pipeline *p, struct stream *tail, struct err *e)
{
    const struct stage_list *sinks = &p->config->sinks;
    if (sinks->count > 1 && add_tee(p, &tail, e) != 0)
        return -1;
    for (size_t i = 0; i < sinks->count; i++) {
        struct stream *at = sinks->count > 1 ? p->branches[i] : tail;
        if (add_where(p, i, &at, e) != 0 ||
            add_chain(p, &sinks->items[i].transforms, (int)i, &at, e) != 0 ||
            add_stage(p, &sinks->items[i], (int)i, &at, e) == NULL)
            return -1;
    }
    return 0;
}

static void on_source_end(void *arg, struct stream_news *n)
{
    (void)n;
    struct pipeline *p = arg;
    if (--p->sources_left == 0)
        stream_end(p->head, NULL);
}

/* Several sources, each with its own chain, flow into one place, which ends when all have ended. */
static int join_sources(struct pipeline *p, struct err *e)
{
    for (size_t i = 0; i < p->count; i++) {
        struct part *part = &p->parts[i];
        if (!part->joins)
            continue;
        stream_on(part->element.stream, STREAM_END, &part->ended, on_source_end, p);
        if (stream_pipe(part->element.stream, p->head, STREAM_PIPE_KEEP, e) != 0)
            return -1;
    }
    return 0;
}

/* A source and its own chain. *${tail} is the end of it. */
static int add_source(struct pipeline *p, const struct stage_config *source, struct stream **tail, struct err *e)
{
    *tail = NULL;
    if (add_stage(p, source, -1, tail, e) == NULL || add_chain(p, &source->transforms, -1, tail, e) != 0)
        return -1;
    p->parts[p->count - 1].joins = p->config->sources.count > 1;
    return 0;
}

static int build(struct pipeline *p, struct err *e)
{
    const struct pipeline_config *config = p->config;
    struct stream *tail = NULL;
    for (size_t i = 0; i < config->sources.count; i++)
        if (add_source(p, &config->sources.items[i], &tail, e) != 0)
            return -1;
    p->sources_left = config->sources.count;
    if (config->sources.count > 1)
        tail = NULL;
    size_t first = p->count;
    if (add_chain(p, &config->transforms, -1, &tail, e) != 0 || add_sinks(p, tail, e) != 0)
        return -1;
    if (config->sources.count == 1)
        return 0;
    p->head = p->parts[first].element.stream;
    return join_sources(p, e);
}

/* How many parts at most: each stage may have a queue, each sink a where and a branch, and there is a tee. */
static size_t count_parts(const struct pipeline_config *config)
{
    size_t n = 1 + 2 * (config->sources.count + config->transforms.count);
    for (size_t i = 0; i < config->sources.count; i++)
        n += 2 * config->sources.items[i].transforms.count;
    for (size_t i = 0; i < config->sinks.count; i++)
        n += 4 + 2 * config->sinks.items[i].transforms.count;
    return n;
}

static size_t slab_size(uint64_t memory)
{
    size_t size = SLAB_SIZE;
    while (size > SLAB_SIZE_MIN && size * SLABS_WANTED > memory)
        size /= 2;
    return size;
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
    p->cap = count_parts(config);
    p->parts = mem_zalloc(p->cap, sizeof *p->parts);
    p->branches = mem_zalloc(config->sinks.count, sizeof(struct stream *));
    p->wheres = mem_zalloc(config->sinks.count, sizeof *p->wheres);
    p->pool = pool_new(env->loop, (size_t)memory, slab_size(memory));
    if (p->parts == NULL || p->branches == NULL || p->wheres == NULL || p->pool == NULL) {
        err_nomem(e);
        pipeline_free(&p);
        return NULL;
    }
    if (build(p, &p->err) != 0) { /* what was built is destroyed as after any other failure */
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
    for (size_t i = 0; i < p->count; i++)
        if (p->parts[i].element.stream != NULL)
            stream_destroy(p->parts[i].element.stream, e);
}

static void on_finished(void *arg, struct stream *s, const struct err *e)
{
    struct part *part = arg;
    struct pipeline *p = part->pipeline;
    (void)s;
    p->open--;
    if (e != NULL && !p->aborting) {
        p->aborting = true;
        p->err = *e;
        log_debug(part->element.scope, "failed: %s", e->text);
        destroy_all(p, e);
    }
    if (p->open == 0)
        loop_defer(p->env->loop, &p->closed);
}

static void on_closed(struct step *s)
{
    struct pipeline *p = LIST_ENTRY(s, struct pipeline, closed);
    p->done(p->arg, p, err_is(&p->err) ? &p->err : NULL);
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
    for (size_t i = 0; i < dead->count; i++) {
        struct part *part = &dead->parts[i];
        stream_off(&part->ended);
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
    for (size_t i = 0; i < p->count; i++) {
        const struct element *el = &p->parts[i].element;
        enum stage_kind kind = el->config != NULL ? el->config->type->kind : STAGE_TRANSFORM;
        if (kind == STAGE_SOURCE) {
            read += el->stats.records_out;
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
    if (s->merged > 0)
        buf_fmt(&line, "; joined %" PRIu64, s->merged);
    if (s->errors > 0)
        buf_fmt(&line, "; errors %" PRIu64, s->errors);
    if (s->truncated > 0)
        buf_fmt(&line, "; too long %" PRIu64, s->truncated);
    if (el->stream != NULL && stream_has_writable(el->stream))
        buf_fmt(&line, "; queue %zu of %zu bytes", stream_writable_length(el->stream),
                stream_writable_mark(el->stream));
    const char *text = buf_cstr(&line);
    log_info(el->scope, "%s", text != NULL ? text : "out of memory");
    buf_clear(&line);
}

void pipeline_log_state(const struct pipeline *p)
{
    log_info(p->config->name, "memory %zu of %zu bytes%s", pool_used(p->pool), pool_limit(p->pool),
             p->aborting ? ", failing" : p->stopping ? ", stopping" : "");
    for (size_t i = 0; i < p->count; i++)
        if (p->parts[i].element.config != NULL)
            log_element(&p->parts[i].element);
}
