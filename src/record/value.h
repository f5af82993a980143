/*
 * value: what an expression computes with: 16 bytes that refer to text and own nothing.
 *
 * A value lives as long as what it refers to: the text and index of its record, an expression's constants, a scratch.
 * Numbers that came from JSON keep their spelling (VALUE_NUMBER) until somebody computes with them; int, double and number are one
 * type, "number", to every comparison.
 *
 * Comparisons of numbers are exact, in decimal, whatever their size: 9007199254740993 is above 9007199254740992.0, and
 * 1e400 is above 1e399. A double stands for the shortest decimal that reads back as itself, which is also how it is
 * written: 0.1 computed equals 0.1 read.
 */
#ifndef WEIR_RECORD_VALUE_H
#define WEIR_RECORD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doc_edit;
struct jscan;
struct scratch;

enum value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,    /* u.i */
    VALUE_DOUBLE, /* u.d, finite */
    VALUE_NUMBER, /* u.s, len: a JSON number as it is spelled */
    VALUE_STRING, /* u.s, len */
    VALUE_ARRAY,  /* u.json and node, or u.edit */
    VALUE_OBJECT,
};

enum value_flags {
    VALUE_JSON = 1, /* the string is the inside of a valid JSON string: may be written as it is */
    VALUE_ESCAPED = 2, /* and holds escapes: must be unescaped to be used */
    VALUE_EDITED = 4,  /* the container is u.edit: an index with edits on top (doc.h) */
};

struct value {
    uint8_t type;  /* enum value_type */
    uint8_t flags; /* enum value_flags */
    uint32_t len;  /* bytes of a text; the node of a container */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s;
        const struct jscan *json;
        const struct doc_edit *edit;
    } u;
};

/* Bytes a number takes at most when value_spell writes it. */
#define VALUE_SPELL_MAX 32

static inline struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}

static inline struct value value_bool(bool b)
{
    return (struct value){.type = VALUE_BOOL, .u.b = b};
}

static inline struct value value_int(int64_t i)
{
    return (struct value){.type = VALUE_INT, .u.i = i};
}

/* null when ${d} is not finite: JSON has no word for it. */
struct value value_double(double d);

/* Plain bytes; they need not be UTF-8. */
static inline struct value value_string(const char *s, size_t len)
{
    return (struct value){.type = VALUE_STRING, .len = (uint32_t)len, .u.s = s};
}

/* Node ${node} of ${json}. */
struct value value_node(const struct jscan *json, uint32_t node);

static inline bool value_true(const struct value *v)
{
    return v->type == VALUE_BOOL && v->u.b;
}

static inline bool value_is_number(const struct value *v)
{
    return v->type >= VALUE_INT && v->type <= VALUE_NUMBER;
}

/* "null", "boolean", "number", "string", "array" or "object". */
const char *value_type_name(const struct value *v);

/* Equal: of one type, and the same number, text, elements, or members in the same order. */
bool value_equal(const struct value *a, const struct value *b);

/* Two numbers or two strings (by bytes): *${order} is below, at or above 0. False: they have no order. */
bool value_order(const struct value *a, const struct value *b, int *order);

/* An int, or a number spelled without fraction and exponent: what computes as an integer. */
bool value_is_spelled_int(const struct value *v);

/* The number as an int64, when it is exactly one (1.0 and 1e3 are). */
bool value_to_int(const struct value *v, int64_t *out);

/* The number as the nearest double. False when it is no number or not finite as a double. */
bool value_to_double(const struct value *v, double *out);

/* Write an int or double as JSON to ${out} (VALUE_SPELL_MAX bytes). Returns the length. */
size_t value_spell(const struct value *v, char *out);

/* Read ${s} as a number: a JSON number, with nothing around it. False when it is none. */
bool value_read_number(const char *s, size_t len, struct value *out);

/* The string without escapes: in place, or unescaped into ${scratch}. False: no room (${out} is null then), or no string. */
bool value_plain(const struct value *v, struct scratch *scratch, struct value *out);

/* Bytes of the string when it is unescaped. */
size_t value_length(const struct value *v);

#endif
