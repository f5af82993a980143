#include "agent/dry_run.h"

#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/dry_chain.h"
#include "agent/dry_diff.h"
#include "agent/dry_input.h"
#include "agent/dry_sheet.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "config/options.h"
#include "delivery/checkpoint.h"
#include "record/batch.h"
#include "record/pool.h"
#include "record/render.h"
#include "stage/config.h"
#include "stage/stages.h"
#include "stream/stream.h"
#include "transform/filter.h"

/* The branch of one sink: what stands between the common chain and it. */
struct branch {
    const struct stage_config *sink;
    struct filter_settings where;
    struct dry_link *links;
    size_t count;
    struct stage_env env;
    struct stage_stats stats;
};

struct dry {
    const struct dry_options *options;
    struct dry_summary *summary;
    struct err *err;
    struct loop *loop;
    struct work *work;
    struct checkpoint *checkpoint;
    char host[256];
    bool hurry, interrupted;

    /* of the pipeline at hand */
    const struct pipeline_config *config;
    struct pool *pool;
    struct stage_env env; /* model of its stages' */
    struct dry_link *links;
    size_t count;
    struct branch *branches;
    size_t branch_count;

    /* of the record at hand */
    struct dry_sheet sheet;
};

/* ---- the account ------------------------------------------------------------------------------- */

static void tell(struct dry *d)
{
    d->sheet.account.pipeline = d->config->name;
    if (d->options->account != NULL)
        d->options->account(d->options->arg, &d->sheet.account);
    dry_sheet_clear(&d->sheet);
}

/* ---- one chunk through the chain ---------------------------------------------------------------- */

/* The one record of ${c} as JSON; empty when it is bytes. */
static struct buf snapshot(struct chunk *c)
{
    struct buf out = {0};
    struct batch *b = chunk_batch(c);
    if (b != NULL && b->count == 1)
        render_record(&out, &b->records[0], RENDER_JSON);
    return out;
}

/* How many bytes the records of ${c} are, as they would be sent. */
static size_t text_bytes(struct chunk *c)
{
    struct buf out = {0};
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        render_record(&out, &b->records[i], RENDER_AUTO);
        buf_char(&out, '\n');
    }
    size_t len = out.len;
    buf_clear(&out);
    return len;
}

static const char *guess_verdict(const struct dry_link *l, size_t came_out)
{
    if (came_out == 0)
        return l->type->out == PAYLOAD_BYTES ? "merge" : "drop";
    return came_out > 1 ? "split" : "pass";
}

/* Note what ${l} did with a record that was ${before}. */
static int note_step(struct dry *d, struct dry_link *l, const struct buf *before)
{
    size_t n = 0;
    for (struct list *at = l->out.next; at != &l->out; at = at->next, n++)
        l->text_out += text_bytes(LIST_ENTRY(at, struct chunk, queued));
    struct dry_step *step = dry_sheet_step(&d->sheet, &l->step);
    if (step == NULL)
        return err_nomem(d->err);
    if (step->verdict == NULL)
        step->verdict = guess_verdict(l, n);
    if (strcmp(step->verdict, "merge") == 0 && step->reason[0] == '\0')
        snprintf(step->reason, sizeof step->reason, "kept to be sent with others");
    if (n == 1 && before->len > 0) {
        struct buf after = snapshot(LIST_ENTRY(l->out.next, struct chunk, queued));
        int rc = after.len > 0 ? dry_diff(before, &after, &step->changes, &step->change_count) : 0;
        buf_clear(&after);
        if (rc != 0)
            return err_nomem(d->err);
    }
    char place[4300];
    snprintf(place, sizeof place, "%s@%" PRIu64, d->sheet.account.path != NULL ? d->sheet.account.path : d->sheet.account.source,
             d->sheet.account.offset);
    dry_link_example(l, place);
    return 0;
}

static int preview(struct dry *d, struct branch *b, struct chunk *c)
{
    const struct stage_config *sink = b->sink;
    struct dry_output *o = dry_sheet_output(&d->sheet, sink->name);
    size_t records = chunk_records(c);
    int rc = o != NULL ? sink->type->preview(sink->settings, &b->env, c, &o->bytes, &o->place) : -1;
    chunk_delivered(&c);
    if (rc != 0 || o->bytes.failed || o->place.failed)
        return err_nomem(d->err);
    b->stats.records_in += records;
    b->stats.records_out += records;
    b->stats.bytes_in += o->bytes.len;
    b->stats.bytes_out += o->bytes.len;
    d->summary->records_out += records;
    return 0;
}

static int through(struct dry *d, struct dry_link *links, size_t count, struct chunk *c,
                   struct branch *branch);

