#include "stage/schema_option.h"

#include <string.h>

/* A string that is substituted may become anything: no pattern may refuse it. */
#define SUBSTITUTED      "\\$\\{"
#define SIZE_PATTERN     "^[0-9]+(\\.[0-9]+)?(B|KB|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$|" SUBSTITUTED
#define DURATION_PATTERN "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$|" SUBSTITUTED
#define ADDRESS_PATTERN  "^([^/:\\[\\]@?# ]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$|" SUBSTITUTED
#define MODE_PATTERN     "^[0-7]{3,4}$|" SUBSTITUTED

/* ${s}, if all that was put into it is there. */
static json_t *complete(json_t *s, int rc)
{
    if (rc == 0)
        return s;
    json_decref(s);
    return NULL;
}

static json_t *pattern(const char *text)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", text);
}

/* An integer or number within the bounds of ${o}, which are in units of 1/${scale}. */
static json_t *number(const struct option *o, const char *type, double scale)
{
    json_t *s = json_pack("{s:s}", "type", type);
    bool bounded = o->min != 0 || o->max != 0;
    bool whole = strcmp(type, "integer") == 0;
    bool minimum = bounded || o->type != OPTION_INT; /* sizes and durations have no sign */
    int rc = 0;
    if (minimum)
        rc |= json_object_set_new(s, "minimum",
                                  whole ? json_integer(o->min) : json_real((double)o->min / scale));
    if (bounded && o->max != 0)
        rc |= json_object_set_new(s, "maximum",
                                  whole ? json_integer(o->max) : json_real((double)o->max / scale));
    return complete(s, rc);
}

static json_t *either(json_t *a, json_t *b)
{
    return json_pack("{s:[o, o]}", "anyOf", a, b);
}

static json_t *choice(const struct option *o)
{
    json_t *words = json_array();
    int rc = 0;
    for (size_t i = 0; o->choices[i] != NULL; i++)
        rc |= json_array_append_new(words, json_string(o->choices[i]));
    return either(json_pack("{s:o}", "enum", complete(words, rc)), pattern(SUBSTITUTED));
}

/* One ${item}, or an array of at least min of them. */
static json_t *one_or_many(const struct option *o, json_t *item)
{
    json_t *many = json_pack("{s:s, s:O, s:I}", "type", "array", "items", item, "minItems",
                             (json_int_t)o->min);
    return either(item, many);
}

static json_t *value(const struct option *o)
{
    switch (o->type) {
    case OPTION_BOOL: return json_pack("{s:s}", "type", "boolean");
    case OPTION_INT: return number(o, "integer", 1);
    case OPTION_SIZE: return either(number(o, "integer", 1), pattern(SIZE_PATTERN));
    case OPTION_DURATION: return either(number(o, "number", 1000), pattern(DURATION_PATTERN));
    case OPTION_STRING:
        return json_pack("{s:s, s:I}", "type", "string", "minLength", (json_int_t)o->min);
    case OPTION_CHOICE: return choice(o);
    case OPTION_STRINGS: return one_or_many(o, json_pack("{s:s}", "type", "string"));
    case OPTION_ADDRESS: return pattern(ADDRESS_PATTERN);
    case OPTION_ADDRESSES: return one_or_many(o, pattern(ADDRESS_PATTERN));
    case OPTION_MODE: return pattern(MODE_PATTERN);
    case OPTION_EXPR:
    case OPTION_PATH: return json_pack("{s:s}", "type", "string");
    case OPTION_PATHS: return one_or_many(o, json_pack("{s:s}", "type", "string"));
    case OPTION_PATH_EXPRS:
    case OPTION_PATH_PATHS:
        return json_pack("{s:s, s:{s:s}, s:I}", "type", "object", "additionalProperties", "type", "string",
                         "minProperties", (json_int_t)o->min);
    case OPTION_STRING_MAP:
        return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
    case OPTION_OBJECT: return schema_object(o->fields, NULL);
    case OPTION_OTHER:
    case OPTION_ABSENT: break;
    }
    return json_object();
}

json_t *schema_option(const struct option *o)
{
    json_t *s = value(o);
    int rc = json_object_set_new(s, "description", json_string(o->words));
    if (o->fallback != NULL)
        rc |= json_object_set_new(s, "default", json_loads(o->fallback, JSON_DECODE_ANY, NULL));
    return complete(s, rc);
}

static int add_table(const struct option *table, json_t *properties, json_t *required)
{
    int rc = 0;
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        if (o->type == OPTION_ABSENT)
            continue;
        rc |= json_object_set_new(properties, o->key, schema_option(o));
        if (o->required)
            rc |= json_array_append_new(required, json_string(o->key));
    }
    return rc;
}

json_t *schema_object(const struct option *table, const struct option *more)
{
    json_t *properties = json_object(), *required = json_array();
    int rc = add_table(table, properties, required) | add_table(more, properties, required);
    json_t *s = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
                          "required", required, "additionalProperties", 0);
    return complete(s, rc);
}
