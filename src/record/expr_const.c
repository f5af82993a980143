/* expr_const: constants of an expression, and the instructions that hold them. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/expr_compile.h"
#include "record/jscan.h"
#include "record/jscan_string.h"
#include "record/render.h"

int expr_emit(struct expr_compiler *c, struct expr_instr in, int effect)
{
    struct expr *x = c->x;
    if (x->count == x->cap) {
        size_t cap = x->cap < 8 ? 8 : x->cap * 2;
        struct expr_instr *code = mem_realloc(x->code, cap * sizeof *code);
        if (code == NULL)
            return err_nomem(c->lex.e);
        x->code = code;
        x->cap = cap;
    }
    c->height += effect;
    if (c->height > EXPR_STACK)
        return expr_lex_expected(&c->lex, "a simpler expression");
    x->code[x->count++] = in;
    return 0;
}

int expr_emit_op(struct expr_compiler *c, enum expr_op op, int effect)
{
    return expr_emit(c, (struct expr_instr){.op = (uint8_t)op}, effect);
}

int expr_emit_value(struct expr_compiler *c, struct value v)
{
    return expr_emit(c, (struct expr_instr){.op = OP_CONST, .u.value = v}, 1);
}

static int next(struct expr_compiler *c)
{
    return expr_lex_next(&c->lex);
}

static bool is(const struct expr_compiler *c, const char *s)
{
    return expr_lex_is(&c->lex, s);
}

static int expected(struct expr_compiler *c, const char *what)
{
    return expr_lex_expected(&c->lex, what);
}

static char *copy_text(struct expr_compiler *c, const char *s, size_t len)
{
    char *text = arena_text(&c->x->arena, len + 1);
    if (text == NULL)
        err_nomem(c->lex.e);
    else
        memcpy(text, s, len);
    return text;
}

int expr_const_number(struct expr_compiler *c, size_t start, struct value *out)
{
    size_t len = c->lex.end - start;
    char *text = copy_text(c, c->lex.text + start, len);
    int64_t i;
    if (text == NULL)
        return -1;
    value_read_number(text, len, out);
    if (value_is_spelled_int(out) && value_to_int(out, &i))
        *out = value_int(i);
    return 0;
}

/* Escapes are JSON's: the JSON scanner is asked whether they are right. */
int expr_const_string(struct expr_compiler *c, struct value *out)
{
    struct expr_lex *lex = &c->lex;
    const char *s = lex->text + lex->start;
    size_t len = lex->end - lex->start;
    struct jscan json;
    struct jscan_fault fault;
    if (lex->token == TOKEN_STRING && jscan_text(&json, &c->x->arena, s, len, &fault) != 0) {
        if (fault.error == JSCAN_NOMEM)
            return err_nomem(lex->e);
        return err_set(lex->e, ERR_INVALID, "column %zu: %s (single quotes take text as it is)",
                       expr_lex_column(lex, lex->start + fault.offset), fault.what);
    }
    char *text = copy_text(c, s + 1, len - 2);
    if (text == NULL)
        return -1;
    len = lex->token == TOKEN_STRING ? jscan_string_unescape(s + 1, len - 2, text) : len - 2;
    *out = value_string(text, len);
    return 0;
}

int expr_const_scalar(struct expr_compiler *c, struct value *out, bool *found)
{
    int result = 0;
    *found = true;
    if (c->lex.token == TOKEN_NUMBER)
        result = expr_const_number(c, c->lex.start, out);
    else if (c->lex.token == TOKEN_STRING || c->lex.token == TOKEN_RAW)
        result = expr_const_string(c, out);
    else if (is(c, "true") || is(c, "false"))
        *out = value_bool(is(c, "true"));
    else if (is(c, "null"))
        *out = value_null();
    else
        *found = false;
    return result != 0 || !*found ? result : next(c);
}

/* Append the constant at hand to ${b} as JSON. */
static int array_item(struct expr_compiler *c, struct buf *b)
{
    struct value v = value_null();
    bool found, minus = is(c, "-");
    if (minus) {
        if (next(c) != 0)
            return -1;
        if (c->lex.token != TOKEN_NUMBER)
            return expected(c, "a number after the minus");
        buf_char(b, '-');
    }
    if (expr_const_scalar(c, &v, &found) != 0)
        return -1;
    if (!found)
        return expected(c, "a constant: arrays hold numbers, strings, true, false and null");
    render_value(b, &v);
    return 0;
}

static int array_text(struct expr_compiler *c, struct buf *b)
{
    buf_char(b, '[');
    if (next(c) != 0)
        return -1;
    for (bool first = true; !is(c, "]"); first = false) {
        if (!first) {
            if (!is(c, ","))
                return expected(c, "\",\" or \"]\"");
            buf_char(b, ',');
            if (next(c) != 0)
                return -1;
        }
        if (array_item(c, b) != 0)
            return -1;
    }
    buf_char(b, ']');
    return next(c);
}

int expr_const_array(struct expr_compiler *c)
{
    struct buf b = {0};
    struct jscan *json = arena_alloc(&c->x->arena, sizeof *json);
    int result = json != NULL ? array_text(c, &b) : err_nomem(c->lex.e);
    if (result == 0) {
        char *text = b.failed ? NULL : copy_text(c, b.data, b.len);
        if (text == NULL || jscan_text(json, &c->x->arena, text, b.len, NULL) != 0)
            result = err_nomem(c->lex.e); /* what was rendered is JSON */
        else
            result = expr_emit_value(c, value_node(json, 0));
    }
    buf_clear(&b);
    return result;
}
