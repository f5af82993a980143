/*
 * expr_code: what an expression is compiled to: instructions for a stack of values. Private to expr*.c.
 *
 * Operands are pushed, operators take theirs from the top and push the result, so chains of operators need no depth.
 * The compiler knows how high the stack gets and refuses what would pass EXPR_STACK.
 */
#ifndef WEIR_RECORD_EXPR_CODE_H
#define WEIR_RECORD_EXPR_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "record/arena.h"
#include "record/expr.h"

/* Values an evaluation may hold at a time: 16 bytes each, on the C stack. */
#define EXPR_STACK 256

struct regex;

enum expr_op {
    OP_CONST,  /* push value */
    OP_FIELD,  /* push what is at path */
    OP_EXISTS, /* push whether anything is at path */
    OP_CALL,   /* function, with args values from the stack */
    OP_NOT,
    OP_TRUTH, /* true stays true, all else becomes false */
    OP_NEG,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
    OP_CONTAINS,
    OP_STARTS,
    OP_ENDS,
    OP_MATCH,    /* regex */
    OP_NO_MATCH, /* regex */
    OP_AND,      /* top is true: pop it; else it becomes false, and go to target */
    OP_OR,       /* top is true: go to target; else pop it */
    OP_UNLESS,   /* pop; not true: go to target */
    OP_JUMP,     /* go to target */
};

/* What a function gets; texts it makes go to the scratch. */
struct expr_call {
    const struct value *args;
    unsigned count;
    struct scratch *scratch;
};

struct expr_instr {
    uint8_t op;      /* enum expr_op */
    uint8_t args;    /* of OP_CALL */
    uint32_t target; /* of jumps: an instruction */
    union {
        struct value value;
        struct path *path; /* owned, as is regex */
        const struct expr_function *function;
        struct regex *regex;
    } u;
};

struct expr {
    struct expr_instr *code;
    size_t count, cap;
    struct arena arena; /* texts and indexes of constants */
    char *text;         /* as it was written */
};

/* expr_calc.c: the operators without jumps. ${op} is from OP_ADD to OP_MOD, or from OP_EQ to OP_ENDS. */
struct value expr_calc(enum expr_op op, const struct value *a, const struct value *b,
                       struct scratch *scratch);
struct value expr_negate(const struct value *a);
bool expr_relate(enum expr_op op, const struct value *a, const struct value *b,
                 struct scratch *scratch);

#endif
