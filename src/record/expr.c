/* expr: the compiler. Recursive descent, one function a level of binding; instructions are emitted in the order they run. */
#include "record/expr.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "record/expr_compile.h"
#include "record/expr_time.h"
#include "record/regex.h"
#include "record/path.h"

static int parse_whole(struct expr_compiler *c);

/* The jump at ${at} goes to what is emitted next. */
static void land(struct expr_compiler *c, size_t at)
{
    c->x->code[at].target = (uint32_t)c->x->count;
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

/* --- operands ---------------------------------------------------------------------------------- */

static int parse_path(struct expr_compiler *c)
{
    struct path *p = path_prefix(c->lex.text, c->lex.len, &c->lex.start, c->lex.e);
    if (p == NULL)
        return -1;
    c->lex.end = c->lex.start;
    if (expr_emit(c, (struct expr_instr){.op = OP_FIELD, .u.path = p}, 1) != 0) {
        path_free(&p);
        return -1;
    }
    return next(c);
}

static const struct expr_function *find_function(const struct expr_compiler *c)
{
    const struct expr_function *f = expr_functions;
    while (f->name != NULL && !is(c, f->name))
        f++;
    return f->name != NULL ? f : NULL;
}

/* The word at hand means nothing. */
static int unknown_word(struct expr_compiler *c)
{
    struct buf b = {0};
    size_t len = c->lex.end - c->lex.start, column = expr_lex_column(&c->lex, c->lex.start);
    char word[64] = {0};
    memcpy(word, c->lex.text + c->lex.start, len < sizeof word ? len : sizeof word - 1);
    struct nearest near = nearest_to(word);
    for (const struct expr_function *f = expr_functions; f->name != NULL; f++)
        nearest_try(&near, f->name);
    nearest_add(&near, &b);
    bool called = next(c) == 0 && is(c, "(");
    err_clear(c->lex.e);
    if (called)
        err_set(c->lex.e, ERR_INVALID, "column %zu: unknown function %s%s", column, word,
                buf_cstr(&b) ? buf_cstr(&b) : "");
    else
        err_set(c->lex.e, ERR_INVALID,
                "column %zu: expected a value, found %s; a field is written .%s, text \"%s\"",
                column, word, word, word);
    buf_clear(&b);
    return -1;
}

/* The arguments up to the closing parenthesis; how many in *${count}. */
static int parse_args(struct expr_compiler *c, unsigned most, unsigned *count)
{
    *count = 0;
    if (is(c, ")"))
        return next(c);
    for (;;) {
        if (*count == most)
            return expected(c, "\")\": that is one argument too many");
        if (parse_whole(c) != 0)
            return -1;
        ++*count;
        if (is(c, ")"))
            return next(c);
        if (!is(c, ","))
            return expected(c, "\",\" or \")\"");
        if (next(c) != 0)
            return -1;
    }
}

static int parse_call(struct expr_compiler *c, const struct expr_function *f)
{
    size_t column = expr_lex_column(&c->lex, c->lex.start), first = c->x->count;
    unsigned count;
    if (next(c) != 0)
        return -1;
    if (!is(c, "("))
        return err_set(c->lex.e, ERR_INVALID, "column %zu: expected \"(\" after %s: %s",
                       expr_lex_column(&c->lex, c->lex.start), f->name, f->usage);
    if (next(c) != 0 || parse_args(c, f->max, &count) != 0)
        return -1;
    if (count < f->min)
        return err_set(c->lex.e, ERR_INVALID, "column %zu: expected %u argument%s, found %u: %s",
                       column, f->min, f->min == 1 ? "" : "s", count, f->usage);
    struct err e = {0};
    if (count > 0 && expr_time_check(f, &c->x->code[c->x->count - 1], &e) != 0)
        return err_set(c->lex.e, ERR_INVALID, "column %zu: in the format of %s: %s", column, f->name, e.text);
    if (f->run != NULL)
        return expr_emit(
            c, (struct expr_instr){.op = OP_CALL, .args = (uint8_t)count, .u.function = f},
            1 - (int)count);
    if (c->x->count != first + 1 || c->x->code[first].op != OP_FIELD)
        return err_set(c->lex.e, ERR_INVALID, "column %zu: expected a path in %s", column,
                       f->usage);
    c->x->code[first].op = OP_EXISTS;
    return 0;
}

static int parse_operand(struct expr_compiler *c)
{
    struct value v;
    bool found;
    if (c->lex.token == TOKEN_PATH)
        return parse_path(c);
    if (is(c, "["))
        return expr_const_array(c);
    if (is(c, "(")) {
        if (next(c) != 0 || parse_whole(c) != 0)
            return -1;
        return is(c, ")") ? next(c) : expected(c, "an operator or \")\"");
    }
    if (expr_const_scalar(c, &v, &found) != 0)
        return -1;
    if (found)
        return expr_emit_value(c, v);
    static const char *const words[] = {"and",      "or",          "not",      "in",
                                        "contains", "starts_with", "ends_with"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is(c, words[i]))
            return expected(c, "a value");
    if (c->lex.token != TOKEN_WORD)
        return expected(c, "a value");
    const struct expr_function *f = find_function(c);
    return f != NULL ? parse_call(c, f) : unknown_word(c);
}

static int too_deep(struct expr_compiler *c)
{
    return expected(c, "no more than 100 levels of nesting");
}

/* - and !. A minus right before a number is part of it, so that the smallest integer can be written. */
static int parse_prefix(struct expr_compiler *c)
{
    struct value v;
    size_t start = c->lex.start;
    bool minus = is(c, "-");
    if (!minus && !is(c, "!"))
        return parse_operand(c);
    if (next(c) != 0)
        return -1;
    if (minus && c->lex.token == TOKEN_NUMBER && c->lex.start == start + 1) {
        if (expr_const_number(c, start, &v) != 0 || expr_emit_value(c, v) != 0)
            return -1;
        return next(c);
    }
    if (++c->depth > EXPR_DEPTH_MAX)
        return too_deep(c);
    if (parse_prefix(c) != 0)
        return -1;
    c->depth--;
    return expr_emit_op(c, minus ? OP_NEG : OP_NOT, 0);
}

/* --- operators --------------------------------------------------------------------------------- */

struct binary {
    const char *sign;
    enum expr_op op;
};

static const struct binary products[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"%", OP_MOD}, {NULL, 0}};
static const struct binary sums[] = {{"+", OP_ADD}, {"-", OP_SUB}, {NULL, 0}};
static const struct binary relations[] = {
    {"==", OP_EQ},
    {"!=", OP_NE},
    {"<", OP_LT},
    {"<=", OP_LE},
    {">", OP_GT},
    {">=", OP_GE},
    {"in", OP_IN},
    {"contains", OP_CONTAINS},
    {"starts_with", OP_STARTS},
    {"ends_with", OP_ENDS},
    {"=~", OP_MATCH},
    {"!~", OP_NO_MATCH},
    {NULL, 0},
};

