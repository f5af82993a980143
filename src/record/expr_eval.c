/* expr_eval: the machine that runs a compiled expression. */
#include "record/doc.h"
#include "record/expr_code.h"
#include "record/regex.h"
#include "record/scratch.h"

static struct value match(const struct expr_instr *in, const struct value *v,
                          struct scratch *scratch)
{
    struct value s;
    if (v->type != VALUE_STRING)
        return value_bool(in->op == OP_NO_MATCH);
    if (!value_plain(v, scratch, &s))
        return value_null();
    int found = (int)regex_match(in->u.regex, s.u.s, s.len);
    return found < 0 ? value_null() : value_bool((found == 1) == (in->op == OP_MATCH));
}

static struct value call(const struct expr_instr *in, const struct value *args,
                         struct scratch *scratch)
{
    struct expr_call c = {args, in->args, scratch};
    return in->u.function->run(&c);
}

/* Long because it is the machine: one switch that shows every instruction. */
struct value expr_eval(const struct expr *x, const struct batch *b, const struct record *r,
                       struct scratch *scratch)
{
    struct value stack[EXPR_STACK + 1], *top = stack, found; /* top: the value pushed last */
    for (size_t at = 0; at < x->count; at++) {
        const struct expr_instr *in = &x->code[at];
        switch ((enum expr_op)in->op) {
        case OP_CONST: *++top = in->u.value; break;
        case OP_FIELD: record_get(b, r, in->u.path, ++top); break;
        case OP_EXISTS: *++top = value_bool(record_get(b, r, in->u.path, &found)); break;
        case OP_CALL:
            top -= (int)in->args - 1;
            *top = call(in, top, scratch);
            break;
        case OP_NOT: *top = value_bool(!value_true(top)); break;
        case OP_TRUTH: *top = value_bool(value_true(top)); break;
        case OP_NEG: *top = expr_negate(top); break;
        case OP_ADD:
        case OP_SUB:
        case OP_MUL:
        case OP_DIV:
        case OP_MOD:
            top--;
            *top = expr_calc(in->op, top, top + 1, scratch);
            break;
        case OP_EQ:
        case OP_NE:
        case OP_LT:
        case OP_LE:
        case OP_GT:
        case OP_GE:
        case OP_IN:
        case OP_NOT_IN:
        case OP_CONTAINS:
        case OP_STARTS:
        case OP_ENDS:
            top--;
            *top = value_bool(expr_relate(in->op, top, top + 1, scratch));
            break;
        case OP_MATCH:
        case OP_NO_MATCH: *top = match(in, top, scratch); break;
        case OP_AND:
            if (value_true(top)) {
                top--;
            } else {
                *top = value_bool(false);
                at = in->target - 1;
            }
            break;
        case OP_OR:
            if (value_true(top))
                at = in->target - 1;
            else
                top--;
            break;
        case OP_UNLESS:
            if (!value_true(top--))
                at = in->target - 1;
            break;
        case OP_JUMP: at = in->target - 1; break;
        }
    }
    return *top;
}

bool expr_test(const struct expr *x, const struct batch *b, const struct record *r,
               struct scratch *scratch)
{
    scratch_reset(scratch);
    struct value v = expr_eval(x, b, r, scratch);
    return value_true(&v);
}
