/* The json transform: parses a string field of each record as a JSON object. */
#include "record/doc.h"
#include "record/path.h"
#include "stage/each.h"

enum { ERROR_PASS, ERROR_DROP };

struct json_settings {
    struct path *field, *target;
    int on_error;
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct json_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to parse."},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target), .fallback = "\".\"",
     .words = "Where the object is put; the root replaces the record."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing or is not a JSON object: it is passed on as it is, or dropped. "
              "Either is counted."},
    {0},
};

static const struct stage_case cases[] = {
    {"", "{ \"a\": 1.0, \"b\": \"\\u0041\" }", "{ \"a\": 1.0, \"b\": \"\\u0041\" }"},
    {"\"target\": \".data\"", "{\"a\":1}", "{\"message\":\"{\\\"a\\\":1}\",\"data\":{\"a\":1}}"},
    {"", "not JSON", "not JSON"},
    {"\"on_error\": \"drop\"", "not JSON", NULL},
    {"\"on_error\": \"drop\"", "[1,2]", NULL},
    {"\"on_error\": \"drop\"", "{\"a\":\"\xff\"}", NULL},
    {"\"on_error\": \"drop\", \"field\": \".missing\"", "{\"a\":1}", NULL},
    {0},
};

static enum each_verdict parse(void *self, const void *settings, struct batch *b, struct record *r,
                               struct each_why *why)
{
    (void)self;
    const struct json_settings *set = settings;
    struct jscan_fault fault = {0};
    int result = record_parse(b, r, set->field, set->target, &fault);
    if (result == DOC_OK)
        return EACH_PASS;
    if (result == DOC_NOMEM)
        return EACH_NOMEM;
    why->reason = "not a JSON object";
    each_explain(why, "%s is not a JSON object: at byte %u: %s", set->field->text, fault.offset, fault.what);
    return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = parse};
    return each_open(&ops, env, settings, e);
}

const struct stage stage_json = {
    .kind = STAGE_TRANSFORM,
    .type = "json",
    .summary = "Parses a JSON object.",
    .description =
        "The string in field is parsed as strict JSON (RFC 8259) and the object put at target. With the defaults the line becomes the "
        "record: later stages see its members, and a sink still sends it byte for byte as long as nothing changes it.",
    .example = "{ \"type\": \"json\" }",
    .cases = cases,
    .cases_plain = true,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct json_settings),
    .open = open_stage,
};
