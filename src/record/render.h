/*
 * render: records and values as bytes.
 *
 * JSON is written compact, in one line: what was not edited keeps its bytes (order, spelling of numbers, escapes) without the white
 * space between tokens. Text that is not UTF-8 still gives valid JSON: each maximal ill-formed piece becomes U+FFFD
 * (Unicode 15, section 3.9). Only what must be escaped is: the quote, the backslash and controls.
 *
 * Everything is appended to a struct buf: look at its `failed` once at the end. No terminator is added.
 */
#ifndef WEIR_RECORD_RENDER_H
#define WEIR_RECORD_RENDER_H

#include <stddef.h>

#include "base/buf.h"
#include "record/batch.h"
#include "record/value.h"

enum render_encoding {
    RENDER_AUTO, /* an untouched record byte for byte, a changed one as JSON */
    RENDER_JSON, /* always an object; a plain record is {"message": …} */
    RENDER_TEXT, /* .message alone: a string as its text, anything else as JSON, nothing when missing */
};

void render_record(struct buf *out, const struct record *r, enum render_encoding encoding);

/* ${v} as compact JSON. */
void render_value(struct buf *out, const struct value *v);

/* ${v} as text: a string as its unescaped bytes, null as nothing, anything else as JSON. */
void render_text(struct buf *out, const struct value *v);

/* The member of an object that the ${len} bytes at ${data} are: "${key}":"…", or "${key}_base64":"…" when they are not UTF-8. */
void render_bytes(struct buf *out, const char *key, const char *data, size_t len);

/* The bytes at ${s} as a JSON string, with quotes. */
void render_string(struct buf *out, const char *s, size_t len);

#endif
