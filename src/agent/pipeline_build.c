#include "agent/pipeline_state.h"

#include <assert.h>

#include "agent/disk_queue.h"
#include "agent/queue.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "stage/config.h"
#include "stream/stream.h"
#include "transform/filter.h"

#define QUEUE_BEHIND  1 /* write mark of a stage that has a queue stream in front: what waits, waits there */

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
        .watcher = p->env->watcher,
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
        .cut = p->cut,
        .stats = &el->stats,
    };
    p->count++;
    return part;
}

/* ${s} is the part's stream from now on. */
static void tie(struct part *part, struct stream *s)
{
    part->element.stream = s;
    part->pipeline->open++;
    stream_finished(s, &part->finished, pipeline_part_finished, part);
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

/* The queue in front of ${config}, a stream of its own. ${part} is it, ${behind} the environment of the stage. */
static struct stream *open_queue(struct pipeline *p, struct part *part, const struct stage_config *config,
                                 struct stage_env *behind, struct err *e)
{
    int when_full = config->queue.when_full;
    if (config->queue.type != QUEUE_DISK)
        return queue_new(behind, config->queue.max_bytes, when_full == WHEN_FULL_DROP_OLDEST, e);
    if (p->env->data_dir == NULL) {
        err_set(e, ERR_INVALID, "a queue on disk needs a data_dir, which is taken over only when weir is started again");
        return NULL;
    }
    part->element.env.work = p->env->disk_work;
    struct stream *s = disk_queue_new(&part->element.env, p->env->data_dir, config->name, config->queue.max_bytes,
                                      when_full == WHEN_FULL_DROP_NEWEST, e);
    part->element.disk = s != NULL;
    if (s != NULL)
        stream_on(s, STREAM_FINISH, &part->safe, pipeline_part_safe, part);
    return s;
}

/* A stage, and in front of it its queue if that drops or is on disk. */
static struct part *add_stage(struct pipeline *p, const struct stage_config *config, int sink,
                              struct stream **tail, struct err *e)
{
    bool apart = config->queue.when_full != WHEN_FULL_BLOCK || config->queue.type == QUEUE_DISK;
    struct part *queue = NULL, *part;
    if (apart) {
        char *name = join(config->name, '.', "queue");
        queue = name != NULL ? add_part(p, NULL, name, sink) : NULL;
        mem_free(name);
        if (queue == NULL)
            goto nomem;
    }
    part = add_part(p, config, config->name, sink);
    if (part == NULL)
        goto nomem;
    if (apart) {
        part->element.env.queue_bytes = QUEUE_BEHIND;
        struct stream *s = open_queue(p, queue, config, &part->element.env, e);
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

/* The dead letters of ${sink}, if it has any: a stream that nothing is piped into. */
static int add_letters(struct pipeline *p, struct part *sink, struct err *e)
{
    const struct stage_list *list = &sink->element.config->dead_letters;
    struct stream *alone = NULL;
    if (list->count == 0)
        return 0;
    struct part *letters = add_stage(p, &list->items[0], sink->element.sink, &alone, e);
    if (letters == NULL)
        return -1;
    if (sink->element.config->type->refuses == NULL)
        log_warn(letters->element.scope, "a sink of type %s refuses no record for good: nothing will come here", sink->element.config->type->type);
    letters->element.letters = true;
    sink->letters = sink->element.env.dead_letter = letters->element.stream;
    return 0;
}

static int add_sinks(struct pipeline *p, struct stream *tail, struct err *e)
{
    const struct stage_list *sinks = &p->config->sinks;
    if (sinks->count > 1 && add_tee(p, &tail, e) != 0)
        return -1;
    for (size_t i = 0; i < sinks->count; i++) {
        struct stream *at = sinks->count > 1 ? p->branches[i] : tail;
        if (add_where(p, i, &at, e) != 0 || add_chain(p, &sinks->items[i].transforms, (int)i, &at, e) != 0)
            return -1;
        struct part *sink = add_stage(p, &sinks->items[i], (int)i, &at, e);
        if (sink == NULL || add_letters(p, sink, e) != 0)
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

int pipeline_build(struct pipeline *p, struct err *e)
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

/* Each stage may have a queue, each sink a where, a branch and dead letters, and there is a tee. */
size_t pipeline_count_parts(const struct pipeline_config *config)
{
    size_t n = 1 + 2 * (config->sources.count + config->transforms.count);
    for (size_t i = 0; i < config->sources.count; i++)
        n += 2 * config->sources.items[i].transforms.count;
    for (size_t i = 0; i < config->sinks.count; i++)
        n += 5 + 2 * config->sinks.items[i].transforms.count;
    return n;
}
