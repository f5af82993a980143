/* The logfmt transform: key=value pairs. */
#include <string.h>

#include "record/doc.h"
#include "stage/each.h"
#include "transform/types.h"

#define PAIRS_MAX 500 /* finding a key takes time for each one before it: a line of a million pairs must not hang the agent */

enum { ERROR_PASS, ERROR_DROP };

struct logfmt_settings {
    struct path *field, *target;
    struct string_map types;
    int on_error;
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct logfmt_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to take apart."},
    {.key = "types", .type = OPTION_STRING_MAP, .offset = AT(types), .fallback = "{}",
     .words = "What values are, by name: " TYPES_WORDS},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target), .fallback = "\".\"",
     .words = "Where the pairs are put, as an object; the root replaces the record."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing or is not logfmt: it is passed on as it is, or dropped. Either is "
              "counted."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct logfmt_settings *set = settings;
    types_check(&set->types, report);
}

/* What is left of the line. */
struct reader {
    const char *at, *end;
    struct arena *arena;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The text between quotes, from behind the first one. 1: *${out}; 0: it has no end, or is glued to what follows; -1: no memory. */
static int read_quoted(struct reader *r, struct value *out)
{
    const char *start = r->at;
    bool escaped = false;
    for (; r->at < r->end && *r->at != '"'; r->at++)
        if (*r->at == '\\' && r->at + 1 < r->end) {
            escaped = true;
            r->at++;
        }
    if (r->at == r->end)
        return 0;
    size_t len = (size_t)(r->at++ - start), n = 0;
    if (r->at < r->end && !is_space(*r->at))
        return 0;
    *out = value_string(start, len);
    if (!escaped)
        return 1;
    char *text = arena_text(r->arena, len);
    if (text == NULL)
        return -1;
    for (size_t i = 0; i < len; i++) {
        char c = start[i];
        if (c == '\\' && i + 1 < len) {
            c = start[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        text[n++] = c;
    }
    *out = value_string(text, n);
    return 1;
}

/* A key, and behind '=' its value; a key alone is true. As read_quoted. */
static int read_pair(struct reader *r, const struct string_map *types, struct value *key,
                     struct value *value)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at != '=' && !is_space(*r->at)) {
        if (*r->at == '"')
            return 0;
        r->at++;
    }
    *key = value_string(start, (size_t)(r->at - start));
    if (key->len == 0)
        return 0;
    *value = value_bool(true);
    if (r->at == r->end || *r->at != '=')
        return 1;
    if (++r->at < r->end && *r->at == '"') {
        r->at++;
        return read_quoted(r, value);
    }
    start = r->at;
    while (r->at < r->end && !is_space(*r->at))
        if (*r->at++ == '"')
            return 0;
    *value = types_convert(start, (size_t)(r->at - start), types_find(types, key->u.s, key->len));
    return 1;
}

/* 1: *${out} holds the pairs; 0: it is not logfmt; -1: no memory. */
static int read_all(struct reader *r, const struct string_map *types, struct doc **out)
{
    *out = doc_new(r->arena);
    if (*out == NULL)
        return -1;
    if (memchr(r->at, '=', (size_t)(r->end - r->at)) == NULL)
        return 0; /* or any words would be keys */
    for (unsigned pairs = 0;; pairs++) {
        struct value key, value;
        while (r->at < r->end && is_space(*r->at))
            r->at++;
        if (r->at == r->end)
            return 1;
        int rc = pairs < PAIRS_MAX ? read_pair(r, types, &key, &value) : 0;
        if (rc != 1)
            return rc;
        struct path *p = path_of_key(r->arena, key.u.s, key.len);
        if (p == NULL || doc_adopt(*out, r->arena, p, &value) == DOC_NOMEM)
            return -1;
    }
}

static enum each_verdict parse(void *self, const void *settings, struct batch *b, struct record *r,
                               struct each_why *why)
{
    (void)self;
    const struct logfmt_settings *set = settings;
    struct value text;
    struct doc *doc;
    int rc = 0, result = record_text(b, r, set->field, &text);
    if (result == DOC_OK) {
        struct reader reader = {text.u.s, text.u.s + text.len, &b->body->arena};
        rc = read_all(&reader, &set->types, &doc);
        each_explain(why, "%s is not logfmt at byte %zu", set->field->text, (size_t)(reader.at - text.u.s));
    } else {
        each_explain(why, "%s is not a string", set->field->text);
    }
    if (result == DOC_NOMEM || rc < 0)
        return EACH_NOMEM;
    if (rc == 1)
        return record_put(b, r, set->target, doc) == DOC_NOMEM ? EACH_NOMEM : EACH_PASS;
    why->reason = "not logfmt";
    return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = parse};
    return each_open(&ops, env, settings, e);
}

static const struct stage_case cases[] = {
    {"", "level=info msg=\"all is well\" took=1.50 ok", "{\"level\":\"info\",\"msg\":\"all is well\",\"took\":\"1.50\",\"ok\":true}"},
    {"\"types\": { \"took\": \"float\", \"n\": \"int\" }", "took=1.50 n=12", "{\"took\":1.50,\"n\":12}"},
    {"", "msg=\"say \\\"hi\\\"\\n\" path=/a/b?c=d empty= e2=\"\"",
     "{\"msg\":\"say \\\"hi\\\"\\n\",\"path\":\"/a/b?c=d\",\"empty\":\"\",\"e2\":\"\"}"},
    {"", "a=1  \t b=2 ", "{\"a\":\"1\",\"b\":\"2\"}"},
    {"", "a=1 a=2", "{\"a\":\"2\"}"},
    {"", "a.b=1", "{\"a.b\":\"1\"}"},
    {"\"field\": \".msg\", \"target\": \".kv\"", "{\"msg\":\"a=\\u00e9\"}", "{\"msg\":\"a=\\u00e9\",\"kv\":{\"a\":\"\xc3\xa9\"}}"},
    {"", "a=\xff", "{\"a\":\"\xef\xbf\xbd\"}"},
    {"", "just some words", "just some words"},
    {"", "a=\"no end", "a=\"no end"},
    {"", "a=\"x\"y", "a=\"x\"y"},
    {"\"on_error\": \"drop\"", "=1", NULL},
    {"\"on_error\": \"drop\", \"field\": \".n\"", "{\"n\":1}", NULL},
    {0},
};

const struct stage stage_logfmt = {
    .kind = STAGE_TRANSFORM,
    .type = "logfmt",
    .summary = "Takes key=value pairs apart.",
    .description =
        "Pairs are separated by blanks. A value may stand in double quotes, with \\\" \\\\ \\n \\t \\r as escapes; a key without = is true. "
        "A line without any =, with an open quote, or with more than 500 pairs is an error. Of a repeated key the last value counts.",
    .example = "{ \"type\": \"logfmt\", \"types\": { \"status\": \"int\" } }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct logfmt_settings),
    .check = check,
    .open = open_stage,
};
