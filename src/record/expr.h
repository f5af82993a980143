/*
 * expr: the expression language of filters and of set, compiled once, evaluated per record.
 *
 *     .level in ["error", "fatal"] and not (.path starts_with "/health")
 *
 * Lowest first, the operators bind like this; those in one line are read from the left:
 *
 *     c ? a : b
 *     or  ||
 *     and  &&
 *     not
 *     ==  !=  <  <=  >  >=  in  not in  contains  starts_with  ends_with  =~  !~      (one only: they do not chain)
 *     +  -
 *     *  /  %
 *     -  !                                                                            (prefix)
 *
 * Operands: paths (path.h), numbers, true, false, null, "text" with JSON escapes, 'text' taken as it is (no escapes: for
 * patterns), arrays of constants, function calls (expr_functions lists them), parentheses.
 *
 * Nothing is an error when it runs:
 *  - a missing field is null; true is the only thing that counts as true (for and, or, not, ?: and filters);
 *  - ==: false between types; arrays and objects are compared in full, members in order. != is its opposite;
 *  - <, <=, >, >=: numbers exactly, whatever their size; strings by bytes; false for everything else;
 *  - b contains a, a in b: a part of a string, an element of an array, a member name of an object; else false;
 *  - starts_with, ends_with: strings, else false;
 *  - s =~ "re": PCRE2, UTF-8, unanchored, the pattern is a constant. Not a string: false. Past the match limit: null.
 *    !~ is the opposite where s is a string, and true where it is not;
 *  - +, -, *: int64 as long as the result fits, else double; a double result that is not finite is null. / gives an int when it
 *    comes out even, else a double; % has the sign of its left side; by zero is null. A number that is not an
 *    int64 counts as the nearest double. + joins two strings. Anything else is null.
 *
 * No clock is read except by now(). Evaluation does not allocate but for the scratch (scratch.h); a text that finds no room in it
 * is null. An expression belongs to one thread at a time.
 */
#ifndef WEIR_RECORD_EXPR_H
#define WEIR_RECORD_EXPR_H

#include <stdbool.h>
#include <stddef.h>

#include "record/batch.h"
#include "record/value.h"

struct err;
struct expr;
struct scratch;

/* Parentheses, calls and prefixes within each other. */
#define EXPR_DEPTH_MAX 100
/* Bytes of an expression. */
#define EXPR_TEXT_MAX 65536

struct expr_call;

/* For the manual: name, usage, words. */
struct expr_function {
    const char *name;
    const char *usage; /* "lower(s)" */
    const char *words; /* what it gives; what is not the type it wants gives null */
    unsigned min, max; /* how many arguments */
    struct value (*run)(const struct expr_call *c); /* NULL: the compiler sees to it */
};

/* Every function, sorted by name, ended by a NULL name. */
extern const struct expr_function expr_functions[];

/* Compile the ${len} bytes at ${text}. NULL with "column N: expected …, found …" in ${e}; columns count characters from 1. */
struct expr *expr_new(const char *text, size_t len, struct err *e);

/* As it was written. */
const char *expr_text(const struct expr *x);

/* Free *${x} (may be NULL) and clear it. */
void expr_free(struct expr **x);

/* The value for ${r}. Texts that were made lie in ${scratch}: copy (record_set does) before it is reset. */
struct value expr_eval(const struct expr *x, const struct batch *b, const struct record *r,
                       struct scratch *scratch);

/* Is it true for ${r}? Resets ${scratch} first. */
bool expr_test(const struct expr *x, const struct batch *b, const struct record *r,
               struct scratch *scratch);

#endif
