#include "agent/dry_chain.h"

#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"

static void on_verdict(void *arg, const struct record *r, const char *verdict, const char *reason)
{
    struct dry_link *l = arg;
    (void)r;
    l->step.verdict = verdict;
    snprintf(l->step.reason, sizeof l->step.reason, "%s", reason != NULL ? reason : "");
}

static void on_data(void *arg, struct stream_news *n)
{
    struct dry_link *l = arg;
    struct chunk *c = stream_take(n);
    list_push(&l->out, &c->queued);
}

static void on_end(void *arg, struct stream_news *n)
{
    struct dry_link *l = arg;
    (void)n;
    l->ended = true;
}

static void on_error(void *arg, struct stream_news *n)
{
    struct dry_link *l = arg;
    l->err = *n->err;
}

static void on_written(void *arg, const struct err *e)
{
    struct dry_link *l = arg;
    if (e != NULL && !err_is(&l->err))
        l->err = *e;
    l->done = true;
}

int dry_link_open(struct dry_link *l, const struct stage *type, const char *name, const char *sink,
                  const void *settings, const struct stage_env *env, struct err *e)
{
    struct buf scope = {0};
    buf_fmt(&scope, "%s/%s", env->pipeline, name);
    list_init(&l->out);
    l->type = type;
    l->sink = sink;
    l->name = name;
    if (buf_cstr(&scope) == NULL)
        buf_clear(&scope);
    l->scope = scope.data;
    if (l->scope == NULL)
        return err_nomem(e);
    l->trace = (struct stage_trace){.arg = l, .verdict = on_verdict};
    l->env = *env;
    l->env.name = l->name;
    l->env.scope = l->scope;
    l->env.stats = &l->stats;
    l->env.trace = &l->trace;
    l->step.stage = l->name;
    l->step.sink = sink;
    l->stream = type->open(&l->env, settings, e);
    if (l->stream == NULL)
        return -1;
    stream_on(l->stream, STREAM_ERROR, &l->error, on_error, l);
    stream_on(l->stream, STREAM_END, &l->end, on_end, l);
    stream_on(l->stream, STREAM_DATA, &l->data, on_data, l);
    return 0;
}

int dry_link_feed(struct dry_link *l, struct chunk *c, struct err *e)
{
    double before = loop_now();
    l->step.verdict = NULL;
    l->step.reason[0] = '\0';
    l->done = false;
    if (c != NULL) {
        stream_write(l->stream, c, on_written, l);
        while (!l->done && !err_is(&l->err))
            loop_turn(l->env.loop);
        loop_tick(l->env.loop);
    } else {
        stream_end(l->stream, NULL);
        while (!l->ended && !err_is(&l->err))
            loop_turn(l->env.loop);
    }
    l->step.seconds = loop_now() - before;
    if (err_is(&l->err))
        return err_set(e, l->err.code, "%s: %s", l->scope, l->err.text);
    return 0;
}

void dry_link_example(struct dry_link *l, const char *place)
{
    if (l->stats.errors > l->error_count && l->error_count < DRY_EXAMPLES)
        buf_fmt(&l->error_examples, "%s: %s\n", place, l->step.reason);
    l->error_count = l->stats.errors;
    for (int i = 0; i < STAGE_REASONS && l->stats.dropped[i].reason != NULL; i++) {
        /* the counter that this record moved */
        if (l->stats.dropped[i].records > l->example_count[i]) {
            if (l->example_count[i] < DRY_EXAMPLES)
                buf_fmt(&l->examples[i], "%s\n", place);
            l->example_count[i] = l->stats.dropped[i].records;
        }
    }
}

static void link_close(struct dry_link *l)
{
    stream_off(&l->data);
    stream_off(&l->end);
    stream_off(&l->error);
    struct list *node;
    while (l->out.next != NULL && (node = list_shift(&l->out)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
    stream_free(&l->stream);
}

int dry_links_new(struct dry_links *links, size_t most)
{
    *links = (struct dry_links){mem_zalloc(most + 1, sizeof *links->items), 0};
    return links->items != NULL ? 0 : -1;
}

struct dry_link *dry_links_add(struct dry_links *links)
{
    struct dry_link *l = &links->items[links->count++];
    if (links->count > 1)
        l[-1].next = l;
    return l;
}

struct dry_link *dry_links_first(const struct dry_links *links, const struct dry_links *then)
{
    if (links->count > 0)
        return links->items;
    return then != NULL ? dry_links_first(then, NULL) : NULL;
}

void dry_links_close(struct dry_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        link_close(&links->items[i]);
}

void dry_links_free(struct dry_links *links)
{
    for (size_t i = 0; i < links->count; i++) {
        struct dry_link *l = &links->items[i];
        for (int k = 0; k < STAGE_REASONS; k++)
            buf_clear(&l->examples[k]);
        buf_clear(&l->error_examples);
        mem_free(l->scope);
    }
    mem_free(links->items);
    *links = (struct dry_links){0};
}
