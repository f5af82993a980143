#include "record/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPONENT_MAX 1000000000000000 /* 10^15 */
/* A double is decided by its first 767 digits, and by whether any digit follows. */
#define DIGITS_MAX 770

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

bool number_is(const char *s, size_t len)
{
    const char *p = s, *end = s + len, *from;
    p += p < end && *p == '-';
    from = p;
    p = digits(p, end);
    if (p == from || (*from == '0' && p - from > 1))
        return false;
    if (p < end && *p == '.') {
        from = ++p;
        p = digits(p, end);
        if (p == from)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        from = p;
        p = digits(p, end);
        if (p == from)
            return false;
    }
    return p == end;
}

static int64_t read_exponent(const char *p, const char *end)
{
    int64_t n = 0;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    for (; p < end && n < EXPONENT_MAX; p++)
        n = n * 10 + (*p - '0');
    n = n > EXPONENT_MAX ? EXPONENT_MAX : n;
    return negative ? -n : n;
}

struct number number_read(const char *s, size_t len)
{
    const char *p = s, *end = s + len, *point = NULL;
    struct number n = {0};
    n.negative = *p == '-';
    p += n.negative;
    const char *start = p;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            point = p;
        } else if (*p != '0') {
            if (n.first == NULL)
                n.first = p;
            n.last = p + 1;
        }
    }
    if (n.first == NULL) {
        n.first = n.last = start;
        n.negative = false; /* -0 is 0 */
        return n;
    }
    const char *units = point != NULL ? point : p; /* behind the digit of the ones */
    n.exponent = units - n.first + (n.first > units);
    if (p < end)
        n.exponent += read_exponent(p + 1, end);
    return n;
}

static char next_digit(const char **p, const char *end)
{
    if (*p < end && **p == '.')
        ++*p;
    return *p < end ? *(*p)++ : '0';
}

static int compare_size(const struct number *a, const struct number *b)
{
    const char *p = a->first, *q = b->first;
    if (p == a->last || q == b->last)
        return (p != a->last) - (q != b->last);
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    while (p < a->last || q < b->last) {
        char x = next_digit(&p, a->last), y = next_digit(&q, b->last);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

int number_compare(const struct number *a, const struct number *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = compare_size(a, b);
    return a->negative ? -order : order;
}

bool number_to_int(const struct number *n, int64_t *out)
{
    uint64_t sum = 0, most = (uint64_t)INT64_MAX + n->negative;
    const char *p = n->first;
    if (p != n->last && (n->exponent <= 0 || n->exponent > 19))
        return false;
    for (int64_t i = p != n->last ? n->exponent : 0; i > 0; i--) {
        uint64_t digit = (uint64_t)(next_digit(&p, n->last) - '0');
        if (sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    if (p != n->last)
        return false; /* a fraction is left: the last digit is not 0 */
    *out = n->negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool number_to_double(const struct number *n, double *out)
{
    char text[DIGITS_MAX + 40];
    size_t len = 0;
    const char *p = n->first;
    text[len++] = n->negative ? '-' : '+';
    text[len++] = '0';
    text[len++] = '.';
    while (p < n->last && len < DIGITS_MAX)
        text[len++] = next_digit(&p, n->last);
    if (p < n->last)
        text[len++] = '1'; /* more follows: enough to break a tie */
    snprintf(text + len, sizeof text - len, "0e%lld", (long long)n->exponent);
    *out = strtod(text, NULL);
    return isfinite(*out);
}
