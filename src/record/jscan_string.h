/*
 * jscan_string: the bytes between a JSON string's quotes, read as text.
 *
 * All take the inside of a string that jscan_text accepted, or plain bytes with ${escaped} false. Reading undoes escapes: a
 * surrogate pair becomes its character, a lone surrogate U+FFFD. Nothing allocates; text never grows when it is
 * unescaped.
 */
#ifndef WEIR_RECORD_JSCAN_STRING_H
#define WEIR_RECORD_JSCAN_STRING_H

#include <stdbool.h>
#include <stddef.h>

struct jscan_span {
    const char *s;
    size_t len;
    bool escaped;
};

/* Write the unescaped text of ${s} to ${out}, which has room for ${len} bytes. Returns how many were written. */
size_t jscan_string_unescape(const char *s, size_t len, char *out);

/* How many bytes jscan_string_unescape would write. */
size_t jscan_string_length(const char *s, size_t len);

/* Compare as bytes of UTF-8: below, at or above 0. */
int jscan_string_compare(struct jscan_span a, struct jscan_span b);

#endif
