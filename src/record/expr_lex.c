#include "record/expr_lex.h"

#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

size_t expr_lex_column(const struct expr_lex *x, size_t at)
{
    return utf8_count(x->text, at) + 1;
}

static int fail(const struct expr_lex *x, size_t at, const char *what)
{
    return err_set(x->e, ERR_INVALID, "column %zu: %s", expr_lex_column(x, at), what);
}

bool expr_lex_is(const struct expr_lex *x, const char *s)
{
    size_t len = strlen(s);
    return (x->token == TOKEN_WORD || x->token == TOKEN_SIGN) && x->end - x->start == len &&
           memcmp(x->text + x->start, s, len) == 0;
}

int expr_lex_expected(const struct expr_lex *x, const char *what)
{
    size_t column = expr_lex_column(x, x->start), len = x->end - x->start;
    if (x->token == TOKEN_END)
        return err_set(x->e, ERR_INVALID, "column %zu: expected %s, found the end", column, what);
    return err_set(x->e, ERR_INVALID, "column %zu: expected %s, found %.*s", column, what,
                   (int)(len < 40 ? len : 40), x->text + x->start);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The byte ${n} behind the current end; 0 past the text. */
static char ahead(const struct expr_lex *x, size_t n)
{
    return x->end + n < x->len ? x->text[x->end + n] : '\0';
}

static void digits(struct expr_lex *x)
{
    while (is_digit(ahead(x, 0)))
        x->end++;
}

static int number(struct expr_lex *x)
{
    x->token = TOKEN_NUMBER;
    if (ahead(x, 0) == '0' && is_digit(ahead(x, 1)))
        return fail(x, x->end, "expected a number without leading zeros");
    digits(x);
    if (ahead(x, 0) == '.') {
        if (!is_digit(ahead(x, 1)))
            return fail(x, x->end + 1, "expected a digit after the point");
        x->end++;
        digits(x);
    }
    if ((ahead(x, 0) | 0x20) == 'e') {
        size_t sign = ahead(x, 1) == '+' || ahead(x, 1) == '-';
        if (!is_digit(ahead(x, 1 + sign)))
            return fail(x, x->end + 1 + sign, "expected a digit in the exponent");
        x->end += 1 + sign;
        digits(x);
    }
    if (is_letter(ahead(x, 0)))
        return fail(x, x->end, "expected the number to end here");
    return 0;
}

static int string(struct expr_lex *x, char quote)
{
    x->token = quote == '"' ? TOKEN_STRING : TOKEN_RAW;
    for (x->end++; x->end < x->len; x->end++) {
        if (x->text[x->end] == quote) {
            x->end++;
            return 0;
        }
        if (quote == '"' && x->text[x->end] == '\\')
            x->end++;
    }
    x->end = x->len;
    return fail(x, x->start, "expected the string that starts here to end");
}

static int sign(struct expr_lex *x)
{
    static const char *const signs[] = {"==", "!=", "<=", ">=", "=~", "!~", "&&", "||",
                                        "<",  ">",  "!",  "+",  "-",  "*",  "/",  "%",
                                        "?",  ":",  "(",  ")",  "[",  "]",  ","};
    x->token = TOKEN_SIGN;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i]);
        if (n <= x->len - x->start && memcmp(x->text + x->start, signs[i], n) == 0) {
            x->end = x->start + n;
            return 0;
        }
    }
    char c = x->text[x->start];
    if (c == '=')
        return fail(x, x->start, "expected \"==\", found \"=\"");
    if (c == '&' || c == '|')
        return fail(x, x->start,
                    c == '&' ? "expected \"&&\", found \"&\"" : "expected \"||\", found \"|\"");
    size_t n = utf8_char((const unsigned char *)x->text + x->start,
                         (const unsigned char *)x->text + x->len, NULL);
    if (n == 0 || (unsigned char)c < ' ' || c == 0x7F)
        return err_set(x->e, ERR_INVALID, "column %zu: unknown byte 0x%02X",
                       expr_lex_column(x, x->start), (unsigned)(unsigned char)c);
    return err_set(x->e, ERR_INVALID, "column %zu: unknown sign %.*s", expr_lex_column(x, x->start),
                   (int)n, x->text + x->start);
}

int expr_lex_next(struct expr_lex *x)
{
    while (x->end < x->len && strchr(" \t\r\n", x->text[x->end]) != NULL && x->text[x->end] != '\0')
        x->end++;
    x->start = x->end;
    if (x->end == x->len) {
        x->token = TOKEN_END;
        return 0;
    }
    char c = x->text[x->start];
    if (is_digit(c))
        return number(x);
    if (c == '"' || c == '\'')
        return string(x, c);
    if (c == '.' || c == '@') {
        x->token = TOKEN_PATH;
        x->end++;
        return 0;
    }
    if (is_letter(c)) {
        x->token = TOKEN_WORD;
        while (is_letter(ahead(x, 0)) || is_digit(ahead(x, 0)))
            x->end++;
        return 0;
    }
    return sign(x);
}
