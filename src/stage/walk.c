#include "stage/walk.h"

#include <stdio.h>

#include "base/buf.h"
#include "config/setting.h"

#define PATH_MAX_LEN 128 /* of keys that we wrote ourselves */

static void walk_under(const char *prefix, const struct option *table,
                       void (*each)(void *arg, const char *path, const struct option *o), void *arg)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        char path[PATH_MAX_LEN];
        if (o->type == OPTION_ABSENT)
            continue;
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", o->key);
        each(arg, path, o);
        if (o->type == OPTION_OBJECT)
            walk_under(path, o->fields, each, arg);
    }
}

void walk_options(const struct option *table,
                  void (*each)(void *arg, const char *path, const struct option *o), void *arg)
{
    walk_under("", table, each, arg);
}

static void add_choices(const struct option *o, struct buf *out)
{
    for (size_t i = 0; o->choices[i] != NULL; i++)
        buf_fmt(out, "%s\"%s\"",
                i == 0                      ? ""
                : o->choices[i + 1] == NULL ? " or "
                                            : ", ",
                o->choices[i]);
}

static const char *type_words(enum option_type type)
{
    switch (type) {
    case OPTION_BOOL: return "boolean";
    case OPTION_INT: return "integer";
    case OPTION_SIZE: return "size";
    case OPTION_DURATION: return "duration";
    case OPTION_STRING: return "string";
    case OPTION_CHOICE: return "one of";
    case OPTION_STRINGS: return "string or array of strings";
    case OPTION_ADDRESS: return "host:port";
    case OPTION_ADDRESSES: return "host:port or array of them";
    case OPTION_MODE: return "permission bits in octal";
    case OPTION_EXPR: return "expression";
    case OPTION_PATH: return "field path";
    case OPTION_PATHS: return "field path or array of them";
    case OPTION_PATH_EXPRS: return "object {field path: expression}";
    case OPTION_PATH_PATHS: return "object {field path: field path}";
    case OPTION_STRING_MAP: return "object of strings";
    case OPTION_OBJECT: return "object";
    case OPTION_OTHER:
    case OPTION_ABSENT: break;
    }
    return "";
}

void walk_add_type(const struct option *o, struct buf *out)
{
    if (o->type == OPTION_CHOICE) {
        add_choices(o, out);
        return;
    }
    buf_str(out, type_words(o->type));
    bool number = o->type == OPTION_INT || o->type == OPTION_SIZE || o->type == OPTION_DURATION;
    if (number && (o->min != 0 || o->max != 0)) {
        buf_str(out, ", ");
        setting_add_bounds(o, out);
    }
}

const char *walk_default(const struct option *o)
{
    if (o->required)
        return "required";
    if (o->fallback != NULL)
        return o->fallback;
    return o->type == OPTION_BOOL ? "false" : "";
}
