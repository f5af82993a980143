/* The csv transform: separated values, as RFC 4180 has them. */
#include <string.h>

#include "config/report.h"
#include "record/doc.h"
#include "stage/each.h"
#include "transform/types.h"

#define COLUMNS_MAX 500

enum { ERROR_PASS, ERROR_DROP };

struct csv_settings {
    struct path *field, *target;
    struct strings columns;
    struct string_map types;
    char *separator;
    int on_error;
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct csv_settings, name)
static const struct option options[] = {
    {.key = "columns", .type = OPTION_STRINGS, .offset = AT(columns), .required = true, .min = 1,
     .words = "The names of the columns, in their order; \"\" leaves one out."},
    {.key = "separator", .type = OPTION_STRING, .offset = AT(separator), .fallback = "\",\"", .min = 1,
     .words = "What stands between values: one byte, such as \";\" or \"\\t\"."},
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to take apart."},
    {.key = "types", .type = OPTION_STRING_MAP, .offset = AT(types), .fallback = "{}",
     .words = "What columns are, by name: " TYPES_WORDS},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target), .fallback = "\".\"",
     .words = "Where the columns are put, as an object; the root replaces the record."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing, has another number of values, or a quote out of place: it is passed on as "
              "it is, or dropped. Either is counted."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct csv_settings *set = settings;
    types_check(&set->types, report);
    if (strlen(set->separator) != 1 || strchr("\"\r\n", set->separator[0]) != NULL)
        report_key(report, "separator", "expected one byte other than a quote or a line end");
    if (set->columns.count > COLUMNS_MAX)
        report_key(report, "columns", "expected at most %d", COLUMNS_MAX);
}

/* The next value, up to a separator or the end. 1: *${out}; 0: a quote is out of place; -1: no memory. */
static int read_value(const char **at, const char *end, char separator, struct arena *a,
                      struct value *out)
{
    const char *start = *at;
    if (start == end || *start != '"') {
        while (*at < end && **at != separator)
            if (*(*at)++ == '"')
                return 0;
        *out = value_string(start, (size_t)(*at - start));
        return 1;
    }
    size_t doubled = 0;
    for (++*at; *at < end; ++*at) {
        if (**at != '"')
            continue;
        if (*at + 1 == end || (*at)[1] != '"')
            break;
        doubled++;
        ++*at;
    }
    if (*at == end)
        return 0;
    size_t len = (size_t)(*at - ++start), n = 0;
    ++*at;
    if (*at < end && **at != separator)
        return 0;
    *out = value_string(start, len);
    if (doubled == 0)
        return 1;
    char *text = arena_text(a, len);
    if (text == NULL)
        return -1;
    for (size_t i = 0; i < len; i++) {
        text[n++] = start[i];
        i += start[i] == '"';
    }
    *out = value_string(text, n);
    return 1;
}

/* 1: *${out} holds the columns; 0: the line is not what it should be; -1: no memory. */
static int read_all(const struct csv_settings *set, struct arena *a, const char *at, const char *end,
                    struct doc **out)
{
    *out = doc_new(a);
    if (*out == NULL)
        return -1;
    for (size_t i = 0; i < set->columns.count; i++) {
        const char *name = set->columns.items[i];
        size_t len = strlen(name);
        struct value text;
        if (i > 0 && at++ == end)
            return 0;
        int rc = read_value(&at, end, set->separator[0], a, &text);
        if (rc != 1)
            return rc;
        if (len == 0)
            continue;
        struct value v = types_convert(text.u.s, text.len, types_find(&set->types, name, len));
        struct path *p = path_of_key(a, name, len);
        if (p == NULL || doc_adopt(*out, a, p, &v) == DOC_NOMEM)
            return -1;
    }
    return at == end;
}

static enum each_verdict parse(void *self, const void *settings, struct batch *b, struct record *r,
                               struct each_why *why)
{
    (void)self;
    const struct csv_settings *set = settings;
    struct value text;
    struct doc *doc;
    int rc = 0, result = record_text(b, r, set->field, &text);
    if (result == DOC_OK)
        rc = read_all(set, &b->body->arena, text.u.s, text.u.s + text.len, &doc);
    if (result == DOC_NOMEM || rc < 0)
        return EACH_NOMEM;
    if (rc == 1)
        return record_put(b, r, set->target, doc) == DOC_NOMEM ? EACH_NOMEM : EACH_PASS;
    why->reason = "not the expected columns";
    each_explain(why, result == DOC_OK ? "%s is not a line of %zu values" : "%s is not a string", set->field->text,
                 set->columns.count);
    return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = parse};
    return each_open(&ops, env, settings, e);
}

#define ABC "\"columns\": [\"a\", \"b\", \"c\"]"

static const struct stage_case cases[] = {
    {ABC, "1,two,3.50", "{\"a\":\"1\",\"b\":\"two\",\"c\":\"3.50\"}"},
    {ABC ", \"types\": { \"a\": \"int\", \"c\": \"float\" }", "1,2,3.50", "{\"a\":1,\"b\":\"2\",\"c\":3.50}"},
    {ABC, "\"a, b\",\"say \"\"hi\"\"\",", "{\"a\":\"a, b\",\"b\":\"say \\\"hi\\\"\",\"c\":\"\"}"},
    {"\"columns\": [\"a\", \"\", \"c\"], \"separator\": \";\"", "1;2;3", "{\"a\":\"1\",\"c\":\"3\"}"},
    {"\"columns\": [\"a\", \"b\"], \"separator\": \"\\t\"", "1\t2,3", "{\"a\":\"1\",\"b\":\"2,3\"}"},
    {"\"columns\": [\"a\"], \"field\": \".l\", \"target\": \".p\"", "{\"l\":\"x\"}", "{\"l\":\"x\",\"p\":{\"a\":\"x\"}}"},
    {"\"columns\": [\"a\"]", "\xff", "{\"a\":\"\xef\xbf\xbd\"}"},
    {ABC, "1,2", "1,2"},
    {ABC, "1,2,3,4", "1,2,3,4"},
    {ABC ", \"on_error\": \"drop\"", "1,\"2,3", NULL},
    {ABC ", \"on_error\": \"drop\"", "1,2\"2,3", NULL},
    {ABC ", \"on_error\": \"drop\"", "1,\"2\"2,3", NULL},
    {0},
};

const struct stage stage_csv = {
    .kind = STAGE_TRANSFORM,
    .type = "csv",
    .summary = "Takes separated values apart.",
    .description =
        "One line is one row (RFC 4180): a value with a separator or a quote in it stands in double quotes, in which a quote is doubled. A value "
        "cannot hold a line feed, because lines are records. The number of values must be that of the columns.",
    .example = "{ \"type\": \"csv\", \"columns\": [\"time\", \"user\", \"bytes\"], \"types\": { \"bytes\": \"int\" } }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct csv_settings),
    .check = check,
    .open = open_stage,
};
