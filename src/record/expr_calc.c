/* expr_calc: what the operators of expressions give. */
#include "config.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "record/doc.h"
#include "record/expr_code.h"
#include "record/scratch.h"

/* --- arithmetic -------------------------------------------------------------------------------- */

static struct value calc_doubles(enum expr_op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return value_double(a + b);
    case OP_SUB: return value_double(a - b);
    case OP_MUL: return value_double(a * b);
    case OP_DIV: return b == 0 ? value_null() : value_double(a / b);
    case OP_MOD: return b == 0 ? value_null() : value_double(fmod(a, b));
    default: return value_null();
    }
}

/* Into *${out}; false when an int64 cannot say it. ${b} is not 0 for / and %. */
static bool calc_ints(enum expr_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case OP_ADD: return !__builtin_add_overflow(a, b, out);
    case OP_SUB: return !__builtin_sub_overflow(a, b, out);
    case OP_MUL: return !__builtin_mul_overflow(a, b, out);
    case OP_DIV:
        if ((a == INT64_MIN && b == -1) || a % b != 0)
            return false;
        *out = a / b;
        return true;
    case OP_MOD:
        *out = b == -1 ? 0 : a % b; /* INT64_MIN % -1 traps */
        return true;
    default: return false;
    }
}

static struct value join(const struct value *a, const struct value *b, struct scratch *scratch)
{
    struct value x, y;
    if (!value_plain(a, scratch, &x) || !value_plain(b, scratch, &y) || y.len > UINT32_MAX - x.len)
        return value_null();
    char *text = scratch_text(scratch, (size_t)x.len + y.len);
    if (text == NULL)
        return value_null();
    if (x.len > 0)
        memcpy(text, x.u.s, x.len);
    if (y.len > 0)
        memcpy(text + x.len, y.u.s, y.len);
    return value_string(text, (size_t)x.len + y.len);
}

struct value expr_calc(enum expr_op op, const struct value *a, const struct value *b,
                       struct scratch *scratch)
{
    int64_t x, y, n;
    double dx, dy;
    if (op == OP_ADD && a->type == VALUE_STRING && b->type == VALUE_STRING)
        return join(a, b, scratch);
    /* 1.0 is a decimal, and stays one: only what is spelled as an integer computes as one. */
    bool ints = value_is_spelled_int(a) && value_is_spelled_int(b) && value_to_int(a, &x) &&
                value_to_int(b, &y);
    if (ints) {
        if (y == 0 && (op == OP_DIV || op == OP_MOD))
            return value_null();
        if (calc_ints(op, x, y, &n))
            return value_int(n);
        return calc_doubles(op, (double)x, (double)y);
    }
    if (!value_to_double(a, &dx) || !value_to_double(b, &dy))
        return value_null();
    return calc_doubles(op, dx, dy);
}

struct value expr_negate(const struct value *a)
{
    int64_t i;
    double d;
    if (value_is_spelled_int(a) && value_to_int(a, &i) && i != INT64_MIN)
        return value_int(-i);
    return value_to_double(a, &d) ? value_double(-d) : value_null();
}

/* --- relations --------------------------------------------------------------------------------- */

static bool starts(const struct value *s, const struct value *part)
{
    return s->len >= part->len && (part->len == 0 || memcmp(s->u.s, part->u.s, part->len) == 0);
}

static bool ends(const struct value *s, const struct value *part)
{
    return s->len >= part->len &&
           (part->len == 0 || memcmp(s->u.s + s->len - part->len, part->u.s, part->len) == 0);
}

static bool relate_strings(enum expr_op op, const struct value *a, const struct value *b,
                           struct scratch *scratch)
{
    struct value s, part;
    if (!value_plain(a, scratch, &s) || !value_plain(b, scratch, &part))
        return false;
    switch (op) {
    case OP_STARTS: return starts(&s, &part);
    case OP_ENDS: return ends(&s, &part);
    default: return part.len == 0 || memmem(s.u.s, s.len, part.u.s, part.len) != NULL;
    }
}

static bool contains(const struct value *in, const struct value *what, struct scratch *scratch)
{
    struct doc_walk w;
    struct value name, member;
    switch ((enum value_type)in->type) {
    case VALUE_STRING: return relate_strings(OP_CONTAINS, in, what, scratch);
    case VALUE_ARRAY:
        for (doc_walk_start(&w, in); doc_walk_next(&w);)
            if (value_equal(&w.value, what))
                return true;
        return false;
    case VALUE_OBJECT:
        return value_plain(what, scratch, &name) && doc_member(in, name.u.s, name.len, &member);
    default: return false;
    }
}

bool expr_relate(enum expr_op op, const struct value *a, const struct value *b,
                 struct scratch *scratch)
{
    int order;
    switch (op) {
    case OP_EQ: return value_equal(a, b);
    case OP_NE: return !value_equal(a, b);
    case OP_LT: return value_order(a, b, &order) && order < 0;
    case OP_LE: return value_order(a, b, &order) && order <= 0;
    case OP_GT: return value_order(a, b, &order) && order > 0;
    case OP_GE: return value_order(a, b, &order) && order >= 0;
    case OP_IN: return contains(b, a, scratch);
    case OP_NOT_IN: return !contains(b, a, scratch);
    case OP_CONTAINS: return contains(a, b, scratch);
    default: return relate_strings(op, a, b, scratch);
    }
}
