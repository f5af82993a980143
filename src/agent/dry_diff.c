#include "agent/dry_diff.h"

#include <string.h>

#include "base/mem.h"
#include "record/arena.h"
#include "record/doc.h"
#include "record/render.h"

struct diff {
    struct dry_change *changes;
    size_t count, cap;
    struct buf path; /* of the object being compared */
    bool failed;
};

static char *text_of(struct buf *b)
{
    if (buf_cstr(b) == NULL)
        buf_clear(b);
    return b->data;
}

static char *json_of(const struct value *v)
{
    struct buf out = {0};
    render_value(&out, v);
    return text_of(&out);
}

static void add_key(struct buf *path, const struct value *key)
{
    struct buf name = {0};
    render_text(&name, key);
    bool plain = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        plain = plain && path_name_char((unsigned char)name.data[i]);
    buf_char(path, '.');
    if (plain)
        buf_add(path, name.data, name.len);
    else
        render_value(path, key);
    path->failed |= name.failed;
    buf_clear(&name);
}

static void add(struct diff *d, const struct value *key, const struct value *before,
                const struct value *after)
{
    struct buf path = {0};
    if (d->count == d->cap) {
        size_t cap = d->cap < 8 ? 8 : d->cap * 2;
        struct dry_change *grown = mem_realloc(d->changes, cap * sizeof *grown);
        if (grown == NULL) {
            d->failed = true;
            return;
        }
        d->changes = grown;
        d->cap = cap;
    }
    buf_add(&path, d->path.data, d->path.len);
    add_key(&path, key);
    struct dry_change *c = &d->changes[d->count++];
    c->path = text_of(&path);
    c->before = before != NULL ? json_of(before) : NULL;
    c->after = after != NULL ? json_of(after) : NULL;
    if (c->path == NULL || (before != NULL && c->before == NULL) || (after != NULL && c->after == NULL))
        d->failed = true;
}

/* The member of ${object} whose name is that of ${key}. */
static bool counterpart(const struct value *object, const struct value *key, struct value *out)
{
    struct buf name = {0};
    render_text(&name, key);
    bool found = doc_member(object, name.data != NULL ? name.data : "", name.len, out);
    buf_clear(&name);
    return found;
}

static bool same(struct diff *d, const struct value *a, const struct value *b)
{
    struct buf x = {0}, y = {0};
    render_value(&x, a);
    render_value(&y, b);
    bool equal = x.len == y.len && (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
    d->failed |= x.failed || y.failed;
    buf_clear(&x);
    buf_clear(&y);
    return equal;
}

static void compare(struct diff *d, const struct value *before, const struct value *after)
{
    struct doc_walk w;
    struct value other;
    doc_walk_start(&w, before);
    while (doc_walk_next(&w) && !d->failed) {
        if (!counterpart(after, &w.key, &other)) {
            add(d, &w.key, &w.value, NULL);
        } else if (!same(d, &w.value, &other)) {
            if (w.value.type == VALUE_OBJECT && other.type == VALUE_OBJECT) {
                size_t len = d->path.len;
                struct value inner = w.value;
                add_key(&d->path, &w.key);
                compare(d, &inner, &other);
                d->path.len = len;
            } else {
                add(d, &w.key, &w.value, &other);
            }
        }
    }
    doc_walk_start(&w, after);
    while (doc_walk_next(&w) && !d->failed)
        if (!counterpart(before, &w.key, &other))
            add(d, &w.key, NULL, &w.value);
}

int dry_diff(const struct buf *before, const struct buf *after, struct dry_change **changes,
             size_t *count)
{
    struct arena arena = {0};
    struct doc *a, *b;
    struct diff d = {0};
    if (doc_parse(&a, &arena, before->data, before->len, NULL) != DOC_OK ||
        doc_parse(&b, &arena, after->data, after->len, NULL) != DOC_OK) {
        d.failed = true;
    } else {
        struct value x = doc_root(a), y = doc_root(b);
        compare(&d, &x, &y);
    }
    buf_clear(&d.path);
    arena_clear(&arena);
    *changes = d.changes;
    *count = d.count;
    return d.failed ? -1 : 0;
}

void dry_changes_free(struct dry_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(changes[i].path);
        mem_free(changes[i].before);
        mem_free(changes[i].after);
    }
    mem_free(changes);
}
