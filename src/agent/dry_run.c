#include "agent/dry_run.h"

#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/dry_flow.h"
#include "agent/dry_input.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "config/options.h"
#include "delivery/checkpoint.h"
#include "record/batch.h"
#include "record/pool.h"
#include "source/watch.h"
#include "stage/config.h"
#include "stage/stages.h"
#include "stream/stream.h"

struct dry {
    const struct dry_options *options;
    struct dry_flow flow;
    struct err *err;
    struct loop *loop;
    struct work *work;
    struct watcher *watcher;
    struct checkpoint *checkpoint;
    char host[256];
    bool hurry, interrupted;

    /* of the pipeline at hand */
    const struct pipeline_config *config;
    struct pool *pool;
    struct stage_env env; /* model of its stages' */
    struct dry_links common, own; /* own: of the source at hand */
};

/* ---- the account ------------------------------------------------------------------------------- */

static void tell(struct dry *d)
{
    d->flow.sheet.account.pipeline = d->config->name;
    if (d->options->account != NULL)
        d->options->account(d->options->arg, &d->flow.sheet.account);
    dry_sheet_clear(&d->flow.sheet);
}

/* ---- the input ---------------------------------------------------------------------------------- */

static int run_record(void *arg, struct batch *from, size_t i, struct err *e)
{
    struct dry *d = arg;
    const struct record *r = &from->records[i];
    struct dry_account *a = &d->flow.sheet.account;
    const char *path = from->body->origin->path;
    a->path = path != NULL ? path : d->options->input;
    a->offset = batch_offset(from, r);
    a->input = r->text;
    a->input_len = r->len;
    a->truncated = (r->flags & RECORD_TRUNCATED) != 0;
    d->flow.summary->records_in++;
    d->flow.summary->truncated += a->truncated;
    struct batch *b = batch_single(from, i);
    if (b == NULL)
        return err_nomem(e);
    int rc = dry_flow_pass(&d->flow, dry_links_first(&d->own, &d->common), &b->chunk, NULL);
    if (rc == 0)
        tell(d);
    return rc;
}

static struct dry_total *add_total(struct dry *d, const char *stage, const char *sink,
                                   const struct stage *type, const struct stage_stats *stats)
{
    struct dry_summary *s = d->flow.summary;
    struct dry_total *grown = mem_realloc(s->totals, (s->total_count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    s->totals = grown;
    struct dry_total *t = &s->totals[s->total_count++];
    *t = (struct dry_total){d->config->name, stage, sink, type->kind, type->out, *stats, {{0}}, {0}};
    for (int i = 0; i < STAGE_REASONS; i++)
        s->dropped += stats->dropped[i].records;
    s->errors += stats->errors;
    return t;
}

/* ---- links --------------------------------------------------------------------------------------- */

/* A chain of ${list} behind what ${links} holds already; ${behind}, or NULL, stands behind it. */
static int open_links(struct dry *d, struct dry_links *links, const struct stage_list *list, const char *sink,
                      struct dry_link *behind)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct stage_config *sc = &list->items[i];
        struct dry_link *l = dry_links_add(links);
        if (dry_link_open(l, sc->type, sc->name, sink, sc->settings, &d->env, d->err) != 0)
            return -1;
    }
    if (links->count > 0)
        links->items[links->count - 1].next = behind;
    return 0;
}

static int total_links(struct dry *d, struct dry_links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        struct dry_link *l = &links->items[i];
        l->stats.bytes_in = l->text_in;
        if (l->type->out == PAYLOAD_RECORDS)
            l->stats.bytes_out = l->text_out;
        struct dry_total *t = add_total(d, l->name, l->sink, l->type, &l->stats);
        if (t == NULL)
            return err_nomem(d->err);
        memcpy(t->examples, l->examples, sizeof t->examples);
        memset(l->examples, 0, sizeof l->examples);
        t->error_examples = l->error_examples;
        l->error_examples = (struct buf){0};
    }
    return 0;
}

/* What stages held back comes out, as an account of its own. */
static int finish(struct dry *d, struct dry_links *links, struct dry_branch *branch)
{
    struct dry_account *a = &d->flow.sheet.account;
    a->source = a->path = a->input = NULL;
    a->input_len = 0;
    a->offset = 0;
    int rc = dry_flow_finish(&d->flow, links, branch);
    if (rc == 0 && a->output_count > 0)
        tell(d);
    return rc;
}

