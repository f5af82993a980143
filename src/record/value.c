#include "record/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/doc.h"
#include "record/jscan.h"
#include "record/jscan_string.h"
#include "record/number.h"
#include "record/scratch.h"

/* Integers of this many characters fit an int64, whatever they say. */
#define SHORT_INT 18

struct value value_double(double d)
{
    if (!isfinite(d))
        return value_null();
    return (struct value){.type = VALUE_DOUBLE, .u.d = d};
}

struct value value_node(const struct jscan *json, uint32_t node)
{
    const struct jscan_node *n = &json->nodes[node];
    const char *s = json->text + n->start;
    switch ((enum jscan_type)n->type) {
    case JSCAN_NULL: return value_null();
    case JSCAN_FALSE: return value_bool(false);
    case JSCAN_TRUE: return value_bool(true);
    case JSCAN_NUMBER:
        return (struct value){.type = VALUE_NUMBER, .len = n->end - n->start, .u.s = s};
    case JSCAN_STRING:
        return (struct value){.type = VALUE_STRING,
                              .flags = n->flags & JSCAN_ESCAPED ? VALUE_JSON | VALUE_ESCAPED
                                                                : VALUE_JSON,
                              .len = n->end - n->start - 2,
                              .u.s = s + 1};
    case JSCAN_ARRAY: return (struct value){.type = VALUE_ARRAY, .len = node, .u.json = json};
    case JSCAN_OBJECT: return (struct value){.type = VALUE_OBJECT, .len = node, .u.json = json};
    }
    return value_null();
}

const char *value_type_name(const struct value *v)
{
    switch ((enum value_type)v->type) {
    case VALUE_NULL: return "null";
    case VALUE_BOOL: return "boolean";
    case VALUE_INT:
    case VALUE_DOUBLE:
    case VALUE_NUMBER: return "number";
    case VALUE_STRING: return "string";
    case VALUE_ARRAY: return "array";
    case VALUE_OBJECT: return "object";
    }
    return "null";
}

/* --- numbers ----------------------------------------------------------------------------------- */

/* A spelled integer that is short enough not to overflow: most numbers in logs. */
static bool short_int(const struct value *v, int64_t *out)
{
    const char *p = v->u.s, *end = p + v->len;
    bool negative = *p == '-';
    int64_t n = 0;
    if (v->len > SHORT_INT)
        return false;
    for (p += negative; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        n = n * 10 + (*p - '0');
    }
    *out = negative ? -n : n;
    return true;
}

static bool plain_int(const struct value *v, int64_t *out)
{
    if (v->type == VALUE_INT) {
        *out = v->u.i;
        return true;
    }
    return v->type == VALUE_NUMBER && short_int(v, out);
}

/* The shortest decimal that reads back as ${d}, with a mark of being no integer. */
static size_t spell_double(double d, char *out)
{
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(out, VALUE_SPELL_MAX, "%.*g", precision, d);
        if (strtod(out, NULL) == d)
            break;
    }
    if (strpbrk(out, ".e") == NULL) {
        memcpy(out + n, ".0", 3);
        n += 2;
    }
    return (size_t)n;
}

size_t value_spell(const struct value *v, char *out)
{
    if (v->type == VALUE_INT)
        return (size_t)snprintf(out, VALUE_SPELL_MAX, "%" PRId64, v->u.i);
    return spell_double(v->u.d, out);
}

/* ${spelled} is room for a number that has no spelling yet. */
static struct number decimal(const struct value *v, char *spelled)
{
    if (v->type == VALUE_NUMBER)
        return number_read(v->u.s, v->len);
    return number_read(spelled, value_spell(v, spelled));
}

static int compare_numbers(const struct value *a, const struct value *b)
{
    int64_t x, y;
    if (plain_int(a, &x) && plain_int(b, &y))
        return (x > y) - (x < y);
    if (a->type == VALUE_DOUBLE && b->type == VALUE_DOUBLE)
        return (a->u.d > b->u.d) - (a->u.d < b->u.d);
    char sa[VALUE_SPELL_MAX], sb[VALUE_SPELL_MAX];
    struct number na = decimal(a, sa), nb = decimal(b, sb);
    return number_compare(&na, &nb);
}

