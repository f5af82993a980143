#include "stage/schema.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "config/dump.h"
#include "stage/config.h"
#include "stage/pipeline_config.h"
#include "stage/schema_option.h"
#include "stage/stages.h"

#define NAME_PATTERN "^[A-Za-z0-9_.-]+$"
#define REF_MAX      96 /* "#/$defs/transform_…": types are ours */

/* What went wrong is remembered until the end: jansson's functions take NULL for an operand and
 * fail. */
struct making {
    const struct stage *const *table;
    json_t *defs;
    int rc;
};

static void set(struct making *m, json_t *object, const char *key, json_t *value)
{
    m->rc |= json_object_set_new(object, key, value);
}

static json_t *properties(const json_t *object)
{
    return json_object_get(object, "properties");
}

/* A list of stages of ${kind}: which definition holds is for "type" to say, so that an editor
 * complains about that one only. */
static json_t *stage_list(struct making *m, enum stage_kind kind)
{
    char ref[REF_MAX];
    json_t *types = json_array(), *cases = json_array();
    for (size_t i = 0; m->table[i] != NULL; i++) {
        const struct stage *s = m->table[i];
        if (s->kind != kind)
            continue;
        snprintf(ref, sizeof ref, "#/$defs/%s_%s", stages_kind_name(kind), s->type);
        m->rc |= json_array_append_new(types, json_string(s->type));
        m->rc |= json_array_append_new(cases, json_pack("{s:{s:{s:{s:s}}, s:[s]}, s:{s:s}}", "if",
                                                        "properties", "type", "const", s->type,
                                                        "required", "type", "then", "$ref", ref));
    }
    json_t *item = json_pack("{s:s, s:{s:{s:o}}, s:[s], s:o}", "type", "object", "properties",
                             "type", "enum", types, "required", "type", "allOf", cases);
    return json_pack("{s:s, s:i, s:o}", "type", "array", "minItems",
                     kind == STAGE_TRANSFORM ? 0 : 1, "items", item);
}

/* An empty array fits no "allOf". */
static json_t *stages_of(struct making *m, enum stage_kind kind, const char *words)
{
    json_t *list = stage_list(m, kind);
    json_t *item = json_object_get(list, "items");
    if (json_array_size(json_object_get(item, "allOf")) == 0)
        json_object_del(item, "allOf");
    set(m, list, "description", json_string(words));
    return list;
}

/* A file sink without an encoding. */
static json_t *dead_letter(const struct stage *file)
{
    json_t *o = schema_object(file->options, NULL);
    json_object_del(json_object_get(o, "properties"), "encoding");
    return o;
}

static void define_stage(struct making *m, const struct stage *s)
{
    char name[REF_MAX];
    json_t *def = schema_object(stages_common(s->kind), s->options);
    set(m, def, "description", json_string(s->summary));
    set(m, properties(def), "type", json_pack("{s:s}", "const", s->type));
    json_t *label = json_object_get(properties(def), "name");
    set(m, label, "pattern", json_string(NAME_PATTERN "|\\$\\{"));
    if (s->kind == STAGE_SINK)
        set(m, properties(def), "transforms",
            stages_of(m, STAGE_TRANSFORM, "A chain of transforms of this sink alone."));
    const struct stage *file = stages_find(m->table, STAGE_SINK, "file");
    if (s->kind == STAGE_SINK && file != NULL) {
        json_t *letters = dead_letter(file);
        set(m, properties(letters), "type", json_pack("{s:s}", "const", "file"));
        set(m, properties(def), "dead_letter", letters);
    }
    const struct stage *multiline = stages_find(m->table, STAGE_TRANSFORM, "multiline");
    if (s->kind == STAGE_SOURCE && multiline != NULL)
        set(m, properties(def), "multiline", schema_object(multiline->options, NULL));
    snprintf(name, sizeof name, "%s_%s", stages_kind_name(s->kind), s->type);
    set(m, m->defs, name, def);
}

static json_t *pipeline(struct making *m)
{
    json_t *p = schema_object(pipeline_config_options, NULL);
    for (const struct option *o = pipeline_config_options; o->key != NULL; o++) {
        enum stage_kind kind = strcmp(o->key, "sources") == 0 ? STAGE_SOURCE
                               : strcmp(o->key, "sinks") == 0 ? STAGE_SINK
                                                              : STAGE_TRANSFORM;
        set(m, properties(p), o->key, stages_of(m, kind, o->words));
    }
    return p;
}

static json_t *pipelines(void)
{
    return json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "type", "object", "description",
                     "The pipelines, by name.", "propertyNames", "pattern", NAME_PATTERN,
                     "additionalProperties", "$ref", "#/$defs/pipeline");
}

static json_t *whole(struct making *m)
{
    for (size_t i = 0; m->table[i] != NULL; i++)
        define_stage(m, m->table[i]);
    set(m, m->defs, "pipeline", pipeline(m));
    json_t *top = schema_object(config_options, NULL);
    set(m, properties(top), "pipelines", pipelines());
    json_t *head =
        json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                  "weir configuration");
    m->rc |= json_object_update(head, top);
    json_decref(top);
    m->rc |= json_object_set(head, "$defs", m->defs);
    return head;
}

void schema_add(const struct stage *const *table, struct buf *out)
{
    struct making m = {.table = table, .defs = json_object()};
    json_t *schema = whole(&m);
    if (m.rc != 0 || schema == NULL)
        out->failed = true;
    else
        dump_json(schema, JSON_INDENT(2), out);
    buf_char(out, '\n');
    json_decref(schema);
    json_decref(m.defs);
}
