/* The sample transform: keeps one record of so many. */
#include <zlib.h>

#include "base/buf.h"
#include "record/doc.h"
#include "record/expr.h"
#include "record/render.h"
#include "record/scratch.h"
#include "stage/each.h"

struct sample_settings {
    int64_t rate;
    struct path *key;
    struct expr *always;
};

struct sample {
    uint64_t seen; /* records without a key so far */
    struct scratch scratch;
    struct buf text; /* of a key */
};

#define AT(name) offsetof(struct sample_settings, name)
static const struct option options[] = {
    {.key = "rate", .type = OPTION_INT, .offset = AT(rate), .required = true, .min = 1, .max = 1000000000,
     .words = "Keep one record of so many."},
    {.key = "key", .type = OPTION_PATH, .offset = AT(key),
     .words = "Decide by the value of this field, so that records with the same value are kept or dropped together (all lines of one "
              "request). A record without the field counts as without key: every rate-th of these is kept, as of all when there is no key."},
    {.key = "always", .type = OPTION_EXPR, .offset = AT(always),
     .words = "Records for which this is true are kept in any case."},
    {0},
};

/* CRC-32 of the value as JSON: the same in every run, on every machine. */
static bool key_is_kept(struct sample *t, const struct value *v, int64_t rate, bool *kept)
{
    t->text.len = 0;
    render_value(&t->text, v);
    if (t->text.failed)
        return false;
    *kept = crc32_z(0, (const unsigned char *)t->text.data, t->text.len) % (uint64_t)rate == 0;
    return true;
}

static enum each_verdict decide(void *self, const void *settings, struct batch *b, struct record *r,
                                struct each_why *why)
{
    const struct sample_settings *set = settings;
    struct sample *t = self;
    struct value v;
    bool kept;
    if (set->always != NULL && expr_test(set->always, b, r, &t->scratch))
        return EACH_PASS;
    if (set->key != NULL && record_get(b, r, set->key, &v)) {
        if (!key_is_kept(t, &v, set->rate, &kept))
            return EACH_NOMEM;
    } else {
        kept = t->seen++ % (uint64_t)set->rate == 0;
    }
    why->reason = "not sampled";
    return kept ? EACH_PASS : EACH_DROP;
}

static void clear(void *self)
{
    struct sample *t = self;
    scratch_clear(&t->scratch);
    buf_clear(&t->text);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {.self_size = sizeof(struct sample), .record = decide, .clear = clear};
    return each_open(&ops, env, settings, e);
}

static const struct stage_case cases[] = {
    {"\"rate\": 1", "{\"a\":1}", "{\"a\":1}"},
    {"\"rate\": 1000", "the first is kept", "the first is kept"},
    {"\"rate\": 3, \"key\": \".id\"", "{\"id\":\"b\"}", "{\"id\":\"b\"}"},
    {"\"rate\": 3, \"key\": \".id\"", "{\"id\":\"d\"}", NULL},
    {"\"rate\": 1000000, \"key\": \".id\", \"always\": \".level == 'error'\"", "{\"id\":\"d\",\"level\":\"error\"}",
     "{\"id\":\"d\",\"level\":\"error\"}"},
    {"\"rate\": 1000000, \"key\": \".id\", \"always\": \".level == 'error'\"", "{\"id\":\"d\"}", NULL},
    {0},
};

const struct stage stage_sample = {
    .kind = STAGE_TRANSFORM,
    .type = "sample",
    .summary = "Keeps one record of so many.",
    .description = "The others are dropped and counted. With a key the choice depends on its value alone, so that it is the same in every run and on "
                   "every machine.",
    .example = "{ \"type\": \"sample\", \"rate\": 100, \"key\": \".trace_id\", \"always\": \".level == \\\"error\\\"\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct sample_settings),
    .open = open_stage,
};
