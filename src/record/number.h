/*
 * number: a JSON number read exactly, in decimal.
 *
 * A number is sign, digits and power of ten; nothing is rounded and nothing allocated: the digits are read where they are
 * spelled. Exponents past +-10^15 count as that, which orders numbers as long as their texts are shorter than that.
 */
#ifndef WEIR_RECORD_NUMBER_H
#define WEIR_RECORD_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0.d1d2d3... * 10^exponent, d1 and the last digit not 0; no digits: zero. */
struct number {
    const char *first,
        *last; /* text from the first to behind the last digit that counts; may hold one '.' */
    int64_t exponent;
    bool negative;
};

/* ${s} is a JSON number. */
struct number number_read(const char *s, size_t len);

/* Below, at or above 0. */
int number_compare(const struct number *a, const struct number *b);

/* Is it an int64, exactly? */
bool number_to_int(const struct number *n, int64_t *out);

/* The nearest double; false when that is not finite. */
bool number_to_double(const struct number *n, double *out);

/* Is all of ${s} a JSON number? */
bool number_is(const char *s, size_t len);

#endif