/* ${c} has passed the common chain: each branch gets it. */
static int fan_out(struct dry *d, struct chunk *c)
{
    for (size_t i = 0; i < d->branch_count; i++) {
        struct branch *b = &d->branches[i];
        bool last = i + 1 == d->branch_count;
        struct chunk *mine = last ? c : chunk_fork(c);
        if (mine == NULL) {
            chunk_free(&c);
            return err_nomem(d->err);
        }
        if (through(d, b->links, b->count, mine, b) != 0) {
            if (!last)
                chunk_free(&c);
            return -1;
        }
    }
    return 0;
}

/* What came out of the link before ${links} goes on. */
static int drain(struct dry *d, struct dry_link *from, struct dry_link *links, size_t count,
                 struct branch *branch)
{
    struct list *node;
    while ((node = list_shift(&from->out)) != NULL)
        if (through(d, links, count, LIST_ENTRY(node, struct chunk, queued), branch) != 0)
            return -1;
    return 0;
}

/* ${c} goes through ${links}, then into the sink of ${branch}, or, without one, to all branches. */
static int through(struct dry *d, struct dry_link *links, size_t count, struct chunk *c,
                   struct branch *branch)
{
    if (count == 0)
        return branch != NULL ? preview(d, branch, c) : fan_out(d, c);
    struct buf before = snapshot(c);
    links[0].text_in += text_bytes(c);
    int rc = dry_link_feed(&links[0], c, d->err);
    if (rc == 0)
        rc = note_step(d, &links[0], &before);
    buf_clear(&before);
    return rc == 0 ? drain(d, &links[0], links + 1, count - 1, branch) : -1;
}

/* The chain has ended: what stages still held comes out. */
static int finish(struct dry *d, struct dry_link *links, size_t count, struct branch *branch)
{
    for (size_t i = 0; i < count; i++)
        if (dry_link_feed(&links[i], NULL, d->err) != 0 ||
            drain(d, &links[i], links + i + 1, count - i - 1, branch) != 0)
            return -1;
    return 0;
}

/* ---- the input ---------------------------------------------------------------------------------- */

static int run_record(void *arg, struct batch *from, size_t i, struct err *e)
{
    struct dry *d = arg;
    const struct record *r = &from->records[i];
    struct dry_account *a = &d->sheet.account;
    const char *path = from->body->origin->path;
    a->path = path != NULL ? path : d->options->input;
    a->offset = batch_offset(from, r);
    a->input = r->text;
    a->input_len = r->len;
    a->truncated = (r->flags & RECORD_TRUNCATED) != 0;
    d->summary->records_in++;
    d->summary->truncated += a->truncated;
    struct batch *b = batch_single(from, i);
    if (b == NULL)
        return err_nomem(e);
    int rc = through(d, d->links, d->count, &b->chunk, NULL);
    if (rc == 0)
        tell(d);
    return rc;
}

static struct dry_total *add_total(struct dry *d, const char *stage, const char *sink,
                                   const struct stage *type, const struct stage_stats *stats)
{
    struct dry_summary *s = d->summary;
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

/* Read ${type} with ${settings} as far as was asked for. */
static int run_source(struct dry *d, const struct stage *type, const char *name,
                      const void *settings)
{
    struct buf scope = {0};
    struct dry_input in = {.type = type, .settings = settings, .env = d->env, .limit = d->options->limit,
                           .interrupted = &d->interrupted, .record = run_record, .arg = d};
    buf_fmt(&scope, "%s/%s", d->config->name, name);
    d->sheet.account.source = name;
    in.env.name = name;
    in.env.scope = buf_cstr(&scope);
    int rc = in.env.scope != NULL ? dry_input_read(&in, d->err) : err_nomem(d->err);
    if (rc == 0 && add_total(d, name, NULL, type, &in.stats) == NULL)
        rc = err_nomem(d->err);
    buf_clear(&scope);
    return rc;
}

static int run_input(struct dry *d)
{
    const struct stage *type = stages_find(stages, STAGE_SOURCE, "stdin");
    void *settings = mem_zalloc(1, type->settings_size);
    int rc = settings != NULL && options_defaults(type->options, settings) == 0
                 ? dry_input_redirect(d->options->input, d->err)
                 : err_nomem(d->err);
    if (rc == 0)
        rc = run_source(d, type, "input", settings);
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
        if (run_source(d, source->type, source->name, source->settings) != 0)
            return -1;
    }
    return 0;
}

/* ---- one pipeline -------------------------------------------------------------------------------- */

