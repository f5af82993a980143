/*
 * node: a JSON value of a configuration that knows where it was written.
 *
 * A tree of nodes belongs to its document (document.h), which made it and frees it. Strings are unescaped,
 * substituted and NUL-terminated; numbers keep their spelling.
 */
#ifndef WEIR_CONFIG_NODE_H
#define WEIR_CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct document;

enum node_type { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_ARRAY, NODE_OBJECT };

struct node {
    enum node_type type;
    const struct document *doc;
    struct node *parent;       /* NULL: the root */
    const char *key;           /* in an object: the name; else NULL */
    size_t index;              /* in an array: the place */
    size_t key_offset, offset; /* in the document's text */
    const char *text;          /* of a string or a number */
    size_t len;
    bool truth;       /* of a bool */
    bool substituted; /* the text is not what the document says */
    bool secret;      /* and must not be shown */
    bool wrong;       /* a problem was told already: not to be used */
    struct node *first, *last, *next; /* children, and the next one of the same parent */
    size_t count;                     /* of children */
};

/* The first member ${key} of the object ${node}; NULL: none, or no object. */
const struct node *node_member(const struct node *node, const char *key);

/* Append the path of ${node}: pipelines.app.sinks[0], pipelines."odd name". Nothing for the root. */
void node_path(const struct node *node, struct buf *out);

/* Append what ${node} is, to be read behind "got": a scalar as written (cut when long, *** when secret), "an array",
 * "an object". */
void node_show(const struct node *node, struct buf *out);

/* Append a key as a path component, with the dot in front of it when ${out} is not empty. */
void node_path_key(const char *key, struct buf *out);

#endif
