/* The keep transform: keeps some fields and takes all others away. */
#include <string.h>

#include "record/doc.h"
#include "stage/each.h"

struct keep_settings {
    struct paths fields;
};

static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATHS, .offset = offsetof(struct keep_settings, fields),
     .required = true, .min = 1, .words = "The fields to keep. One that is not there is no error."},
    {0},
};

static const struct stage_case cases[] = {
    {"\"fields\": [\".c\", \".a\"]", "{\"a\":1.0,\"b\":2,\"c\":\"\\u0041\"}", "{\"a\":1.0,\"c\":\"\\u0041\"}"},
    {"\"fields\": [\".x.y\"]", "{\"x\":{\"y\":1,\"z\":2},\"y\":3}", "{\"x\":{\"y\":1}}"},
    {"\"fields\": [\".l[1]\"]", "{\"l\":[1,2,3]}", "{\"l\":[null,2]}"},
    {"\"fields\": [\".nope\"]", "{\"a\":1}", "{}"},
    {"\"fields\": [\".message\"]", "a plain line", "{\"message\":\"a plain line\"}"},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct keep_settings *set = settings;
    each_check_paths(&set->fields, report);
}

/* A record being gathered anew from the members that are wanted. */
struct keeping {
    struct arena *arena;
    struct doc *fresh;
    const struct paths *fields;
};

/* Does ${p} begin with the first ${depth} steps of ${way} (NULL: depth is 0), and name ${key} next? */
static bool leads_to(const struct path *p, const struct path *way, size_t depth, const struct value *key)
{
    if (p->meta != PATH_FIELD || p->count <= depth || p->steps[depth].key == NULL)
        return false;
    for (size_t i = 0; i < depth; i++)
        if (p->steps[i].key == NULL || p->steps[i].len != way->steps[i].len ||
            memcmp(p->steps[i].key, way->steps[i].key, p->steps[i].len) != 0)
            return false;
    struct value name = value_string(p->steps[depth].key, p->steps[depth].len);
    return value_equal(&name, key);
}

/* Gather what is wanted of ${at}, which the first ${depth} steps of ${way} lead to, in its order. -1: no memory. */
static int gather(struct keeping *k, const struct value *at, const struct path *way, size_t depth)
{
    struct doc_walk w;
    doc_walk_start(&w, at);
    while (doc_walk_next(&w)) {
        const struct path *whole = NULL, *into = NULL;
        for (size_t i = 0; i < k->fields->count && whole == NULL; i++) {
            const struct path *p = k->fields->items[i];
            if (leads_to(p, way, depth, &w.key) && p->count == depth + 1)
                whole = p;
            else if (leads_to(p, way, depth, &w.key))
                into = p;
        }
        if (whole != NULL && doc_adopt(k->fresh, k->arena, whole, &w.value) == DOC_NOMEM)
            return -1;
        if (whole == NULL && into != NULL && w.value.type == VALUE_OBJECT &&
            gather(k, &w.value, into, depth + 1) != 0)
            return -1;
    }
    return 0;
}

/* Paths through arrays: the walk above does not follow them. */
static int gather_elements(struct keeping *k, const struct doc *from)
{
    for (size_t i = 0; i < k->fields->count; i++) {
        const struct path *p = k->fields->items[i];
        struct value v;
        bool element = false;
        for (size_t step = 0; step < p->count; step++)
            element = element || p->steps[step].key == NULL;
        if (element && doc_get(from, p, &v) && doc_adopt(k->fresh, k->arena, p, &v) == DOC_NOMEM)
            return -1;
    }
    return 0;
}

static enum each_verdict keep(void *self, const void *settings, struct batch *b, struct record *r,
                              struct each_why *why)
{
    (void)self;
    (void)why;
    const struct keep_settings *set = settings;
    struct keeping k = {&b->body->arena, NULL, &set->fields};
    const struct doc *from = r->doc != NULL ? r->doc : doc_plain(k.arena, r->text, r->len);
    k.fresh = doc_new(k.arena);
    if (from == NULL || k.fresh == NULL)
        return EACH_NOMEM;
    struct value root = doc_root(from);
    if (gather(&k, &root, NULL, 0) != 0 || gather_elements(&k, from) != 0)
        return EACH_NOMEM;
    r->doc = k.fresh;
    r->flags = (r->flags | RECORD_CHANGED) & ~(uint32_t)RECORD_SHARED;
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.record = keep};
    return each_open(&ops, env, settings, e);
}

const struct stage stage_keep = {
    .kind = STAGE_TRANSFORM,
    .type = "keep",
    .summary = "Keeps some fields and takes all others away.",
    .description = "What is kept keeps its order and its bytes. Of an array single elements can be kept; those in front of them become null.",
    .example = "{ \"type\": \"keep\", \"fields\": [\".time\", \".level\", \".msg\", \".http.status\"] }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct keep_settings),
    .check = check,
    .open = open_stage,
};
