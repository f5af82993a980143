#include "record/jscan.h"

#include <string.h>

#include "base/utf8.h"
#include "record/arena.h"
#include "record/jscan_plain.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

typedef unsigned char byte;

struct scan {
    const byte *text, *end;
    struct jscan_node *nodes;
    size_t count, cap; /* of nodes */
    struct arena *arena;
    uint32_t
        open; /* the innermost open container; while it is open, its `next` is the one around it */
    uint32_t depth; /* how many are open */
    byte closer;    /* what ends it */
    bool spaced;
    bool opened; /* the value begun last is a container with content */
    struct jscan_fault fault;
};

/* --- what goes wrong; NULL for the caller to hand on ------------------------------------------- */

__attribute__((cold, noinline)) static const byte *bad(struct scan *s, const byte *at,
                                                       enum jscan_error error, const char *what)
{
    if (at >= s->end && error == JSCAN_SYNTAX)
        error = JSCAN_CUT;
    s->fault = (struct jscan_fault){error, (uint32_t)(at - s->text), what};
    return NULL;
}

/* --- nodes ------------------------------------------------------------------------------------- */

__attribute__((cold, noinline)) static bool more_nodes(struct scan *s)
{
    size_t room, want = s->cap * 2;
    arena_take(s->arena, s->count * sizeof *s->nodes);
    struct jscan_node *nodes = arena_open(s->arena, want * sizeof *nodes, &room);
    if (nodes == NULL) {
        s->count = 0;
        bad(s, s->text, JSCAN_NOMEM, "out of memory");
        return false;
    }
    memcpy(nodes, s->nodes, s->count * sizeof *nodes);
    s->nodes = nodes;
    s->cap = room / sizeof *nodes;
    return true;
}

static inline bool add(struct scan *s, enum jscan_type type, unsigned flags, const byte *start,
                       const byte *end)
{
    if (unlikely(s->count == s->cap) && !more_nodes(s))
        return false;
    struct jscan_node *n = &s->nodes[s->count++];
    n->start = (uint32_t)(start - s->text);
    n->end = (uint32_t)(end - s->text);
    n->next = (uint32_t)s->count;
    n->type = (uint8_t)type;
    n->flags = (uint8_t)flags;
    n->unused = 0;
    return true;
}

/* --- tokens: each takes the place where it must start and returns the place behind it ----------- */

