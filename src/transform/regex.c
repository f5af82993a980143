/* The regex transform: takes a line apart by a pattern with named groups. */
#include "record/regex.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/doc.h"
#include "stage/each.h"
#include "transform/types.h"

enum { ERROR_PASS, ERROR_DROP };

struct regex_settings {
    struct path *field, *target;
    char *pattern;
    struct string_map types;
    int on_error;
};

/* A named group. */
struct group {
    unsigned number;
    enum text_type type;
    struct path *path;
};

struct regex_stage {
    struct regex *re;
    struct group *groups;
    size_t count;
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct regex_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to take apart."},
    {.key = "pattern", .type = OPTION_STRING, .offset = AT(pattern), .required = true, .min = 1,
     .words = "A PCRE2 pattern with at least one named group, (?<name>…). It is not anchored unless ^ and $ say so."},
    {.key = "types", .type = OPTION_STRING_MAP, .offset = AT(types), .fallback = "{}",
     .words = "What groups are, by name: " TYPES_WORDS},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target), .fallback = "\".\"",
     .words = "Where the groups are put, as an object; the root replaces the record."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing, no string, or not matched: it is passed on as it is, or dropped. "
              "Either is counted."},
    {0},
};

static bool has_group(const struct regex *re, const char *name)
{
    for (unsigned i = 1; i <= regex_groups(re); i++)
        if (regex_name(re, i) != NULL && strcmp(regex_name(re, i), name) == 0)
            return true;
    return false;
}

static bool has_any_name(const struct regex *re)
{
    for (unsigned i = 1; i <= regex_groups(re); i++)
        if (regex_name(re, i) != NULL)
            return true;
    return false;
}

static void check(const void *settings, struct config_report *report)
{
    const struct regex_settings *set = settings;
    struct err e = {0};
    struct regex *re = regex_new(set->pattern, strlen(set->pattern), &e);
    if (re == NULL) {
        if (e.code == ERR_NOMEM)
            report->failed = true;
        report_key(report, "pattern", "%s", e.text);
        return;
    }
    if (!has_any_name(re))
        report_key(report, "pattern", "expected at least one named group, (?<name>…)");
    for (size_t i = 0; i < set->types.count; i++) {
        const struct string_entry *t = &set->types.items[i];
        if (!has_group(re, t->key))
            report_key(report, "types", "the pattern has no group \"%s\"", t->key);
    }
    types_check(&set->types, report);
    regex_free(&re);
}

static void clear(void *self)
{
    struct regex_stage *t = self;
    for (size_t i = 0; i < t->count; i++)
        path_free(&t->groups[i].path);
    mem_free(t->groups);
    regex_free(&t->re);
}

/* Names of groups are letters, digits and _, so ".name" is a path. */
static int add_group(struct regex_stage *t, unsigned number, const struct regex_settings *set,
                     struct err *e)
{
    char text[260] = ".";
    const char *name = regex_name(t->re, number);
    struct group *g = &t->groups[t->count++];
    strncat(text, name, sizeof text - 2);
    *g = (struct group){.number = number, .type = types_find(&set->types, name, strlen(name))};
    g->path = path_new(text, strlen(text), e);
    return g->path != NULL ? 0 : -1;
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    (void)env;
    struct regex_stage *t = self;
    const struct regex_settings *set = settings;
    t->re = regex_new(set->pattern, strlen(set->pattern), e);
    if (t->re == NULL)
        return -1;
    t->groups = mem_zalloc(regex_groups(t->re) + (size_t)1, sizeof *t->groups);
    if (t->groups == NULL) {
        err_nomem(e);
        goto err0;
    }
    for (unsigned i = 1; i <= regex_groups(t->re); i++)
        if (regex_name(t->re, i) != NULL && add_group(t, i, set, e) != 0)
            goto err0;
    return 0;
err0:
    clear(t);
    return -1;
}

/* A doc with the groups that took part in the match. NULL: no memory. */
static struct doc *collect(const struct regex_stage *t, struct arena *a, const char *s)
{
    struct doc *doc = doc_new(a);
    for (size_t i = 0; i < t->count && doc != NULL; i++) {
        const struct group *g = &t->groups[i];
        size_t start, end;
        if (!regex_group(t->re, g->number, &start, &end))
            continue;
        struct value v = types_convert(s + start, end - start, g->type);
        if (doc_adopt(doc, a, g->path, &v) == DOC_NOMEM)
            return NULL;
    }
    return doc;
}