static int open_links(struct dry *d, struct dry_link *links, size_t *count,
                      const struct stage_list *list, const char *sink)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct stage_config *sc = &list->items[i];
        struct dry_link *l = &links[(*count)++];
        if (dry_link_open(l, sc->type, sc->name, sink, sc->settings, &d->env, d->err) != 0)
            return -1;
    }
    return 0;
}

static int open_branch(struct dry *d, const struct stage_config *sink)
{
    struct branch *b = &d->branches[d->branch_count++];
    b->sink = sink;
    b->env = d->env;
    b->env.name = sink->name;
    b->env.stats = &b->stats;
    b->links = mem_zalloc(sink->transforms.count + 1, sizeof *b->links);
    if (b->links == NULL)
        return err_nomem(d->err);
    if (sink->where != NULL) {
        b->where.where = sink->where;
        b->count++;
        if (dry_link_open(&b->links[0], &stage_filter, "where", sink->name, &b->where, &d->env, d->err) != 0)
            return -1;
    }
    return open_links(d, b->links, &b->count, &sink->transforms, sink->name);
}

static int open_chain(struct dry *d)
{
    const struct pipeline_config *config = d->config;
    d->links = mem_zalloc(config->transforms.count + 1, sizeof *d->links);
    d->branches = mem_zalloc(config->sinks.count, sizeof *d->branches);
    if (d->links == NULL || d->branches == NULL)
        return err_nomem(d->err);
    if (open_links(d, d->links, &d->count, &config->transforms, NULL) != 0)
        return -1;
    for (size_t i = 0; i < config->sinks.count; i++)
        if (open_branch(d, &config->sinks.items[i]) != 0)
            return -1;
    return 0;
}

static int total_links(struct dry *d, struct dry_link *links, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        links[i].stats.bytes_in = links[i].text_in;
        if (links[i].type->out == PAYLOAD_RECORDS)
            links[i].stats.bytes_out = links[i].text_out;
        struct dry_total *t = add_total(d, links[i].name, links[i].sink, links[i].type, &links[i].stats);
        if (t == NULL)
            return err_nomem(d->err);
        memcpy(t->examples, links[i].examples, sizeof t->examples);
        memset(links[i].examples, 0, sizeof links[i].examples);
        t->error_examples = links[i].error_examples;
        links[i].error_examples = (struct buf){0};
    }
    return 0;
}

static int total_all(struct dry *d)
{
    if (total_links(d, d->links, d->count) != 0)
        return -1;
    for (size_t i = 0; i < d->branch_count; i++) {
        struct branch *b = &d->branches[i];
        if (total_links(d, b->links, b->count) != 0 ||
            add_total(d, b->sink->name, NULL, b->sink->type, &b->stats) == NULL)
            return err_nomem(d->err);
    }
    return 0;
}

static void close_links(struct dry_link *links, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dry_link_close(&links[i]);
}

static void free_links(struct dry_link *links, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < STAGE_REASONS; k++)
            buf_clear(&links[i].examples[k]);
        buf_clear(&links[i].error_examples);
        mem_free(links[i].scope);
    }
    mem_free(links);
}

static void close_chain(struct dry *d)
{
    close_links(d->links, d->count);
    for (size_t i = 0; i < d->branch_count; i++)
        close_links(d->branches[i].links, d->branches[i].count);
    loop_tick(d->loop);
    free_links(d->links, d->count);
    for (size_t i = 0; i < d->branch_count; i++)
        free_links(d->branches[i].links, d->branches[i].count);
    mem_free(d->branches);
    d->links = NULL;
    d->branches = NULL;
    d->count = d->branch_count = 0;
}

/* What stages held back comes out in the end, as an account of its own. */
static int finish_all(struct dry *d)
{
    struct dry_account *a = &d->sheet.account;
    a->source = a->path = a->input = NULL;
    a->input_len = 0;
    a->offset = 0;
    int rc = finish(d, d->links, d->count, NULL);
    for (size_t i = 0; rc == 0 && i < d->branch_count; i++)
        rc = finish(d, d->branches[i].links, d->branches[i].count, &d->branches[i]);
    if (rc == 0 && a->output_count > 0)
        tell(d);
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
    dry_sheet_clear(&d->sheet);
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
    struct dry d = {.options = options, .summary = summary, .err = e};
    ev_signal interrupt;
    int rc = -1;
    *summary = (struct dry_summary){0};
    d.loop = loop_new(e);
    if (d.loop == NULL)
        goto err0;
    d.work = work_new(d.loop, e);
    if (d.work == NULL)
        goto err1;
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
    dry_sheet_free(&d.sheet);
    loop_tick(d.loop);
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