static const struct binary *one_of(const struct expr_compiler *c, const struct binary *table)
{
    while (table->sign != NULL && !is(c, table->sign))
        table++;
    return table->sign != NULL ? table : NULL;
}

/* Operators of one level, read from the left. */
static int parse_chain(struct expr_compiler *c, const struct binary *table,
                       int (*operand)(struct expr_compiler *))
{
    const struct binary *b;
    if (operand(c) != 0)
        return -1;
    while ((b = one_of(c, table)) != NULL)
        if (next(c) != 0 || operand(c) != 0 || expr_emit_op(c, b->op, -1) != 0)
            return -1;
    return 0;
}

static int parse_product(struct expr_compiler *c)
{
    return parse_chain(c, products, parse_prefix);
}

static int parse_sum(struct expr_compiler *c)
{
    return parse_chain(c, sums, parse_product);
}

/* The right side of =~ and !~. */
static int parse_pattern(struct expr_compiler *c, enum expr_op op)
{
    struct value v;
    size_t column = expr_lex_column(&c->lex, c->lex.start);
    if (c->lex.token != TOKEN_STRING && c->lex.token != TOKEN_RAW)
        return expected(c, "a pattern in quotes");
    if (expr_const_string(c, &v) != 0)
        return -1;
    struct err why = {0};
    struct regex *re = regex_new(v.u.s, v.len, &why);
    if (re == NULL)
        return err_set(c->lex.e, why.code, "column %zu: %s%s", column,
                       regex_built_in() ? "wrong pattern, " : "", why.text);
    if (expr_emit(c, (struct expr_instr){.op = (uint8_t)op, .u.regex = re}, 0) != 0) {
        regex_free(&re);
        return -1;
    }
    return next(c);
}