static enum each_verdict refuse(const struct regex_settings *set, struct each_why *why,
                                const char *what)
{
    why->reason = "not matched";
    each_explain(why, "%s %s", set->field->text, what);
    return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
}

static enum each_verdict match(void *self, const void *settings, struct batch *b, struct record *r,
                               struct each_why *why)
{
    struct regex_stage *t = self;
    const struct regex_settings *set = settings;
    struct value text;
    int result = record_text(b, r, set->field, &text);
    if (result == DOC_NOMEM)
        return EACH_NOMEM;
    if (result == DOC_REFUSED)
        return refuse(set, why, "is not a string");
    switch (regex_match(t->re, text.u.s, text.len)) {
    case REGEX_YES: break;
    case REGEX_NO: return refuse(set, why, "does not match the pattern");
    case REGEX_GAVE_UP: return refuse(set, why, "was given up: the pattern takes too many steps on it");
    }
    struct doc *doc = collect(t, &b->body->arena, text.u.s);
    if (doc == NULL || record_put(b, r, set->target, doc) == DOC_NOMEM)
        return EACH_NOMEM;
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {
        .self_size = sizeof(struct regex_stage), .init = init, .record = match, .clear = clear};
    return each_open(&ops, env, settings, e);
}

#define LEVEL "\"pattern\": \"^(?<level>[A-Z]+) (?<n>[0-9.]+)( (?<rest>.*))?$\""

static const struct stage_case cases[] = {
    {LEVEL, "INFO 12 all is well", "{\"level\":\"INFO\",\"n\":\"12\",\"rest\":\"all is well\"}"},
    {LEVEL ", \"types\": { \"n\": \"int\" }", "INFO 12345678901234567", "{\"level\":\"INFO\",\"n\":12345678901234567}"},
    {LEVEL ", \"types\": { \"n\": \"int\" }", "INFO 1.50", "{\"level\":\"INFO\",\"n\":\"1.50\"}"},
    {LEVEL ", \"types\": { \"n\": \"float\" }", "INFO 1.50", "{\"level\":\"INFO\",\"n\":1.50}"},
    {"\"pattern\": \"(?<ok>true|false)\", \"types\": { \"ok\": \"bool\" }", "it is true", "{\"ok\":true}"},
    {LEVEL ", \"target\": \".p\"", "INFO 1", "{\"message\":\"INFO 1\",\"p\":{\"level\":\"INFO\",\"n\":\"1\"}}"},
    {LEVEL ", \"field\": \".msg\", \"target\": \".p\"", "{\"msg\":\"A 1 \\u00e9\\n\"}",
     "{\"msg\":\"A 1 \\u00e9\\n\",\"p\":{\"level\":\"A\",\"n\":\"1\",\"rest\":\"\xc3\xa9\"}}"},
    {LEVEL, "nothing of the kind", "nothing of the kind"},
    {LEVEL ", \"on_error\": \"drop\"", "nothing of the kind", NULL},
    {LEVEL ", \"on_error\": \"drop\", \"field\": \".n\"", "{\"n\":1}", NULL},
    {"\"pattern\": \"^(?<a>.)\"", "\xff bad", "\xff bad"},
    {"\"pattern\": \"^(?<x>(a+)+)$\", \"on_error\": \"drop\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", NULL},
    {0},
};

const struct stage stage_regex = {
    .kind = STAGE_TRANSFORM,
    .type = "regex",
    .summary = "Takes a string apart by a pattern.",
    .description =
        "The named groups of the pattern become fields, in their order; a group that took no part is left out. The pattern is compiled to "
        "machine code where that is allowed. A match that takes more than a million steps is given up and counts as not matched, so that "
        "no pattern can hang the agent.",
    .example = "{ \"type\": \"regex\", \"pattern\": \"^(?<ip>\\\\S+) .*\\\" (?<status>\\\\d{3}) \", \"types\": { \"status\": \"int\" } }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct regex_settings),
    .check = check,
    .open = open_stage,
};