/* Read ${type} with ${settings} as far as was asked for, through ${own} and all that follows. */
static int run_source(struct dry *d, const struct stage *type, const char *name, const void *settings,
                      const struct stage_list *own)
{
    struct buf scope = {0};
    struct dry_input in = {.type = type, .settings = settings, .env = d->env, .limit = d->options->limit,
                           .interrupted = &d->interrupted, .record = run_record, .arg = d};
    buf_fmt(&scope, "%s/%s", d->config->name, name);
    d->flow.sheet.account.source = name;
    in.env.name = name;
    in.env.scope = buf_cstr(&scope);
    int rc = in.env.scope != NULL ? dry_links_new(&d->own, own->count) : -1;
    if (rc != 0)
        rc = err_nomem(d->err);
    if (rc == 0)
        rc = open_links(d, &d->own, own, NULL, dry_links_first(&d->common, NULL));
    if (rc == 0)
        rc = dry_input_read(&in, d->err);
    if (rc == 0 && add_total(d, name, NULL, type, &in.stats) == NULL)
        rc = err_nomem(d->err);
    if (rc == 0)
        rc = finish(d, &d->own, NULL);
    if (rc == 0)
        rc = total_links(d, &d->own);
    dry_links_close(&d->own);
    loop_tick(d->loop);
    dry_links_free(&d->own);
    buf_clear(&scope);
    return rc;
}

/* The chain of the first source that has one, if any. */
static const struct stage_list *some_chain(const struct pipeline_config *config)
{
    const struct stage_list *own = &config->sources.items[0].transforms;
    for (size_t i = 1; i < config->sources.count && own->count == 0; i++)
        own = &config->sources.items[i].transforms;
    return own;
}

static int run_input(struct dry *d)
{
    const struct stage *type = stages_find(stages, STAGE_SOURCE, "stdin");
    void *settings = mem_zalloc(1, type->settings_size);
    int rc = settings != NULL && options_defaults(type->options, settings) == 0
                 ? dry_input_redirect(d->options->input, d->err)
                 : err_nomem(d->err);
    if (rc == 0)
        rc = run_source(d, type, "input", settings, some_chain(d->config));
    if (settings != NULL)
        options_free(type->options, settings);
    mem_free(settings);
    return rc;
}

static int run_sources(struct dry *d)
{
    if (d->options->input != NULL)
        return run_input(d);
    for (size_t i = 0; i < d->config->sources.count; i++) {
        const struct stage_config *source = &d->config->sources.items[i];
        if (run_source(d, source->type, source->name, source->settings, &source->transforms) != 0)
            return -1;
    }
    return 0;
}

/* ---- one pipeline -------------------------------------------------------------------------------- */

static int open_branch(struct dry *d, const struct stage_config *sink)
{
    struct dry_branch *b = &d->flow.branches[d->flow.branch_count++];
    b->sink = sink;
    b->env = d->env;
    b->env.name = sink->name;
    b->env.stats = &b->stats;
    if (dry_links_new(&b->links, sink->transforms.count + 1) != 0)
        return err_nomem(d->err);
    if (sink->where != NULL) {
        b->where.where = sink->where;
        if (dry_link_open(dry_links_add(&b->links), &stage_filter, "where", sink->name, &b->where, &d->env, d->err) != 0)
            return -1;
    }
    return open_links(d, &b->links, &sink->transforms, sink->name, NULL);
}

static int open_chain(struct dry *d)
{
    const struct pipeline_config *config = d->config;
    d->flow.branches = mem_zalloc(config->sinks.count, sizeof *d->flow.branches);
    if (d->flow.branches == NULL || dry_links_new(&d->common, config->transforms.count) != 0)
        return err_nomem(d->err);
    if (open_links(d, &d->common, &config->transforms, NULL, NULL) != 0)
        return -1;
    for (size_t i = 0; i < config->sinks.count; i++)
        if (open_branch(d, &config->sinks.items[i]) != 0)
            return -1;
    return 0;
}

static int total_all(struct dry *d)
{
    if (total_links(d, &d->common) != 0)
        return -1;
    for (size_t i = 0; i < d->flow.branch_count; i++) {
        struct dry_branch *b = &d->flow.branches[i];
        if (total_links(d, &b->links) != 0 ||
            add_total(d, b->sink->name, NULL, b->sink->type, &b->stats) == NULL)
            return err_nomem(d->err);
    }
    return 0;
}

static void close_chain(struct dry *d)
{
    dry_links_close(&d->common);
    for (size_t i = 0; i < d->flow.branch_count; i++)
        dry_links_close(&d->flow.branches[i].links);
    loop_tick(d->loop);
    dry_links_free(&d->common);
    for (size_t i = 0; i < d->flow.branch_count; i++)
        dry_links_free(&d->flow.branches[i].links);
    mem_free(d->flow.branches);
    d->flow.branches = NULL;
    d->flow.branch_count = 0;
}

