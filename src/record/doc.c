#include "record/doc.h"

#include <string.h>

#include "base/buf.h"
#include "record/render.h"

static struct value empty(enum value_type type)
{
    return (struct value){.type = (uint8_t)type};
}

/* --- making ------------------------------------------------------------------------------------ */

struct doc *doc_new(struct arena *a)
{
    struct doc *doc = arena_alloc(a, sizeof *doc);
    if (doc != NULL)
        *doc = (struct doc){.root = {.at = JSCAN_NONE, .base = empty(VALUE_OBJECT)}};
    return doc;
}

static int refuse(struct jscan_fault *fault, const char *what)
{
    if (fault != NULL)
        *fault = (struct jscan_fault){JSCAN_SYNTAX, 0, what};
    return DOC_REFUSED;
}

int doc_parse(struct doc **out, struct arena *a, const char *text, size_t len,
              struct jscan_fault *fault)
{
    struct jscan_fault own;
    struct doc *doc = doc_new(a);
    *out = NULL;
    if (doc == NULL)
        return DOC_NOMEM;
    if (jscan_text(&doc->json, a, text, len, &own) != 0) {
        if (fault != NULL)
            *fault = own;
        return own.error == JSCAN_NOMEM ? DOC_NOMEM : DOC_REFUSED;
    }
    if (doc->json.nodes[0].type != JSCAN_OBJECT)
        return refuse(fault, "expected an object");
    doc->root.base = value_node(&doc->json, 0);
    *out = doc;
    return DOC_OK;
}

static void link_edit(struct doc_edit *parent, struct doc_edit *e)
{
    if (parent->last != NULL)
        parent->last->next = e;
    else
        parent->first = e;
    parent->last = e;
}

struct doc *doc_plain(struct arena *a, const char *text, size_t len)
{
    struct doc *doc = doc_new(a);
    struct doc_edit *e = arena_alloc(a, sizeof *e);
    if (doc == NULL || e == NULL)
        return NULL;
    *e = (struct doc_edit){
        .key = "message", .len = 7, .at = JSCAN_NONE, .base = value_string(text, len)};
    link_edit(&doc->root, e);
    return doc;
}

/* Give ${to}, a copy of ${from}, its own edits. As deep as paths have steps. */
static int clone_edits(struct doc_edit *to, const struct doc_edit *from, struct arena *a)
{
    to->first = to->last = NULL;
    for (const struct doc_edit *e = from->first; e != NULL; e = e->next) {
        struct doc_edit *copy = arena_alloc(a, sizeof *copy);
        if (copy == NULL)
            return -1;
        *copy = *e;
        copy->next = NULL;
        if (clone_edits(copy, e, a) != 0)
            return -1;
        link_edit(to, copy);
    }
    return 0;
}

