/* doc_walk: reading a container, index and edits as one. */
#include <string.h>

#include "record/doc.h"

/* An edit without edits of its own is just its base. */
static struct value edit_value(const struct doc_edit *e)
{
    bool container = e->base.type == VALUE_ARRAY || e->base.type == VALUE_OBJECT;
    if (!container || (e->first == NULL && e->base.u.json != NULL))
        return e->base;
    return (struct value){.type = e->base.type, .flags = VALUE_EDITED, .u.edit = e};
}

struct value doc_root(const struct doc *doc)
{
    return edit_value(&doc->root);
}

/* Index and node of a container; NULL when it has no index. */
static const struct jscan *index_of(const struct value *container, uint32_t *node)
{
    const struct value *v = container->flags & VALUE_EDITED ? &container->u.edit->base : container;
    *node = v->len;
    return v->u.json;
}

static bool found(struct value *out, const struct jscan *json, uint32_t node)
{
    if (json == NULL || node == JSCAN_NONE)
        return false;
    *out = value_node(json, node);
    return true;
}

bool doc_member(const struct value *container, const char *key, size_t len, struct value *out)
{
    uint32_t node;
    *out = value_null();
    if (container->type != VALUE_OBJECT)
        return false;
    if (container->flags & VALUE_EDITED) {
        for (const struct doc_edit *e = container->u.edit->first; e != NULL; e = e->next) {
            if (e->len != len || memcmp(e->key, key, len) != 0)
                continue;
            if (!e->gone)
                *out = edit_value(e);
            return !e->gone;
        }
    }
    const struct jscan *json = index_of(container, &node);
    return json != NULL && found(out, json, jscan_member(json, node, key, len));
}

static const struct doc_edit *edited_element(const struct value *container, size_t index)
{
    const struct doc_edit *e = container->u.edit->first;
    while (e != NULL && e->index != index)
        e = e->next;
    return e;
}

bool doc_element(const struct value *container, size_t index, struct value *out)
{
    uint32_t node;
    *out = value_null();
    if (container->type != VALUE_ARRAY)
        return false;
    const struct jscan *json = index_of(container, &node);
    if (!(container->flags & VALUE_EDITED))
        return json != NULL && found(out, json, jscan_element(json, node, index));
    if (index >= container->u.edit->elements)
        return false;
    const struct doc_edit *e = edited_element(container, index);
    if (e != NULL)
        *out = edit_value(e);
    else if (json != NULL)
        found(out, json, jscan_element(json, node, index)); /* else null: an array filled up */
    return true;
}

void doc_walk_start(struct doc_walk *w, const struct value *container)
{
    uint32_t node;
    *w = (struct doc_walk){.in = container, .node = JSCAN_NONE};
    const struct jscan *json = index_of(container, &node);
    if (json != NULL)
        w->node = jscan_first(json, node);
    if (container->flags & VALUE_EDITED)
        w->edit = container->u.edit->first;
}

/* The edit of the member whose name is node ${name}. */
static const struct doc_edit *edited_member(const struct value *container, const struct jscan *json,
                                            uint32_t name)
{
    if (!(container->flags & VALUE_EDITED))
        return NULL;
    const struct doc_edit *e = container->u.edit->first;
    while (e != NULL && !jscan_equals(json, name, e->key, e->len))
        e = e->next;
    return e;
}

static bool next_member(struct doc_walk *w)
{
    uint32_t parent;
    const struct jscan *json = index_of(w->in, &parent);
    while (w->node != JSCAN_NONE) {
        uint32_t name = w->node;
        w->node = jscan_sibling(json, parent, name + 1);
        const struct doc_edit *e = edited_member(w->in, json, name);
        if (e != NULL && (e->gone || e->at != name + 1))
            continue;
        w->key = value_node(json, name);
        w->value = e != NULL ? edit_value(e) : value_node(json, name + 1);
        return true;
    }
    for (; w->edit != NULL; w->edit = w->edit->next) {
        if (w->edit->gone || w->edit->at != JSCAN_NONE)
            continue;
        w->key = value_string(w->edit->key, w->edit->len);
        w->value = edit_value(w->edit);
        w->edit = w->edit->next;
        return true;
    }
    return false;
}

static bool next_element(struct doc_walk *w)
{
    uint32_t parent, node = w->node;
    const struct jscan *json = index_of(w->in, &parent);
    bool edited = w->in->flags & VALUE_EDITED;
    if (edited ? w->index == w->in->u.edit->elements : node == JSCAN_NONE)
        return false;
    const struct doc_edit *e = edited ? edited_element(w->in, w->index) : NULL;
    w->value = value_null();
    if (node != JSCAN_NONE) {
        w->value = value_node(json, node);
        w->node = jscan_sibling(json, parent, node);
    }
    if (e != NULL)
        w->value = edit_value(e);
    w->index++;
    return true;
}

bool doc_walk_next(struct doc_walk *w)
{
    return w->in->type == VALUE_OBJECT ? next_member(w) : next_element(w);
}

size_t doc_count(const struct value *container)
{
    struct doc_walk w;
    size_t count = 0;
    if (!(container->flags & VALUE_EDITED))
        return jscan_count(container->u.json, container->len);
    for (doc_walk_start(&w, container); doc_walk_next(&w);)
        count++;
    return count;
}