static int finish_all(struct dry *d)
{
    int rc = finish(d, &d->common, NULL);
    for (size_t i = 0; rc == 0 && i < d->flow.branch_count; i++)
        rc = finish(d, &d->flow.branches[i].links, &d->flow.branches[i]);
    return rc;
}

static int run_pipeline(struct dry *d, const struct pipeline_config *config, uint64_t memory)
{
    d->config = config;
    d->pool = pool_new(d->loop, (size_t)memory, SLAB_SIZE);
    if (d->pool == NULL)
        return err_nomem(d->err);
    d->env = (struct stage_env){
        .loop = d->loop,
        .work = d->work,
        .watcher = d->watcher,
        .pool = d->pool,
        .pipeline = config->name,
        .host = d->host,
        .queue_bytes = STREAM_MARK,
        .hurry = &d->hurry,
        .once = d->options->from != DRY_END,
        .dry = true,
        .start = d->options->from == DRY_START ? START_BEGINNING
                 : d->options->from == DRY_END ? START_END
                                               : START_CONFIGURED,
        .checkpoint = d->checkpoint,
    };
    int rc = open_chain(d);
    if (rc == 0)
        rc = run_sources(d);
    if (rc == 0)
        rc = finish_all(d);
    if (rc == 0)
        rc = total_all(d);
    dry_sheet_clear(&d->flow.sheet);
    close_chain(d);
    pool_free(&d->pool);
    return rc;
}

static void on_interrupt(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev;
    (void)events;
    struct dry *d = w->data;
    d->interrupted = true;
    loop_stop(d->loop);
}

static int run_all(struct dry *d, const struct config *config)
{
    bool found = false;
    const char *only = d->options->pipeline;
    const char *dir = d->options->from == DRY_CHECKPOINT ? config->data_dir : NULL;
    if (d->options->input != NULL && only == NULL && config->pipeline_count > 1)
        return err_set(d->err, ERR_INVALID, "--input with several pipelines: say which one with --pipeline");
    d->checkpoint = checkpoint_open(d->loop, d->work, dir, CHECKPOINT_LOOK, d->err);
    if (d->checkpoint == NULL)
        return -1;
    for (size_t i = 0; i < config->pipeline_count && !d->interrupted; i++) {
        if (only != NULL && strcmp(config->pipelines[i].name, only) != 0)
            continue;
        found = true;
        if (run_pipeline(d, &config->pipelines[i], config->memory_limit) != 0)
            return -1;
    }
    return found ? 0 : err_set(d->err, ERR_INVALID, "there is no pipeline \"%s\"", only);
}

int dry_run(const struct config *config, const struct dry_options *options,
            struct dry_summary *summary, struct err *e)
{
    struct dry d = {.options = options, .flow = {.summary = summary, .err = e}, .err = e};
    ev_signal interrupt;
    int rc = -1;
    *summary = (struct dry_summary){0};
    d.loop = loop_new(e);
    if (d.loop == NULL)
        goto err0;
    d.work = work_new(d.loop, e);
    if (d.work == NULL)
        goto err1;
    d.watcher = watcher_new(d.loop);
    if (d.watcher == NULL) {
        err_nomem(e);
        goto err2;
    }
    if (gethostname(d.host, sizeof d.host - 1) != 0)
        snprintf(d.host, sizeof d.host, "localhost");
    ev_signal_init(&interrupt, on_interrupt, SIGINT);
    interrupt.data = &d;
    ev_signal_start(loop_ev(d.loop), &interrupt);
    ev_unref(loop_ev(d.loop));
    rc = run_all(&d, config);
    ev_ref(loop_ev(d.loop));
    ev_signal_stop(loop_ev(d.loop), &interrupt);
    checkpoint_close(&d.checkpoint, NULL);
    dry_sheet_free(&d.flow.sheet);
    loop_tick(d.loop);
    watcher_free(&d.watcher);
err2:
    work_free(&d.work);
err1:
    loop_free(&d.loop);
err0:
    return rc;
}

void dry_summary_clear(struct dry_summary *summary)
{
    for (size_t i = 0; i < summary->total_count; i++) {
        for (int k = 0; k < STAGE_REASONS; k++)
            buf_clear(&summary->totals[i].examples[k]);
        buf_clear(&summary->totals[i].error_examples);
    }
    mem_free(summary->totals);
    *summary = (struct dry_summary){0};
}