struct doc *doc_clone(const struct doc *doc, struct arena *a)
{
    struct doc *copy = arena_alloc(a, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *doc; /* the base of the root still refers to the index inside ${doc}, which stays */
    return clone_edits(&copy->root, &doc->root, a) == 0 ? copy : NULL;
}

bool doc_get(const struct doc *doc, const struct path *p, struct value *out)
{
    *out = doc_root(doc);
    for (uint32_t i = 0; i < p->count; i++) {
        const struct path_step *step = &p->steps[i];
        struct value in = *out;
        bool found = step->key != NULL ? doc_member(&in, step->key, step->len, out)
                                       : doc_element(&in, step->index, out);
        if (!found)
            return false;
    }
    return true;
}

/* --- editing ----------------------------------------------------------------------------------- */

/* The edits that ${p} may need, allocated before anything is changed. */
static struct doc_edit *spare_edits(struct arena *a, const struct path *p)
{
    struct doc_edit *spare = arena_alloc(a, p->count * sizeof *spare);
    for (uint32_t i = 0; spare != NULL && i < p->count; i++) {
        const struct path_step *step = &p->steps[i];
        spare[i] = (struct doc_edit){.len = step->len, .index = step->index, .at = JSCAN_NONE};
        if (step->key == NULL)
            continue;
        char *key = arena_text(a, step->len + 1); /* "" is a name too, NULL is none */
        if (key == NULL)
            return NULL;
        spare[i].key = memcpy(key, step->key, step->len);
    }
    return spare;
}

static struct doc_edit *find_edit(const struct doc_edit *parent, const struct doc_edit *like)
{
    struct doc_edit *e = parent->first;
    if (like->key == NULL)
        while (e != NULL && e->index != like->index)
            e = e->next;
    else
        while (e != NULL && (e->len != like->len || memcmp(e->key, like->key, like->len) != 0))
            e = e->next;
    return e;
}

/* Make ${e} a container of ${type}: what else it was is replaced. */
static void become(struct doc_edit *e, enum value_type type)
{
    if (e->base.type != type) {
        e->base = empty(type);
        e->first = e->last = NULL;
    }
    if (type == VALUE_ARRAY && e->first == NULL)
        e->elements =
            e->base.u.json != NULL ? (uint32_t)jscan_count(e->base.u.json, e->base.len) : 0;
}

/* The edit of the member or element of ${parent} that ${spare} names: the one there is, or ${spare} itself. */
static struct doc_edit *descend(struct doc_edit *parent, struct doc_edit *spare)
{
    become(parent, spare->key != NULL ? VALUE_OBJECT : VALUE_ARRAY);
    struct doc_edit *e = find_edit(parent, spare);
    if (e != NULL) {
        if (e->gone)
            e->base = value_null();
        e->gone = false;
        return e;
    }
    const struct value *base = &parent->base;
    if (base->u.json != NULL)
        spare->at = spare->key != NULL
                        ? jscan_member(base->u.json, base->len, spare->key, spare->len)
                        : jscan_element(base->u.json, base->len, spare->index);
    if (spare->at != JSCAN_NONE)
        spare->base = value_node(base->u.json, spare->at);
    if (spare->key == NULL && parent->elements <= spare->index)
        parent->elements = spare->index + 1;
    link_edit(parent, spare);
    return spare;
}

int doc_adopt(struct doc *doc, struct arena *a, const struct path *p, const struct value *v)
{
    struct doc_edit *e = &doc->root;
    if (p->count == 0 && v->type != VALUE_OBJECT)
        return DOC_REFUSED;
    if (v->flags & VALUE_EDITED)
        return doc_set(doc, a, p, v); /* an index of its own, for edits of this doc to lie on */
    struct doc_edit *spare = spare_edits(a, p);
    if (spare == NULL)
        return DOC_NOMEM;
    for (uint32_t i = 0; i < p->count; i++)
        e = descend(e, &spare[i]);
    e->base = *v;
    e->first = e->last = NULL;
    return DOC_OK;
}

/* A container is copied by what it says: rendered and scanned. */
static int copy_rendered(struct buf *b, struct arena *a, struct value *out)
{
    struct jscan_fault fault;
    struct jscan *json = arena_alloc(a, sizeof *json);
    char *text = b->failed ? NULL : arena_text(a, b->len);
    if (json == NULL || text == NULL)
        return DOC_NOMEM;
    memcpy(text, b->data, b->len);
    if (jscan_text(json, a, text, b->len, &fault) != 0)
        return fault.error == JSCAN_NOMEM ? DOC_NOMEM : DOC_REFUSED; /* or grown too deep */
    *out = value_node(json, 0);
    return DOC_OK;
}

static int copy_value(const struct value *v, struct arena *a, struct value *out)
{
    *out = *v;
    if (v->type == VALUE_STRING || v->type == VALUE_NUMBER) {
        char *text = arena_text(a, v->len != 0 ? v->len : 1);
        if (text == NULL)
            return DOC_NOMEM;
        if (v->len > 0)
            memcpy(text, v->u.s, v->len);
        out->u.s = text;
    } else if (v->type == VALUE_ARRAY || v->type == VALUE_OBJECT) {
        struct buf b = {0};
        render_value(&b, v);
        int result = copy_rendered(&b, a, out);
        buf_clear(&b);
        return result;
    }
    return DOC_OK;
}

int doc_set(struct doc *doc, struct arena *a, const struct path *p, const struct value *v)
{
    struct value copy;
    int result = copy_value(v, a, &copy);
    return result == DOC_OK ? doc_adopt(doc, a, p, &copy) : result;
}

/* ${array} without element ${index}, as a value of its own. */
static int without_element(const struct value *array, size_t index, struct arena *a,
                           struct value *out)
{
    struct buf b = {0};
    struct doc_walk w;
    size_t i = 0;
    buf_char(&b, '[');
    for (doc_walk_start(&w, array); doc_walk_next(&w); i++) {
        if (i == index)
            continue;
        if (b.len > 1)
            buf_char(&b, ',');
        render_value(&b, &w.value);
    }
    buf_char(&b, ']');
    int result = copy_rendered(&b, a, out);
    buf_clear(&b);
    return result;
}

static void unlink_edit(struct doc_edit *parent, struct doc_edit *e)
{
    struct doc_edit *before = NULL;
    for (struct doc_edit *at = parent->first; at != e; at = at->next)
        before = at;
    if (before != NULL)
        before->next = e->next;
    else
        parent->first = e->next;
    if (parent->last == e)
        parent->last = before;
}

/* ${e} is what the last step leads to, there before. */
static void remove_member(struct doc_edit *parent, struct doc_edit *e)
{
    e->gone = true;
    e->first = e->last = NULL;
    if (e->at == JSCAN_NONE)
        unlink_edit(parent, e);
}

static bool get_parent(const struct doc *doc, const struct path *p, struct value *out)
{
    *out = doc_root(doc);
    for (uint32_t i = 0; i + 1 < p->count; i++) {
        struct value in = *out;
        const struct path_step *step = &p->steps[i];
        if (!(step->key != NULL ? doc_member(&in, step->key, step->len, out)
                                : doc_element(&in, step->index, out)))
            return false;
    }
    return true;
}

int doc_remove(struct doc *doc, struct arena *a, const struct path *p)
{
    struct value old, array, rest = value_null();
    struct doc_edit *e = &doc->root, *parent = e;
    int result;
    if (!doc_get(doc, p, &old))
        return DOC_REFUSED;
    if (p->count == 0) {
        e->base = empty(VALUE_OBJECT);
        e->first = e->last = NULL;
        return DOC_OK;
    }
    const struct path_step *last = &p->steps[p->count - 1];
    if (last->key == NULL && get_parent(doc, p, &array) &&
        (result = without_element(&array, last->index, a, &rest)) != DOC_OK)
        return result;
    struct doc_edit *spare = spare_edits(a, p);
    if (spare == NULL)
        return DOC_NOMEM;
    for (uint32_t i = 0; i < p->count; i++) {
        parent = e;
        if (last->key == NULL && i + 1 == p->count)
            break;
        e = descend(e, &spare[i]);
    }
    if (last->key != NULL) {
        remove_member(parent, e);
    } else {
        parent->base = rest;
        parent->first = parent->last = NULL;
    }
    return DOC_OK;
}
