/*
 * expr_compile: what the compiler's files share: emitting instructions and reading constants. Private to expr*.c.
 */
#ifndef WEIR_RECORD_EXPR_COMPILE_H
#define WEIR_RECORD_EXPR_COMPILE_H

#include "record/expr_code.h"
#include "record/expr_lex.h"

struct expr_compiler {
    struct expr_lex lex;
    struct expr *x;
    int height; /* of the stack after what was emitted */
    int depth;  /* of nesting */
};

/* Append an instruction that changes the height of the stack by ${effect}; what it holds is the expression's when this succeeds. */
int expr_emit(struct expr_compiler *c, struct expr_instr in, int effect);
int expr_emit_op(struct expr_compiler *c, enum expr_op op, int effect);
int expr_emit_value(struct expr_compiler *c, struct value v);

/* The number from ${start} (a minus belongs to it) to the end of the token at hand. */
int expr_const_number(struct expr_compiler *c, size_t start, struct value *out);

/* The string at hand, unescaped. */
int expr_const_string(struct expr_compiler *c, struct value *out);

/* A number, string, true, false or null at hand, which is passed; *${found} says whether there was one. */
int expr_const_scalar(struct expr_compiler *c, struct value *out, bool *found);

/* The array of constants that starts at hand, which is passed and emitted. */
int expr_const_array(struct expr_compiler *c);

#endif
