/* Comparing settings: see options.h. */
#include <string.h>

#include "config/options.h"
#include "record/expr.h"
#include "record/path.h"

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_strings(const struct strings *a, const struct strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_string_map(const struct string_map *a, const struct string_map *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_text(a->items[i].key, b->items[i].key) || !same_text(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

static bool same_expr(const struct expr *a, const struct expr *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(expr_text(a), expr_text(b)) == 0;
}

static bool same_path(const struct path *a, const struct path *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a->text, b->text) == 0;
}

static bool same_paths(const struct paths *a, const struct paths *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_path(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_path_map(const struct path_map *a, const struct path_map *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct path_entry *x = &a->items[i], *y = &b->items[i];
        if (!same_path(x->path, y->path) || !same_expr(x->expr, y->expr) || !same_path(x->to, y->to))
            return false;
    }
    return true;
}

static bool same_value(const struct option *o, const void *a, const void *b)
{
    switch (o->type) {
    case OPTION_BOOL: return *(const bool *)a == *(const bool *)b;
    case OPTION_INT: return *(const int64_t *)a == *(const int64_t *)b;
    case OPTION_SIZE: return *(const uint64_t *)a == *(const uint64_t *)b;
    case OPTION_DURATION: return memcmp(a, b, sizeof(double)) == 0;
    case OPTION_CHOICE: return *(const int *)a == *(const int *)b;
    case OPTION_MODE: return *(const unsigned *)a == *(const unsigned *)b;
    case OPTION_STRING:
    case OPTION_ADDRESS: return same_text(*(char *const *)a, *(char *const *)b);
    case OPTION_STRINGS:
    case OPTION_ADDRESSES: return same_strings(a, b);
    case OPTION_EXPR: return same_expr(*(struct expr *const *)a, *(struct expr *const *)b);
    case OPTION_PATH: return same_path(*(struct path *const *)a, *(struct path *const *)b);
    case OPTION_STRING_MAP: return same_string_map(a, b);
    case OPTION_PATHS: return same_paths(a, b);
    case OPTION_PATH_EXPRS:
    case OPTION_PATH_PATHS: return same_path_map(a, b);
    case OPTION_OBJECT: return options_same(o->fields, a, b);
    case OPTION_OTHER: /* its owner's to compare */
    case OPTION_ABSENT: return true;
    }
    return false;
}

bool options_same(const struct option *table, const void *a, const void *b)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++)
        if (!same_value(o, (const char *)a + o->offset, (const char *)b + o->offset) ||
            (o->given != 0 && ((const bool *)a)[o->given] != ((const bool *)b)[o->given]))
            return false;
    return true;
}
