/*
 * utf8: one character at a time, as strict as Unicode (15, section 3.9, table 3-7): no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at ${p}, 1 to 4, where at least one byte is there before ${end}. 0: ill-formed;
 * then *${skip}, if not NULL, is the length of the maximal ill-formed piece, 1 to 3, that one U+FFFD replaces. */
static inline size_t utf8_char(const unsigned char *p, const unsigned char *end, size_t *skip)
{
    unsigned char c = *p, low = 0x80, high = 0xBF;
    size_t need, have = 1;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        need = 2;
    else if (c >= 0xE0 && c <= 0xEF)
        need = 3;
    else if (c >= 0xF0 && c <= 0xF4)
        need = 4;
    else
        need = 0;
    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    for (; have < need && p + have < end && p[have] >= low && p[have] <= high; have++) {
        low = 0x80;
        high = 0xBF;
    }
    if (have == need)
        return need;
    if (skip != NULL)
        *skip = have;
    return 0;
}

/* Write the scalar value ${c} to ${out} (4 bytes). Returns the length. */
static inline size_t utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* How many characters ${len} bytes are: those that are no continuation, so any bytes have a count. */
static inline size_t utf8_count(const char *s, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

#endif
