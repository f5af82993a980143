/*
 * buf: bytes that grow.
 *
 * A failed growth sets `failed` and every later append is ignored, so that a writer may append freely and look
 * once at the end. Zero bytes are a valid empty buffer: struct buf b = {0}.
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL while nothing was appended; not NUL-terminated */
    size_t len, cap;
    bool failed; /* an allocation failed: the content is not complete */
};

/* Make room for ${extra} more bytes behind len. False: no memory, `failed` is set. */
bool buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* The content with a NUL behind it (which len does not count); "" when empty, NULL when failed. The buffer keeps
 * it. */
const char *buf_cstr(struct buf *b);

/* Free the content; ${b} is empty and usable again. */
void buf_clear(struct buf *b);

#endif
