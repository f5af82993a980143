/* The rename transform: gives fields other names. */
#include "record/doc.h"
#include "stage/each.h"

struct rename_settings {
    struct path_map fields;
};

static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATH_PATHS, .offset = offsetof(struct rename_settings, fields),
     .required = true, .min = 1,
     .words = "For each field its new path. They are renamed one after the other. A field that is not there is left out; one that is there "
              "under the new name is replaced."},
    {0},
};

static const struct stage_case cases[] = {
    {"\"fields\": { \".a\": \".b\" }", "{\"a\":1.00,\"c\":2}", "{\"c\":2,\"b\":1.00}"},
    {"\"fields\": { \".a\": \".x.y\" }", "{\"a\":\"\\u00e9\"}", "{\"x\":{\"y\":\"\\u00e9\"}}"},
    {"\"fields\": { \".a\": \".b\" }", "{\"a\":1,\"b\":2}", "{\"b\":1}"},
    {"\"fields\": { \".a\": \".b\" }", "{ \"c\":3 }", "{ \"c\":3 }"},
    {"\"fields\": { \".a\": \".a.b\" }", "{\"a\":{\"z\":1}}", "{\"a\":{\"b\":{\"z\":1}}}"},
    {"\"fields\": { \".message\": \".text\" }", "a plain line", "{\"text\":\"a plain line\"}"},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct rename_settings *set = settings;
    each_check_fields(set->fields.items, set->fields.count, report);
}

static enum each_verdict rename_all(void *self, const void *settings, struct batch *b,
                                    struct record *r, struct each_why *why)
{
    (void)self;
    (void)why;
    const struct rename_settings *set = settings;
    for (size_t i = 0; i < set->fields.count; i++) {
        const struct path_entry *field = &set->fields.items[i];
        struct value v;
        if (!record_get(b, r, field->path, &v))
            continue;
        /* removing only marks the place: what the value refers to stays in the arena */
        if (record_remove(b, r, field->path) == DOC_NOMEM ||
            record_adopt(b, r, field->to, &v) == DOC_NOMEM)
            return EACH_NOMEM;
    }
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = rename_all};
    return each_open(&ops, env, settings, e);
}

const struct stage stage_rename = {
    .kind = STAGE_TRANSFORM,
    .type = "rename",
    .summary = "Gives fields other names.",
    .description = "The value keeps its bytes and comes last under its new name. A field may move into another object, which is made when it is "
                   "missing.",
    .example = "{ \"type\": \"rename\", \"fields\": { \".msg\": \".message\", \".ip\": \".client.ip\" } }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct rename_settings),
    .check = check,
    .open = open_stage,
};