static inline const byte *skip_space(struct scan *s, const byte *p)
{
    if (likely(p < s->end) && likely(*p > ' '))
        return p;
    for (; p < s->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'); p++)
        s->spaced = true;
    return p;
}

static inline bool is_hex(byte c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static const byte *scan_escape(struct scan *s, const byte *p)
{
    p++;
    if (p < s->end && *p == 'u') {
        for (int i = 0; i < 4; i++)
            if (++p >= s->end || !is_hex(*p))
                return bad(s, p, JSCAN_SYNTAX, "expected four hexadecimal digits");
        return p + 1;
    }
    if (p >= s->end || *p == '\0' || strchr("\"\\/bfnrt", *p) == NULL)
        return bad(s, p, JSCAN_SYNTAX, "expected one of \" \\ / b f n r t u after the backslash");
    return p + 1;
}

/* Inside a string, at ${p}: to behind its closing quote, over whatever it holds. */
__attribute__((noinline)) static const byte *scan_string_rest(struct scan *s, const byte *p,
                                                              unsigned *flags)
{
    const byte *end = s->end;
    for (;;) {
        p = jscan_plain(p, end);
        if (unlikely(p >= end))
            return bad(s, p, JSCAN_CUT, "expected the end of the string");
        if (likely(*p == '"'))
            return p + 1;
        if (*p == '\\') {
            *flags |= JSCAN_ESCAPED;
            p = scan_escape(s, p);
            if (unlikely(p == NULL))
                return NULL;
            continue;
        }
        if (*p < 0x20)
            return bad(s, p, JSCAN_SYNTAX, "expected control characters to be escaped");
        do {
            size_t n = utf8_char(p, end, NULL);
            if (unlikely(n == 0))
                return bad(s, p, JSCAN_UTF8, "expected UTF-8");
            p += n;
        } while (p < end && *p >= 0x80);
    }
}

/* ${p} is at the opening quote. Most strings are plain and not at the end of the text: those take no call. */
static inline const byte *scan_string(struct scan *s, const byte *p, unsigned *flags)
{
    p = jscan_plain_wide(p + 1, s->end);
    if (likely(p < s->end) && likely(*p == '"'))
        return p + 1;
    return scan_string_rest(s, p, flags);
}

static inline const byte *scan_digits(const byte *p, const byte *end)
{
    while (p < end && (unsigned)(*p - '0') <= 9)
        p++;
    return p;
}

static inline const byte *scan_number(struct scan *s, const byte *p)
{
    const byte *start = p, *end = s->end, *digits;
    unsigned flags = 0;
    p += *p == '-';
    digits = p;
    p = scan_digits(p, end);
    if (unlikely(p == digits))
        return bad(s, p, JSCAN_SYNTAX, "expected a digit");
    if (unlikely(*digits == '0' && p - digits > 1))
        return bad(s, digits + 1, JSCAN_SYNTAX, "expected no digit after a leading zero");
    if (p < end && *p == '.') {
        flags = JSCAN_DECIMAL;
        digits = ++p;
        p = scan_digits(p, end);
        if (unlikely(p == digits))
            return bad(s, p, JSCAN_SYNTAX, "expected a digit after the point");
    }
    if (p < end && (*p | 0x20) == 'e') {
        flags = JSCAN_DECIMAL;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        p = scan_digits(p, end);
        if (unlikely(p == digits))
            return bad(s, p, JSCAN_SYNTAX, "expected a digit in the exponent");
    }
    return add(s, JSCAN_NUMBER, flags, start, p) ? p : NULL;
}

__attribute__((cold, noinline)) static const byte *bad_word(struct scan *s, const byte *p,
                                                            const char *word)
{
    const byte *at = p;
    while (at < s->end && *at == (byte)*word) {
        at++;
        word++;
    }
    return bad(s, at < s->end ? p : at, JSCAN_SYNTAX, "expected a value");
}

/* ${len} is that of ${word}, constant, so that this is one comparison. */
static inline const byte *scan_word(struct scan *s, const byte *p, const char *word, size_t len,
                                    enum jscan_type type)
{
    if (unlikely((size_t)(s->end - p) < len || memcmp(p, word, len) != 0))
        return bad_word(s, p, word);
    return add(s, type, 0, p, p + len) ? p + len : NULL;
}

/* --- structure --------------------------------------------------------------------------------- */

/* Behind the closing bracket at ${p}, with its container closed. */
static inline const byte *close_container(struct scan *s, const byte *p)
{
    struct jscan_node *n = &s->nodes[s->open];
    s->open = n->next;
    s->depth--;
    n->end = (uint32_t)(p + 1 - s->text);
    n->next = (uint32_t)s->count;
    s->closer = s->open != JSCAN_NONE && s->nodes[s->open].type == JSCAN_OBJECT ? '}' : ']';
    return p + 1;
}

static inline const byte *open_container(struct scan *s, const byte *p, enum jscan_type type)
{
    if (unlikely(s->depth == JSCAN_DEPTH_MAX))
        return bad(s, p, JSCAN_TOO_DEEP, "expected no more than 512 levels");
    if (!add(s, type, 0, p, p))
        return NULL;
    s->nodes[s->count - 1].next = s->open;
    s->open = (uint32_t)(s->count - 1);
    s->depth++;
    s->closer = type == JSCAN_OBJECT ? '}' : ']';
    p = skip_space(s, p + 1);
    if (p < s->end && *p == s->closer)
        return close_container(s, p);
    s->opened = true;
    return p;
}

/* A scalar, an empty container, or the beginning of one with content (then `opened`). */
static inline const byte *begin_value(struct scan *s, const byte *p)
{
    const byte *start = p;
    unsigned flags = 0;
    s->opened = false;
    if (unlikely(p >= s->end))
        return bad(s, p, JSCAN_CUT, "expected a value");
    switch (*p) {
    case '"':
        p = scan_string(s, p, &flags);
        return p != NULL && add(s, JSCAN_STRING, flags, start, p) ? p : NULL;
    case '{': return open_container(s, p, JSCAN_OBJECT);
    case '[': return open_container(s, p, JSCAN_ARRAY);
    case 't': return scan_word(s, p, "true", 4, JSCAN_TRUE);
    case 'f': return scan_word(s, p, "false", 5, JSCAN_FALSE);
    case 'n': return scan_word(s, p, "null", 4, JSCAN_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return scan_number(s, p);
    default: return bad(s, p, JSCAN_SYNTAX, "expected a value");
    }
}

/* A name and its colon. */
static inline const byte *scan_name(struct scan *s, const byte *p)
{
    const byte *start = p;
    unsigned flags = JSCAN_KEY;
    if (unlikely(p >= s->end || *p != '"'))
        return bad(s, p, JSCAN_SYNTAX, "expected a member name in double quotes");
    p = scan_string(s, p, &flags);
    if (p == NULL || !add(s, JSCAN_STRING, flags, start, p))
        return NULL;
    p = skip_space(s, p);
    if (unlikely(p >= s->end || *p != ':'))
        return bad(s, p, JSCAN_SYNTAX, "expected \":\" after the member name");
    return p + 1;
}

/* Behind a value: close what ends here, up to the comma before the next value or the end of the text (*${done}). */
static inline const byte *after_value(struct scan *s, const byte *p, bool *done)
{
    while (s->open != JSCAN_NONE) {
        p = skip_space(s, p);
        if (unlikely(p >= s->end))
            return bad(s, p, JSCAN_CUT, s->closer == '}' ? "expected \"}\"" : "expected \"]\"");
        if (*p == ',')
            return skip_space(s, p + 1);
        if (unlikely(*p != s->closer))
            return bad(s, p, JSCAN_SYNTAX,
                       s->closer == '}' ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
        p = close_container(s, p);
    }
    p = skip_space(s, p);
    if (unlikely(p < s->end))
        return bad(s, p, JSCAN_SYNTAX, "expected nothing after the value");
    *done = true;
    return p;
}

static bool scan_all(struct scan *s)
{
    bool done = false;
    const byte *p = skip_space(s, s->text);
    while (p != NULL && !done) {
        p = begin_value(s, p);
        if (unlikely(p == NULL))
            return false;
        if (!s->opened)
            p = after_value(s, p, &done);
        if (p != NULL && !done && s->closer == '}') {
            p = scan_name(s, p);
            if (p != NULL)
                p = skip_space(s, p);
        }
    }
    return p != NULL;
}

int jscan_text(struct jscan *json, struct arena *a, const char *text, size_t len,
               struct jscan_fault *fault)
{
    struct scan s = {.text = (const byte *)text, .arena = a, .open = JSCAN_NONE};
    size_t room = 0;
    *json = (struct jscan){0};
    if (len == 0)
        s.text = (const byte *)"";
    s.end = s.text + len;
    if (len >= JSCAN_NONE) {
        bad(&s, s.text, JSCAN_TOO_LONG, "expected a text of less than 4 GiB");
        goto err0;
    }
    /* Logs have a node every eight bytes or so; a denser text grows its index. */
    s.nodes = arena_open(a, (len / 8 + 16) * sizeof *s.nodes, &room);
    s.cap = room / sizeof *s.nodes;
    if (s.nodes == NULL) {
        bad(&s, s.text, JSCAN_NOMEM, "out of memory");
        goto err0;
    }
    if (!scan_all(&s))
        goto err0;
    arena_take(a, s.count * sizeof *s.nodes);
    *json = (struct jscan){text, s.nodes, (uint32_t)len, (uint32_t)s.count, s.spaced};
    return 0;
err0:
    if (fault != NULL)
        *fault = s.fault;
    return -1;
}
