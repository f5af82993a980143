#include "config/text.h"

#include <string.h>

#include "base/utf8.h"

/* Bytes in front of the first one that belongs to no character. */
static size_t valid_prefix(const char *text, size_t len)
{
    const unsigned char *start = (const unsigned char *)text, *p = start, *end = start + len;
    size_t n = 1;
    while (p < end && n > 0) {
        n = utf8_char(p, end, NULL);
        p += n;
    }
    return (size_t)(p - start);
}

bool text_valid(const char *text, size_t len)
{
    return valid_prefix(text, len) == len;
}

void text_repair(char *text)
{
    size_t len = strlen(text), i = valid_prefix(text, len);
    while (i < len) {
        text[i++] = '?';
        i += valid_prefix(text + i, len - i);
    }
}
