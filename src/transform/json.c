/* The json transform: parses a string field of each record as a JSON object. */
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/path.h"
#include "stage/stage.h"
#include "stream/stream.h"

enum { ERROR_PASS, ERROR_DROP };

struct json_settings {
    struct path *field, *target;
    int on_error;
};

struct json_stage {
    struct stage_env *env;
    const struct json_settings *set;
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

static void trace(const struct json_stage *t, const struct record *r, int result,
                  const struct jscan_fault *fault)
{
    const struct stage_trace *to = t->env->trace;
    char why[200];
    if (to == NULL || to->verdict == NULL)
        return;
    if (result == DOC_OK) {
        to->verdict(to->arg, r, "pass", NULL);
        return;
    }
    if (fault->what == NULL)
        snprintf(why, sizeof why, "%s is not a string", t->set->field->text);
    else
        snprintf(why, sizeof why, "%s is not a JSON object: at byte %u: %s", t->set->field->text,
                 fault->offset, fault->what);
    to->verdict(to->arg, r, t->set->on_error == ERROR_DROP ? "drop" : "error", why);
}

/* Parse each record of ${b}; those that are kept move up. -1: no memory. */
static int parse_all(struct json_stage *t, struct batch *b)
{
    size_t kept = 0, bad = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct jscan_fault fault = {0};
        struct record *r = &b->records[i];
        int result = record_parse(b, r, t->set->field, t->set->target, &fault);
        if (result == DOC_NOMEM)
            return -1;
        trace(t, r, result, &fault);
        if (result == DOC_REFUSED) {
            bad++;
            if (t->set->on_error == ERROR_DROP)
                continue;
        }
        b->records[kept++] = *r;
    }
    t->env->stats->errors += bad;
    stage_dropped(t->env, "not a JSON object", b->count - kept);
    b->count = kept;
    return 0;
}

static void json_transform(struct stream *s, void *self, struct chunk *c)
{
    struct json_stage *t = self;
    struct batch *b = chunk_batch(c);
    t->env->stats->records_in += b->count;
    t->env->stats->bytes_in += b->text;
    if (parse_all(t, b) != 0) {
        struct err e = {0};
        err_nomem(&e);
        chunk_free(&c);
        stream_transform_done(s, &e);
        return;
    }
    stage_pass(t->env, s, c);
    stream_transform_done(s, NULL);
}

static const struct stream_ops ops = {
    .type = "json",
    .transform = json_transform,
    .free = mem_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct json_stage *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->env = env;
    t->set = settings;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = stream_transform_new(&ops, t, &o, e);
    if (stream == NULL)
        mem_free(t);
    return stream;
}

const struct stage stage_json = {
    .kind = STAGE_TRANSFORM,
    .type = "json",
    .summary = "Parses a JSON object.",
    .description =
        "The string in field is parsed as strict JSON (RFC 8259) and the object put at target. With the defaults the line becomes the "
        "record: later stages see its members, and a sink still sends it byte for byte as long as nothing changes it.",
    .example = "{ \"type\": \"json\" }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct json_settings),
    .open = open_stage,
};
