#include "config/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "config/substitute.h"
#include "record/jscan.h"
#include "record/jscan_string.h"

/* The tree while it is made: the containers around the place where it grows. */
struct maker {
    struct document *doc;
    const struct jscan *json;
    struct config_report *report;
    struct node *at;                    /* the innermost container; NULL at the root */
    uint32_t ends[JSCAN_DEPTH_MAX + 1]; /* first index behind each open container */
    size_t depth;
};

/* The unescaped text of string ${n} in the arena; NULL: no memory. */
static const char *unescaped(struct maker *m, const struct jscan_node *n, size_t *len)
{
    const char *inside = m->json->text + n->start + 1;
    size_t raw = n->end - n->start - 2;
    char *text = arena_text(&m->doc->arena, raw + 1);
    if (text == NULL)
        return NULL;
    *len = jscan_string_unescape(inside, raw, text);
    text[*len] = '\0';
    return text;
}

static const char *spelled(struct maker *m, const struct jscan_node *n, size_t *len)
{
    *len = n->end - n->start;
    char *text = arena_text(&m->doc->arena, *len + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, m->json->text + n->start, *len);
    text[*len] = '\0';
    return text;
}

static int set_value(struct maker *m, struct node *node, const struct jscan_node *n)
{
    static const enum node_type types[] = {
        [JSCAN_NULL] = NODE_NULL,     [JSCAN_FALSE] = NODE_BOOL,    [JSCAN_TRUE] = NODE_BOOL,
        [JSCAN_NUMBER] = NODE_NUMBER, [JSCAN_STRING] = NODE_STRING, [JSCAN_ARRAY] = NODE_ARRAY,
        [JSCAN_OBJECT] = NODE_OBJECT,
    };
    node->type = types[n->type];
    node->truth = n->type == JSCAN_TRUE;
    node->offset = n->start;
    node->text = "";
    if (node->type == NODE_STRING)
        node->text = unescaped(m, n, &node->len);
    else if (node->type == NODE_NUMBER)
        node->text = spelled(m, n, &node->len);
    return node->text == NULL ? -1 : 0;
}

static void append(struct node *parent, struct node *node)
{
    node->parent = parent;
    node->index = parent->count++;
    if (parent->last == NULL)
        parent->first = node;
    else
        parent->last->next = node;
    parent->last = node;
}

/* Close what ends in front of index ${i}. */
static void leave(struct maker *m, uint32_t i)
{
    while (m->depth > 0 && m->ends[m->depth - 1] == i) {
        m->depth--;
        m->at = m->at->parent;
    }
}

/* Make the node whose index entry, its name first if it has one, is *${i}; *${i} is then the next
 * one. */
static int make(struct maker *m, uint32_t *i)
{
    struct node *node = arena_alloc(&m->doc->arena, sizeof *node);
    if (node == NULL)
        return -1;
    *node = (struct node){.doc = m->doc};
    const struct jscan_node *n = &m->json->nodes[*i];
    if ((n->flags & JSCAN_KEY) != 0) {
        size_t len;
        node->key = unescaped(m, n, &len);
        node->key_offset = n->start;
        if (node->key == NULL)
            return -1;
        n = &m->json->nodes[++*i];
    }
    if (set_value(m, node, n) < 0)
        return -1;
    if (m->at != NULL)
        append(m->at, node);
    else
        m->doc->root = node;
    if (node->type == NODE_ARRAY || node->type == NODE_OBJECT) {
        m->at = node;
        m->ends[m->depth++] = n->next;
    }
    ++*i;
    leave(m, *i);
    return 0;
}

static struct node *next_in_tree(const struct node *n)
{
    if (n->first != NULL)
        return n->first;
    while (n != NULL && n->next == NULL)
        n = n->parent;
    return n == NULL ? NULL : n->next;
}

/* Replace ${…} in the string ${node}. */
static int replace(struct document *doc, struct node *node, struct config_report *report)
{
    struct buf out = {0};
    struct err e = {0};
    struct substituted what = {0};
    size_t where;
    int rc = substitute(node->text, node->len, &out, &what, &where, &e);
    if (rc < 0 && e.code != ERR_NOMEM) {
        report_inside(report, node, where, "%s", e.text);
        node->wrong = true;
        rc = 0;
    } else if (rc == 0 && what.any) {
        char *text = out.failed ? NULL : arena_text(&doc->arena, out.len + 1);
        if (text != NULL) {
            memcpy(text, buf_cstr(&out), out.len + 1);
            node->text = text;
            node->len = out.len;
        } else {
            rc = -1;
        }
    }
    node->substituted = what.any;
    node->secret = what.secret;
    buf_clear(&out);
    return rc;
}

