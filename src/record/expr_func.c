/* expr_func: the functions of the expression language, and the table that the manual lists them from. */
#include "config.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/sha256.h"
#include "base/utf8.h"
#include "record/doc.h"
#include "record/expr_code.h"
#include "record/expr_time.h"
#include "record/number.h"
#include "record/render.h"
#include "record/scratch.h"

/* --- strings ----------------------------------------------------------------------------------- */

/* A copy in the scratch, to change in place. */
static char *copy(const struct expr_call *c, struct value *s)
{
    if (!value_plain(&c->args[0], c->scratch, s))
        return NULL;
    char *text = scratch_text(c->scratch, s->len);
    if (text != NULL && s->len > 0)
        memcpy(text, s->u.s, s->len);
    return text;
}

static struct value map_ascii(const struct expr_call *c, char from, char to)
{
    struct value s;
    char *text = copy(c, &s);
    if (text == NULL)
        return value_null();
    for (uint32_t i = 0; i < s.len; i++)
        if (text[i] >= from && text[i] <= to)
            text[i] ^= 0x20;
    return value_string(text, s.len);
}

static struct value run_lower(const struct expr_call *c)
{
    return map_ascii(c, 'A', 'Z');
}

static struct value run_upper(const struct expr_call *c)
{
    return map_ascii(c, 'a', 'z');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct value run_trim(const struct expr_call *c)
{
    struct value s;
    if (!value_plain(&c->args[0], c->scratch, &s))
        return value_null();
    for (; s.len > 0 && is_space(s.u.s[0]); s.len--)
        s.u.s++;
    while (s.len > 0 && is_space(s.u.s[s.len - 1]))
        s.len--;
    /* A part of a JSON string is one too: white space never is a part of an escape. */
    return s;
}

static const char *find(const char *s, const char *end, const struct value *part)
{
    return memmem(s, (size_t)(end - s), part->u.s, part->len);
}

static struct value run_replace(const struct expr_call *c)
{
    struct value s, from, to;
    if (!value_plain(&c->args[0], c->scratch, &s) || !value_plain(&c->args[1], c->scratch, &from) ||
        !value_plain(&c->args[2], c->scratch, &to))
        return value_null();
    if (from.len == 0)
        return s;
    const char *p = s.u.s, *end = p + s.len, *hit;
    size_t len = s.len;
    for (; (hit = find(p, end, &from)) != NULL; p = hit + from.len)
        len += to.len - (size_t)from.len; /* modulo 2^64 */
    char *text = len <= UINT32_MAX ? scratch_text(c->scratch, len) : NULL, *at = text;
    if (text == NULL)
        return value_null();
    for (p = s.u.s; (hit = find(p, end, &from)) != NULL; p = hit + from.len) {
        at = (char *)memcpy(at, p, (size_t)(hit - p)) + (hit - p);
        if (to.len > 0)
            at = (char *)memcpy(at, to.u.s, to.len) + to.len;
    }
    if (p < end)
        memcpy(at, p, (size_t)(end - p));
    return value_string(text, len);
}

/* ${n} characters on from ${p}. */
static const char *skip_characters(const char *p, const char *end, int64_t n)
{
    for (; p < end && n > 0; n--)
        do
            p++;
        while (p < end && ((unsigned char)*p & 0xC0) == 0x80);
    return p;
}

static struct value run_substr(const struct expr_call *c)
{
    struct value s;
    int64_t start, count = INT64_MAX;
    if (!value_plain(&c->args[0], c->scratch, &s) || !value_to_int(&c->args[1], &start) ||
        (c->count == 3 && !value_to_int(&c->args[2], &count)))
        return value_null();
    const char *end = s.u.s + s.len;
    if (start < 0)
        start += (int64_t)utf8_count(s.u.s, s.len);
    const char *from = skip_characters(s.u.s, end, start);
    return value_string(from, (size_t)(skip_characters(from, end, count) - from));
}

static struct value run_sha256(const struct expr_call *c)
{
    struct value s;
    if (!value_plain(&c->args[0], c->scratch, &s))
        return value_null();
    char *hex = scratch_text(c->scratch, SHA256_HEX);
    if (hex == NULL)
        return value_null();
    sha256_hex(s.u.s, s.len, hex);
    return value_string(hex, SHA256_HEX);
}

static struct value run_len(const struct expr_call *c)
{
    const struct value *v = &c->args[0];
    struct value s;
    if (v->type == VALUE_ARRAY || v->type == VALUE_OBJECT)
        return value_int((int64_t)doc_count(v));
    if (!value_plain(v, c->scratch, &s))
        return value_null();
    return value_int((int64_t)utf8_count(s.u.s, s.len));
}

/* --- conversions ------------------------------------------------------------------------------- */

/* A number, or a string that spells one; there, a plus and leading zeros are taken too. */
static bool to_number(const struct value *v, struct scratch *scratch, struct number *out)
{
    struct value s;
    if (!value_plain(v, scratch, &s) || s.len == 0)
        return false;
    bool negative = *s.u.s == '-';
    if (negative || *s.u.s == '+') {
        s.u.s++;
        s.len--;
    }
    while (s.len > 1 && s.u.s[0] == '0' && s.u.s[1] >= '0' && s.u.s[1] <= '9') {
        s.u.s++;
        s.len--;
    }
    if (s.len == 0 || *s.u.s == '-' || !number_is(s.u.s, s.len))
        return false;
    *out = number_read(s.u.s, s.len);
    out->negative = negative && out->first != out->last;
    return true;
}

static struct value whole(double d)
{
    /* 2^63, the first double that is too large. */
    if (d >= 9223372036854775808.0 || d < -9223372036854775808.0)
        return value_null();
    return value_int((int64_t)d);
}

static struct value run_int(const struct expr_call *c)
{
    const struct value *v = &c->args[0];
    struct number n;
    int64_t i;
    double d;
    if (v->type == VALUE_BOOL)
        return value_int(v->u.b);
    if (value_to_int(v, &i))
        return value_int(i);
    if (value_to_double(v, &d))
        return whole(d);
    if (!to_number(v, c->scratch, &n))
        return value_null();
    if (number_to_int(&n, &i))
        return value_int(i);
    return number_to_double(&n, &d) ? whole(d) : value_null();
}

static struct value run_float(const struct expr_call *c)
{
    const struct value *v = &c->args[0];
    struct number n;
    double d;
    if (value_to_double(v, &d) || (to_number(v, c->scratch, &n) && number_to_double(&n, &d)))
        return value_double(d);
    return value_null();
}

static struct value run_string(const struct expr_call *c)
{
    const struct value *v = &c->args[0];
    struct buf *work = &c->scratch->work;
    if (v->type == VALUE_STRING || v->type == VALUE_NULL)
        return *v;
    if (v->type == VALUE_NUMBER)
        return value_string(v->u.s, v->len);
    work->len = 0;
    work->failed = false;
    render_value(work, v);
    char *text =
        work->failed || work->len > UINT32_MAX ? NULL : scratch_text(c->scratch, work->len);
    if (text == NULL)
        return value_null();
    memcpy(text, work->data, work->len);
    return value_string(text, work->len);
}

static struct value run_round(const struct expr_call *c)
{
    double d;
    if (value_is_spelled_int(&c->args[0]))
        return c->args[0];
    return value_to_double(&c->args[0], &d) ? whole(round(d)) : value_null();
}

/* --- others ------------------------------------------------------------------------------------ */

static struct value run_type(const struct expr_call *c)
{
    const char *name = value_type_name(&c->args[0]);
    return value_string(name, strlen(name));
}

static struct value run_coalesce(const struct expr_call *c)
{
    unsigned i = 0;
    while (i + 1 < c->count && c->args[i].type == VALUE_NULL)
        i++;
    return c->args[i];
}

static struct value run_now(const struct expr_call *c)
{
    struct timespec t;
    (void)c;
    clock_gettime(CLOCK_REALTIME, &t);
    return value_double((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

const struct expr_function expr_functions[] = {
    {"coalesce", "coalesce(a, b, …)", "the first of its values that is not null", 1, 16,
     run_coalesce},
    {"exists", "exists(.path)", "whether the field is there, also when it is null", 1, 1, NULL},
    {"float", "float(x)", "a number, or a string that spells one, as a double; else null", 1, 1,
     run_float},
    {"format_time", "format_time(t, format)",
     "seconds since 1970 as text in UTC, by a format such as \"%Y-%m-%d %T\"; null when t is no number "
     "or not within 1678 and 2262",
     2, 2, expr_time_format},
    {"int", "int(x)",
     "a number, or a string that spells one, without its fraction; true is 1, false 0; null when "
     "it is none or "
     "does not fit 64 bits",
     1, 1, run_int},
    {"len", "len(x)",
     "characters of a string, elements of an array, members of an object; else null", 1, 1,
     run_len},
    {"lower", "lower(s)", "the string with A-Z as a-z", 1, 1, run_lower},
    {"now", "now()", "seconds since 1970, read from the clock at this moment", 0, 0, run_now},
    {"parse_time", "parse_time(s)",
     "the seconds since 1970 of a time by RFC 3339, without offset in UTC; null when it is none", 1,
     1, expr_time_parse},
    {"replace", "replace(s, from, to)", "the string with every from (plain text) replaced by to", 3,
     3, run_replace},
    {"round", "round(x)",
     "the nearest integer, halves away from zero; null when it does not fit 64 bits", 1, 1,
     run_round},
    {"sha256", "sha256(s)", "the hash of the string's bytes, as 64 hexadecimal digits", 1, 1,
     run_sha256},
    {"string", "string(x)", "a string as it is, null as null, anything else as compact JSON", 1, 1,
     run_string},
    {"substr", "substr(s, start[, count])",
     "characters from start (from 0; below 0 it counts from the end) on, at most count", 2, 3,
     run_substr},
    {"trim", "trim(s)", "the string without white space at both ends", 1, 1, run_trim},
    {"type", "type(x)", "\"null\", \"boolean\", \"number\", \"string\", \"array\" or \"object\"", 1,
     1, run_type},
    {"upper", "upper(s)", "the string with a-z as A-Z", 1, 1, run_upper},
    {NULL, NULL, NULL, 0, 0, NULL},
};
