/*
 * expr_lex: the words of an expression, one at a time. Private to expr*.c.
 */
#ifndef WEIR_RECORD_EXPR_LEX_H
#define WEIR_RECORD_EXPR_LEX_H

#include <stdbool.h>
#include <stddef.h>

struct err;

enum expr_token {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_STRING, /* in double quotes: JSON escapes */
    TOKEN_RAW,    /* in single quotes: as it is */
    TOKEN_PATH,   /* only its beginning, "." or "@": path_prefix reads it */
    TOKEN_WORD,   /* a name: function, true, and… */
    TOKEN_SIGN,   /* an operator or punctuation */
};

struct expr_lex {
    const char *text;
    size_t len;
    size_t start, end; /* the token at hand is text[start..end) */
    enum expr_token token;
    struct err *e;
};

/* Go to the token behind the one at hand. -1: there is none, ${e} says why. */
int expr_lex_next(struct expr_lex *x);

/* Is the token at hand the word or sign ${s}? */
bool expr_lex_is(const struct expr_lex *x, const char *s);

/* Column, from 1, of byte ${at}. */
size_t expr_lex_column(const struct expr_lex *x, size_t at);

/* "column N: expected ${what}, found …" for the token at hand. Returns -1. */
int expr_lex_expected(const struct expr_lex *x, const char *what);

#endif
