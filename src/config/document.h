/*
 * document: the text of one configuration file and the tree of its values.
 *
 * The text is scanned by the same scanner that reads records (record/jscan.h), strictly as RFC 8259 says; the tree
 * is made from its index of spans, so that every value knows its place. Then ${…} in string values is replaced
 * (substitute.h).
 */
#ifndef WEIR_CONFIG_DOCUMENT_H
#define WEIR_CONFIG_DOCUMENT_H

#include <stddef.h>

#include "config/node.h"
#include "record/arena.h"

struct config_report;

#define DOCUMENT_MAX ((size_t)16 << 20) /* bytes */

struct document {
    char *name;     /* for messages */
    unsigned order; /* as loaded */
    char *text;     /* NUL-terminated */
    size_t len;
    struct node *root; /* NULL: not read, or the text is not JSON */
    struct arena arena;
};

/* A document of a copy of ${text}, not read yet. NULL: no memory. */
struct document *document_new(const char *name, const char *text, size_t len, unsigned order);

/* Make the tree; problems go to ${report}. -1: no memory. */
int document_read(struct document *doc, struct config_report *report);

/* Free *${doc} (may be NULL) with its nodes and clear it. */
void document_free(struct document **doc);

/* Line and column of byte ${offset}, from 1; columns count characters. */
void document_place(const struct document *doc, size_t offset, unsigned *line, unsigned *column);

/* Where the byte ${skip} of the unescaped string ${node} stands in the text. The string's own place when it was
 * substituted. */
size_t document_inside(const struct node *node, size_t skip);

#endif
