/* The set transform: gives fields new values. */
#include "record/doc.h"
#include "record/expr.h"
#include "record/scratch.h"
#include "stage/each.h"

struct set_settings {
    struct path_map fields;
};

static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATH_EXPRS, .offset = offsetof(struct set_settings, fields),
     .required = true, .min = 1,
     .words = "For each field its new value, an expression. They are set one after the other: a later one sees what an earlier one "
              "has set."},
    {0},
};

static const struct stage_case cases[] = {
    {"\"fields\": { \".b\": \".a + 1\" }", "{\"a\":1}", "{\"a\":1,\"b\":2}"},
    {"\"fields\": { \".a\": \"'new'\" }", "{\"a\":1.50,\"z\":1.50}", "{\"a\":\"new\",\"z\":1.50}"},
    {"\"fields\": { \".x.y[1]\": \"true\" }", "{\"x\":3}", "{\"x\":{\"y\":[null,true]}}"},
    {"\"fields\": { \".copy\": \".n\" }", "{\"n\":12345678901234567890}", "{\"n\":12345678901234567890,\"copy\":12345678901234567890}"},
    {"\"fields\": { \".copy\": \".s\" }", "{ \"s\" : \"h\\u00e9\" }", "{\"s\":\"h\\u00e9\",\"copy\":\"h\\u00e9\"}"},
    {"\"fields\": { \".b\": \".missing\" }", "{\"a\":1}", "{\"a\":1,\"b\":null}"},
    {"\"fields\": { \".b\": \".a * 2\" }", "{\"a\":\"x\"}", "{\"a\":\"x\",\"b\":null}"},
    {"\"fields\": { \".a\": \"1\", \".b\": \".a + 1\" }", "{}", "{\"a\":1,\"b\":2}"},
    {"\"fields\": { \".level\": \"'info'\" }", "a plain line", "{\"message\":\"a plain line\",\"level\":\"info\"}"},
    {"\"fields\": { \".ok\": \"true\" }", "bad \xff\xfe utf-8", "{\"message\":\"bad \xef\xbf\xbd\xef\xbf\xbd utf-8\",\"ok\":true}"},
    {"\"fields\": { \".\": \"1\" }", "{\"a\":1}", "{\"a\":1}"},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct set_settings *set = settings;
    each_check_fields(set->fields.items, set->fields.count, report);
}

static enum each_verdict assign(void *self, const void *settings, struct batch *b, struct record *r,
                                struct each_why *why)
{
    const struct set_settings *set = settings;
    struct scratch *scratch = self;
    enum each_verdict verdict = EACH_PASS;
    for (size_t i = 0; i < set->fields.count; i++) {
        const struct path_entry *field = &set->fields.items[i];
        scratch_reset(scratch);
        struct value v = expr_eval(field->expr, b, r, scratch);
        int result = record_set(b, r, field->path, &v);
        if (result == DOC_NOMEM)
            return EACH_NOMEM;
        if (result == DOC_REFUSED) {
            why->reason = "cannot be set";
            each_explain(why, "%s cannot be set to this: the record is an object", field->path->text);
            verdict = EACH_ERROR_PASS;
        }
    }
    return verdict;
}

static void clear(void *self)
{
    scratch_clear(self);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.self_size = sizeof(struct scratch), .record = assign, .clear = clear};
    return each_open(&ops, env, settings, e);
}

const struct stage stage_set = {
    .kind = STAGE_TRANSFORM,
    .type = "set",
    .summary = "Gives fields new values.",
    .description =
        "Objects on the way to a field are made when they are missing, and what is in the way is replaced. A field that is there stays where "
        "it stands, a new one comes last. Everything that is not set keeps its bytes. A plain line becomes an object with its text as "
        ".message first.",
    .example = "{ \"type\": \"set\", \"fields\": { \".host\": \"@host\", \".took_s\": \".took_ms / 1000\" } }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct set_settings),
    .check = check,
    .open = open_stage,
};
