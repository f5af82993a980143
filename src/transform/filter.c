/* The filter transform: keeps the records for which an expression is true. */
#include "transform/filter.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/expr.h"
#include "record/scratch.h"
#include "stream/stream.h"

struct filter {
    struct stage_env *env;
    const struct filter_settings *set;
    struct scratch scratch;
};

static const struct option options[] = {
    {.key = "where", .type = OPTION_EXPR, .offset = offsetof(struct filter_settings, where),
     .required = true,
     .words = "The condition. Records for which it is true are kept, all others are dropped and counted."},
    {0},
};

static void trace(const struct filter *t, const struct record *r, bool keep)
{
    const struct stage_trace *to = t->env->trace;
    if (to != NULL && to->verdict != NULL)
        to->verdict(to->arg, r, keep ? "pass" : "drop", keep ? NULL : "where is not true");
}

static void filter_transform(struct stream *s, void *self, struct chunk *c)
{
    struct filter *t = self;
    struct batch *b = chunk_batch(c);
    size_t kept = 0;
    t->env->stats->records_in += b->count;
    t->env->stats->bytes_in += b->text;
    for (size_t i = 0; i < b->count; i++) {
        bool keep = expr_test(t->set->where, b, &b->records[i], &t->scratch);
        if (t->env->trace != NULL)
            trace(t, &b->records[i], keep);
        if (keep)
            b->records[kept++] = b->records[i];
    }
    stage_dropped(t->env, "where is not true", b->count - kept);
    b->count = kept;
    stage_pass(t->env, s, c);
    stream_transform_done(s, NULL);
}

static void filter_free(void *self)
{
    struct filter *t = self;
    scratch_clear(&t->scratch);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "filter",
    .transform = filter_transform,
    .free = filter_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct filter *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->env = env;
    t->set = settings;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = stream_transform_new(&ops, t, &o, e);
    if (stream == NULL)
        mem_free(t);
    return stream;
}

const struct stage stage_filter = {
    .kind = STAGE_TRANSFORM,
    .type = "filter",
    .summary = "Keeps the records for which an expression is true.",
    .description =
        "A missing field is null and a comparison between different types is false, so a record without the field is dropped by "
        "most conditions; say \"not exists(.field) or …\" to keep it. Fields of a JSON line are there once a json stage "
        "stands before. The language is described in the manual under Expressions.",
    .example = "{ \"type\": \"filter\", \"where\": \".level != \\\"debug\\\"\" }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct filter_settings),
    .open = open_stage,
};
