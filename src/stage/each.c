#include "stage/each.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/batch.h"
#include "record/path.h"
#include "stream/stream.h"

struct each {
    const struct each_ops *ops;
    struct stage_env *env;
    const void *settings;
    alignas(max_align_t) char self[];
};

static void trace(const struct stage_trace *to, const struct record *r, enum each_verdict verdict,
                  const struct each_why *why)
{
    static const char *const words[] = {"pass", "drop", "error", "drop", "pass"};
    if (to->verdict != NULL)
        to->verdict(to->arg, r, words[verdict],
                    verdict == EACH_PASS        ? NULL
                    : why->detail[0] != '\0' ? why->detail
                                                : why->reason);
}

bool each_settle(struct stage_env *env, const struct record *r, enum each_verdict verdict,
                 struct each_why *why)
{
    if (why->wanted) {
        trace(env->trace, r, verdict, why);
        why->detail[0] = '\0';
    }
    if (verdict == EACH_ERROR_PASS || verdict == EACH_ERROR_DROP)
        env->stats->errors++;
    if (verdict != EACH_DROP && verdict != EACH_ERROR_DROP)
        return true;
    stage_dropped(env, why->reason, 1);
    return false;
}

/* Look at each record of ${b}; those that are kept move up. -1: no memory. */
static int look_at_all(struct each *t, struct batch *b)
{
    struct each_why why = {.wanted = t->env->trace != NULL};
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct record *r = &b->records[i];
        enum each_verdict verdict = t->ops->record(t->self, t->settings, b, r, &why);
        if (verdict == EACH_NOMEM)
            return -1;
        if ((verdict == EACH_PASS && !why.wanted) || each_settle(t->env, r, verdict, &why))
            b->records[kept++] = *r;
    }
    b->count = kept;
    return 0;
}

static void each_transform(struct stream *s, void *self, struct chunk *c)
{
    struct each *t = self;
    struct batch *b = chunk_batch(c);
    t->env->stats->records_in += b->count;
    t->env->stats->bytes_in += b->text;
    if (look_at_all(t, b) != 0) {
        struct err e = {0};
        err_nomem(&e);
        chunk_free(&c);
        stream_transform_done(s, &e);
        return;
    }
    stage_pass(t->env, s, c);
    stream_transform_done(s, NULL);
}

static void each_free(void *self)
{
    struct each *t = self;
    if (t->ops->clear != NULL)
        t->ops->clear(t->self);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "transform",
    .transform = each_transform,
    .free = each_free,
};

struct stream *each_open(const struct each_ops *each, struct stage_env *env, const void *settings,
                         struct err *e)
{
    struct each *t = mem_zalloc(1, sizeof *t + each->self_size);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->ops = each;
    t->env = env;
    t->settings = settings;
    if (each->init != NULL && each->init(t->self, env, settings, e) != 0) {
        mem_free(t);
        return NULL;
    }
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = stream_transform_new(&ops, t, &o, e);
    if (stream == NULL)
        each_free(t);
    return stream;
}

void each_explain(struct each_why *why, const char *fmt, ...)
{
    va_list ap;
    if (!why->wanted)
        return;
    va_start(ap, fmt);
    vsnprintf(why->detail, sizeof why->detail, fmt, ap);
    va_end(ap);
}

static void check_path(const struct path *p, struct config_report *report)
{
    if (p != NULL && p->meta != PATH_FIELD)
        report_key(report, "fields", "%s is metadata, which cannot be changed: expected a field", p->text);
}

void each_check_paths(const struct paths *fields, struct config_report *report)
{
    for (size_t i = 0; i < fields->count; i++)
        check_path(fields->items[i], report);
}

void each_check_fields(const struct path_entry *fields, size_t count, struct config_report *report)
{
    for (size_t i = 0; i < count; i++) {
        check_path(fields[i].path, report);
        check_path(fields[i].to, report);
    }
}