/* One relation at most: a < b < c does not mean what it looks like. */
static int parse_relation(struct expr_compiler *c)
{
    if (parse_sum(c) != 0)
        return -1;
    bool not_in = is(c, "not");
    const struct binary *b = one_of(c, relations);
    if (!not_in && b == NULL)
        return 0;
    if (next(c) != 0)
        return -1;
    if (not_in) {
        if (!is(c, "in"))
            return expected(c, "\"in\" after \"not\"");
        if (next(c) != 0)
            return -1;
    }
    if (!not_in && (b->op == OP_MATCH || b->op == OP_NO_MATCH)) {
        if (parse_pattern(c, b->op) != 0)
            return -1;
    } else if (parse_sum(c) != 0 || expr_emit_op(c, not_in ? OP_NOT_IN : b->op, -1) != 0) {
        return -1;
    }
    if (one_of(c, relations) != NULL || is(c, "not"))
        return expected(c, "\"and\" or \"or\": comparisons do not chain");
    return 0;
}

static int parse_not(struct expr_compiler *c)
{
    bool any = false, negate = false;
    for (; is(c, "not"); any = true, negate = !negate)
        if (next(c) != 0)
            return -1;
    if (parse_relation(c) != 0)
        return -1;
    return any ? expr_emit_op(c, negate ? OP_NOT : OP_TRUTH, 0) : 0;
}

/* a and b, a or b: the jump leaves the left side's verdict on the stack, else it is taken away. */
static int parse_shortcut(struct expr_compiler *c, const char *word, const char *sign,
                          enum expr_op op, int (*operand)(struct expr_compiler *))
{
    if (operand(c) != 0)
        return -1;
    while (is(c, word) || is(c, sign)) {
        size_t jump = c->x->count;
        if (next(c) != 0 || expr_emit_op(c, op, -1) != 0 || operand(c) != 0 ||
            expr_emit_op(c, OP_TRUTH, 0) != 0)
            return -1;
        land(c, jump);
    }
    return 0;
}

static int parse_and(struct expr_compiler *c)
{
    return parse_shortcut(c, "and", "&&", OP_AND, parse_not);
}

static int parse_or(struct expr_compiler *c)
{
    return parse_shortcut(c, "or", "||", OP_OR, parse_and);
}

static int parse_choice(struct expr_compiler *c)
{
    size_t unless = c->x->count, jump;
    if (next(c) != 0 || expr_emit_op(c, OP_UNLESS, -1) != 0 || parse_whole(c) != 0)
        return -1;
    if (!is(c, ":"))
        return expected(c, "an operator or \":\"");
    jump = c->x->count;
    if (next(c) != 0 || expr_emit_op(c, OP_JUMP, -1) != 0)
        return -1;
    land(c, unless);
    if (parse_whole(c) != 0)
        return -1;
    land(c, jump);
    return 0;
}

static int parse_whole(struct expr_compiler *c)
{
    if (++c->depth > EXPR_DEPTH_MAX)
        return too_deep(c);
    if (parse_or(c) != 0)
        return -1;
    if (is(c, "?") && parse_choice(c) != 0)
        return -1;
    c->depth--;
    return 0;
}

/* --- all --------------------------------------------------------------------------------------- */

struct expr *expr_new(const char *text, size_t len, struct err *e)
{
    struct err own = {0};
    struct expr_compiler c = {.lex = {.text = text, .len = len, .e = &own}};
    if (len > EXPR_TEXT_MAX) {
        err_set(e, ERR_INVALID, "column 1: expected an expression of at most 64 KiB");
        return NULL;
    }
    c.x = mem_zalloc(1, sizeof *c.x);
    if (c.x == NULL) {
        err_nomem(e);
        return NULL;
    }
    c.x->text = mem_strndup(text, len);
    if (c.x->text == NULL) {
        err_nomem(&own);
        goto err0;
    }
    if (next(&c) != 0 || parse_whole(&c) != 0)
        goto err0;
    if (c.lex.token != TOKEN_END) {
        expected(&c, "an operator or the end");
        goto err0;
    }
    return c.x;
err0:
    err_set(e, own.code, "%s", own.text);
    expr_free(&c.x);
    return NULL;
}

const char *expr_text(const struct expr *x)
{
    return x->text;
}

void expr_free(struct expr **x)
{
    struct expr *dead = *x;
    *x = NULL;
    if (dead == NULL)
        return;
    for (size_t i = 0; i < dead->count; i++) {
        struct expr_instr *in = &dead->code[i];
        if (in->op == OP_FIELD || in->op == OP_EXISTS)
            path_free(&in->u.path);
        else if (in->op == OP_MATCH || in->op == OP_NO_MATCH)
            regex_free(&in->u.regex);
    }
    mem_free(dead->code);
    mem_free(dead->text);
    arena_clear(&dead->arena);
    mem_free(dead);
}
