/*
 * jscan: a strict RFC 8259 scanner that writes a flat index of spans.
 * (json_ and JSON_ are jansson's names: a file may use both.)
 *
 * One pass over a whole text; no recursion, no allocation per value, nothing is copied or unescaped. The index is an
 * array of 16-byte nodes in text order: a container is followed by its content, a member is its name (a
 * JSCAN_STRING with JSCAN_KEY) followed by its value. `next` jumps over a whole subtree:
 *
 *     {"a":[1,2],"b":null}     0 object next 7 | 1 "a" | 2 array next 5 | 3 1 | 4 2 | 5 "b" | 6 null
 *
 * Nodes hold offsets, so the text may move or be copied; whoever holds a struct jscan keeps text and arena alive. The
 * scanner never reads outside text[0..len), whatever it holds. The index of a log line takes about twice the bytes of
 * its text, that of the densest text ("[0,0,0…") eight times, and as much again for its growth.
 *
 * What RFC 8259 leaves to the parser:
 *  - any value may be the root; white space around it is allowed; a byte order mark is refused;
 *  - texts of up to 4 GiB - 1, containers nested up to JSCAN_DEPTH_MAX;
 *  - numbers of any size and precision are accepted: they stay text until somebody computes with them;
 *  - strings must be valid UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF); \u0000 is accepted;
 *  - an escaped lone surrogate ("\ud800") is accepted, because JavaScript writes them; it stays as it is
 *    when the string is passed on and reads as U+FFFD when it is unescaped;
 *  - a member name may repeat. Both stay in the index; jscan_member finds the last, as most parsers do.
 */
#ifndef WEIR_RECORD_JSCAN_H
#define WEIR_RECORD_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/* Containers within containers; the root's content is at depth 1. */
#define JSCAN_DEPTH_MAX 512
/* No such node. */
#define JSCAN_NONE UINT32_MAX

enum jscan_type {
    JSCAN_NULL,
    JSCAN_FALSE,
    JSCAN_TRUE,
    JSCAN_NUMBER,
    JSCAN_STRING,
    JSCAN_ARRAY,
    JSCAN_OBJECT
};

enum jscan_flags {
    JSCAN_KEY = 1,     /* a member's name; the next node is its value */
    JSCAN_ESCAPED = 2, /* a string with a backslash: its bytes are not its value */
    JSCAN_DECIMAL = 4, /* a number with a fraction or an exponent */
};

struct jscan_node {
    uint32_t start, end; /* text[start..end): the value; of a string with its quotes */
    uint32_t next;       /* the node behind this one and all it contains */
    uint8_t type;        /* enum jscan_type */
    uint8_t flags;       /* enum jscan_flags */
    uint16_t unused;
};

struct jscan {
    const char *text;
    struct jscan_node *nodes; /* nodes[0] is the root */
    uint32_t len;
    uint32_t count;
    bool spaced; /* there is white space between tokens: the text is not in compact form */
};

enum jscan_error {
    JSCAN_OK,
    JSCAN_NOMEM,
    JSCAN_SYNTAX,   /* a token that the grammar does not allow here */
    JSCAN_CUT,      /* the text ends inside a value */
    JSCAN_UTF8,     /* a string that is not UTF-8 */
    JSCAN_TOO_DEEP, /* past JSCAN_DEPTH_MAX */
    JSCAN_TOO_LONG, /* a text past 4 GiB - 1 */
};

struct jscan_fault {
    enum jscan_error error;
    uint32_t offset;  /* of the first byte that is wrong, or the length of the text */
    const char *what; /* static words: what was expected there */
};

/* Scan the ${len} bytes at ${text}; the index is allocated in ${a}. 0, or -1 with ${fault} (may be NULL) set and ${json}
 * empty. What a failed scan used of the arena stays used. */
int jscan_text(struct jscan *json, struct arena *a, const char *text, size_t len,
               struct jscan_fault *fault);

/* Words for a person: "line 3, column 7: expected a value, found ‘,’". Returns -1. */
int jscan_fault_set(struct err *e, const struct jscan_fault *fault, const char *text, size_t len);

/* Line and column, both from 1, of ${offset}; columns count UTF-8 characters, as editors do. */
void jscan_position(const char *text, size_t len, size_t offset, size_t *line, size_t *column);

/* Walk a container: the first node inside ${at}, and the sibling behind a node; JSCAN_NONE when there is none. In an object
 * these are names: the value of the name ${n} is node ${n} + 1, the next name jscan_sibling(json, at, n + 1). */
static inline uint32_t jscan_first(const struct jscan *json, uint32_t at)
{
    return json->nodes[at].next == at + 1 ? JSCAN_NONE : at + 1;
}

static inline uint32_t jscan_sibling(const struct jscan *json, uint32_t parent, uint32_t node)
{
    uint32_t next = json->nodes[node].next;
    return next == json->nodes[parent].next ? JSCAN_NONE : next;
}

/* The value of the member ${key} (unescaped bytes) of the object ${object}: the last one when the name repeats. JSCAN_NONE: there
 * is none, or ${object} is not an object. */
uint32_t jscan_member(const struct jscan *json, uint32_t object, const char *key, size_t len);

/* Element ${index} (from 0) of the array ${array}, or JSCAN_NONE. */
uint32_t jscan_element(const struct jscan *json, uint32_t array, size_t index);

/* Does the string node ${node} say the ${len} bytes at ${s}, unescaped? */
bool jscan_equals(const struct jscan *json, uint32_t node, const char *s, size_t len);

/* How many elements or members (repeated names counted) ${at} has; 0 when it is no container. */
size_t jscan_count(const struct jscan *json, uint32_t at);

/* The first name in the object ${object} that is said again later on: the node of the repetition, or JSCAN_NONE. Quadratic: for
 * configuration, not for records. */
uint32_t jscan_repeated(const struct jscan *json, uint32_t object);

#endif
