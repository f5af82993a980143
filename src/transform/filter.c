/* The filter transform: keeps the records for which an expression is true. */
#include "transform/filter.h"

#include "record/expr.h"
#include "record/scratch.h"
#include "stage/each.h"

static const struct option options[] = {
    {.key = "where", .type = OPTION_EXPR, .offset = offsetof(struct filter_settings, where),
     .required = true,
     .words = "The condition. Records for which it is true are kept, all others are dropped and counted."},
    {0},
};

static const struct stage_case cases[] = {
    {"\"where\": \".level != 'debug'\"", "{\"level\":\"info\"}", "{\"level\":\"info\"}"},
    {"\"where\": \".level != 'debug'\"", "{\"level\":\"debug\"}", NULL},
    {"\"where\": \".level != 'debug'\"", "{}", "{}"},
    {"\"where\": \".status >= 500\"", "{}", NULL},
    {"\"where\": \".status >= 500\"", "{\"status\":\"500\"}", NULL},
    {"\"where\": \".n == 9007199254740993\"", "{\"n\":9007199254740993}", "{\"n\":9007199254740993}"},
    {"\"where\": \".n == 9007199254740993\"", "{\"n\":9007199254740992}", NULL},
    {"\"where\": \".message contains 'error'\"", "an error occurred", "an error occurred"},
    {0},
};

static enum each_verdict test(void *self, const void *settings, struct batch *b, struct record *r,
                              struct each_why *why)
{
    const struct filter_settings *set = settings;
    if (expr_test(set->where, b, r, self))
        return EACH_PASS;
    why->reason = "where is not true";
    return EACH_DROP;
}

static void clear(void *self)
{
    scratch_clear(self);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.self_size = sizeof(struct scratch), .record = test, .clear = clear};
    return each_open(&ops, env, settings, e);
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
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct filter_settings),
    .open = open_stage,
};
