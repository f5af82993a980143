/* The remove transform: takes fields away. */
#include "record/doc.h"
#include "stage/each.h"

struct remove_settings {
    struct paths fields;
};

static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATHS, .offset = offsetof(struct remove_settings, fields),
     .required = true, .min = 1, .words = "The fields to take away. One that is not there is no error."},
    {0},
};

static const struct stage_case cases[] = {
    {"\"fields\": [\".b\"]", "{\"a\":1.0,\"b\":2,\"c\":\"\\u0041\"}", "{\"a\":1.0,\"c\":\"\\u0041\"}"},
    {"\"fields\": [\".x.y\", \".l[0]\"]", "{\"x\":{\"y\":1,\"z\":2},\"l\":[1,2]}", "{\"x\":{\"z\":2},\"l\":[2]}"},
    {"\"fields\": [\".nope\"]", "{ \"a\" : 1 }", "{ \"a\" : 1 }"},
    {"\"fields\": [\".a\"]", "{\"a\":1,\"a\":2,\"b\":3}", "{\"b\":3}"},
    {"\"fields\": [\".\\\"odd key\\\"\"]", "{\"odd\\u0020key\":1}", "{}"},
    {"\"fields\": [\".a\"]", "a plain line", "a plain line"},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct remove_settings *set = settings;
    each_check_paths(&set->fields, report);
}

static enum each_verdict take_away(void *self, const void *settings, struct batch *b,
                                   struct record *r, struct each_why *why)
{
    (void)self;
    (void)why;
    const struct remove_settings *set = settings;
    for (size_t i = 0; i < set->fields.count; i++)
        if (record_remove(b, r, set->fields.items[i]) == DOC_NOMEM)
            return EACH_NOMEM;
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = take_away};
    return each_open(&ops, env, settings, e);
}

const struct stage stage_remove = {
    .kind = STAGE_TRANSFORM,
    .type = "remove",
    .summary = "Takes fields away.",
    .description = "What stays keeps its order and its bytes. When an element of an array goes, those behind it move up.",
    .example = "{ \"type\": \"remove\", \"fields\": [\".password\", \".http.cookies\"] }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct remove_settings),
    .check = check,
    .open = open_stage,
};