bool value_is_spelled_int(const struct value *v)
{
    if (v->type != VALUE_NUMBER)
        return v->type == VALUE_INT;
    for (uint32_t i = 0; i < v->len; i++)
        if (v->u.s[i] == '.' || (v->u.s[i] | 0x20) == 'e')
            return false;
    return true;
}

bool value_to_int(const struct value *v, int64_t *out)
{
    char spelled[VALUE_SPELL_MAX];
    if (plain_int(v, out))
        return true;
    if (!value_is_number(v))
        return false;
    struct number n = decimal(v, spelled);
    return number_to_int(&n, out);
}

bool value_to_double(const struct value *v, double *out)
{
    int64_t i;
    if (v->type == VALUE_DOUBLE) {
        *out = v->u.d;
        return true;
    }
    if (plain_int(v, &i)) {
        *out = (double)i;
        return true;
    }
    if (v->type != VALUE_NUMBER)
        return false;
    struct number n = number_read(v->u.s, v->len);
    return number_to_double(&n, out);
}

bool value_read_number(const char *s, size_t len, struct value *out)
{
    *out = value_null();
    if (len > UINT32_MAX || !number_is(s, len))
        return false;
    *out = (struct value){.type = VALUE_NUMBER, .len = (uint32_t)len, .u.s = s};
    return true;
}

/* --- strings ----------------------------------------------------------------------------------- */

static struct jscan_span span(const struct value *v)
{
    return (struct jscan_span){v->u.s, v->len, (v->flags & VALUE_ESCAPED) != 0};
}

static bool equal_strings(const struct value *a, const struct value *b)
{
    if (!((a->flags | b->flags) & VALUE_ESCAPED))
        return a->len == b->len && (a->len == 0 || memcmp(a->u.s, b->u.s, a->len) == 0);
    return jscan_string_compare(span(a), span(b)) == 0;
}

bool value_plain(const struct value *v, struct scratch *scratch, struct value *out)
{
    *out = value_null();
    if (v->type != VALUE_STRING)
        return false;
    if (!(v->flags & VALUE_ESCAPED)) {
        *out = *v;
        return true;
    }
    char *text = scratch_text(scratch, v->len);
    if (text == NULL)
        return false;
    size_t len = jscan_string_unescape(v->u.s, v->len, text);
    scratch_trim(scratch, v->len - len);
    *out = value_string(text, len);
    return true;
}

size_t value_length(const struct value *v)
{
    return v->flags & VALUE_ESCAPED ? jscan_string_length(v->u.s, v->len) : v->len;
}

/* --- all --------------------------------------------------------------------------------------- */

/* As deep as the documents are: JSCAN_DEPTH_MAX, or the steps of a path above that. */
static bool equal_containers(const struct value *a, const struct value *b)
{
    struct doc_walk wa, wb;
    bool more;
    doc_walk_start(&wa, a);
    doc_walk_start(&wb, b);
    for (;;) {
        more = doc_walk_next(&wa);
        if (doc_walk_next(&wb) != more)
            return false;
        if (!more)
            return true;
        if (!value_equal(&wa.key, &wb.key) || !value_equal(&wa.value, &wb.value))
            return false;
    }
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type == VALUE_STRING && b->type == VALUE_STRING)
        return equal_strings(a, b);
    if (value_is_number(a) && value_is_number(b))
        return compare_numbers(a, b) == 0;
    if (a->type != b->type)
        return false;
    switch ((enum value_type)a->type) {
    case VALUE_BOOL: return a->u.b == b->u.b;
    case VALUE_ARRAY:
    case VALUE_OBJECT: return equal_containers(a, b);
    default: return true;
    }
}

bool value_order(const struct value *a, const struct value *b, int *order)
{
    if (value_is_number(a) && value_is_number(b))
        *order = compare_numbers(a, b);
    else if (a->type == VALUE_STRING && b->type == VALUE_STRING)
        *order = jscan_string_compare(span(a), span(b));
    else
        return false;
    return true;
}
