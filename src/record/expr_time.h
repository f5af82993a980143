/*
 * expr_time: the functions of expressions that know about time. Private to expr*.c.
 */
#ifndef WEIR_RECORD_EXPR_TIME_H
#define WEIR_RECORD_EXPR_TIME_H

#include "record/expr_code.h"

struct err;

struct value expr_time_format(const struct expr_call *c);
struct value expr_time_parse(const struct expr_call *c);

/* For the compiler, when a call of ${f} is about to be emitted behind the ${last} instruction of its arguments: a format that is written out must
 * be a good one. -1 and ${e}: what to say behind the column. */
int expr_time_check(const struct expr_function *f, const struct expr_instr *last, struct err *e);

#endif