static int check_string(struct document *doc, struct node *node, struct config_report *report)
{
    if (memchr(node->text, '\0', node->len) != NULL) {
        report_node(report, node, "a string must not hold the character \\u0000");
        node->wrong = true;
        return 0;
    }
    bool schema = node->key != NULL && strcmp(node->key, "$schema") == 0;
    if (schema || strstr(node->text, "${") == NULL)
        return 0;
    return replace(doc, node, report);
}

static int by_name(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : (x->key_offset > y->key_offset) - (x->key_offset < y->key_offset);
}

static int check_repeats(const struct node *object, struct config_report *report)
{
    if (object->count < 2)
        return 0;
    const struct node **names = mem_alloc(object->count * sizeof(struct node *));
    if (names == NULL)
        return -1;
    size_t count = 0;
    for (const struct node *n = object->first; n != NULL; n = n->next)
        names[count++] = n;
    qsort(names, count, sizeof names[0], by_name);
    const struct node *first = names[0];
    for (size_t i = 1; i < count; i++) {
        unsigned line, column;
        if (strcmp(names[i]->key, first->key) != 0) {
            first = names[i];
            continue;
        }
        document_place(object->doc, first->key_offset, &line, &column);
        report_name(report, names[i], "duplicate key (first at line %u, column %u)", line, column);
    }
    mem_free(names);
    return 0;
}

static int check_tree(struct document *doc, struct config_report *report)
{
    for (struct node *n = doc->root; n != NULL; n = next_in_tree(n)) {
        int rc = 0;
        if (n->type == NODE_STRING)
            rc = check_string(doc, n, report);
        else if (n->type == NODE_OBJECT)
            rc = check_repeats(n, report);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int make_tree(struct document *doc, const struct jscan *json, struct config_report *report)
{
    struct maker m = {.doc = doc, .json = json, .report = report};
    for (uint32_t i = 0; i < json->count;) {
        if (make(&m, &i) < 0)
            return -1;
    }
    return check_tree(doc, report);
}

int document_read(struct document *doc, struct config_report *report)
{
    struct jscan json;
    struct jscan_fault fault;
    if (jscan_text(&json, &doc->arena, doc->text, doc->len, &fault) == 0)
        return make_tree(doc, &json, report);
    if (fault.error == JSCAN_NOMEM)
        return -1;
    struct err e = {0}; /* "line N, column N: " is what the report says anyway */
    jscan_fault_set(&e, &fault, doc->text, doc->len);
    const char *place_end = strstr(e.text, ": ");
    report_document(report, doc, fault.offset, "not valid JSON: %s",
                    place_end == NULL ? e.text : place_end + 2);
    return 0;
}

struct document *document_new(const char *name, const char *text, size_t len, unsigned order)
{
    struct document *doc = mem_zalloc(1, sizeof *doc);
    if (doc == NULL)
        return NULL;
    arena_init(&doc->arena, NULL);
    doc->order = order;
    doc->len = len;
    doc->name = mem_strdup(name);
    doc->text = mem_strndup(text, len);
    if (doc->name == NULL || doc->text == NULL)
        document_free(&doc);
    return doc;
}

void document_free(struct document **doc)
{
    struct document *dead = *doc;
    *doc = NULL;
    if (dead == NULL)
        return;
    arena_clear(&dead->arena);
    mem_free(dead->text);
    mem_free(dead->name);
    mem_free(dead);
}

void document_place(const struct document *doc, size_t offset, unsigned *line, unsigned *column)
{
    size_t l, c;
    jscan_position(doc->text, doc->len, offset, &l, &c);
    *line = (unsigned)l;
    *column = (unsigned)c;
}

/* Bytes of the source character or escape at ${raw}, of ${room} > 0 bytes; a surrogate pair is one.
 */
static size_t step(const char *raw, size_t room)
{
    static const char high[] = "89abAB";
    if (raw[0] != '\\')
        return 1;
    if (raw[1] != 'u' || room < 6)
        return 2;
    bool pair = room >= 12 && (raw[2] == 'd' || raw[2] == 'D') && strchr(high, raw[3]) != NULL &&
                raw[6] == '\\' && raw[7] == 'u';
    return pair ? 12 : 6;
}

size_t document_inside(const struct node *node, size_t skip)
{
    if (node->type != NODE_STRING)
        return node->offset;
    const char *start = node->doc->text + node->offset + 1, *raw = start;
    const char *end = node->doc->text + node->doc->len;
    for (size_t done = 0; done < skip && raw < end && *raw != '"';) {
        size_t n = step(raw, (size_t)(end - raw));
        done += jscan_string_length(raw, n);
        raw += n;
    }
    return node->offset + 1 + (size_t)(raw - start);
}
