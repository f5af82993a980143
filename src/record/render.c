#include "record/render.h"

#include <string.h>

#include "base/utf8.h"
#include "record/doc.h"
#include "record/jscan_plain.h"
#include "record/jscan_string.h"

/* --- strings ----------------------------------------------------------------------------------- */

static void add_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"': buf_add(out, "\\\"", 2); break;
    case '\\': buf_add(out, "\\\\", 2); break;
    case '\b': buf_add(out, "\\b", 2); break;
    case '\f': buf_add(out, "\\f", 2); break;
    case '\n': buf_add(out, "\\n", 2); break;
    case '\r': buf_add(out, "\\r", 2); break;
    case '\t': buf_add(out, "\\t", 2); break;
    default: buf_add(out, text, 6); break;
    }
}

/* The well-formed characters beyond ASCII at ${p}. */
static const unsigned char *well_formed(const unsigned char *p, const unsigned char *end)
{
    size_t n;
    while (p < end && *p >= 0x80 && (n = utf8_char(p, end, NULL)) != 0)
        p += n;
    return p;
}

void render_string(struct buf *out, const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + len;
    buf_char(out, '"');
    while (p < end) {
        const unsigned char *run = p;
        p = well_formed(jscan_plain(p, end), end);
        if (p > run) {
            buf_add(out, run, (size_t)(p - run));
        } else if (*p < 0x80) {
            add_escape(out, *p++);
        } else {
            size_t skip = 1;
            utf8_char(p, end, &skip);
            buf_add(out, "\xEF\xBF\xBD", 3);
            p += skip;
        }
    }
    buf_char(out, '"');
}

/* --- values ------------------------------------------------------------------------------------ */

static void add_without_space(struct buf *out, const char *p, const char *end)
{
    for (; p < end; p++)
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
            buf_char(out, *p);
}

/* A subtree as it is spelled, without the white space between its tokens: brackets, commas and colons are what lies between the
 * scalars. */
static void add_spelled(struct buf *out, const struct jscan *json, uint32_t node)
{
    const struct jscan_node *root = &json->nodes[node];
    if (!json->spaced) {
        buf_add(out, json->text + root->start, root->end - root->start);
        return;
    }
    const char *done = json->text + root->start;
    for (uint32_t i = node; i < root->next; i++) {
        const struct jscan_node *n = &json->nodes[i];
        if (n->type >= JSCAN_ARRAY)
            continue;
        add_without_space(out, done, json->text + n->start);
        buf_add(out, json->text + n->start, n->end - n->start);
        done = json->text + n->end;
    }
    add_without_space(out, done, json->text + root->end);
}

/* As deep as edits are: the steps of a path. */
static void add_edited(struct buf *out, const struct value *v)
{
    struct doc_walk w;
    bool object = v->type == VALUE_OBJECT, any = false;
    buf_char(out, object ? '{' : '[');
    for (doc_walk_start(&w, v); doc_walk_next(&w); any = true) {
        if (any)
            buf_char(out, ',');
        if (object) {
            render_value(out, &w.key);
            buf_char(out, ':');
        }
        render_value(out, &w.value);
    }
    buf_char(out, object ? '}' : ']');
}

void render_value(struct buf *out, const struct value *v)
{
    char spelled[VALUE_SPELL_MAX];
    switch ((enum value_type)v->type) {
    case VALUE_NULL: buf_add(out, "null", 4); break;
    case VALUE_BOOL: buf_str(out, v->u.b ? "true" : "false"); break;
    case VALUE_INT:
    case VALUE_DOUBLE: buf_add(out, spelled, value_spell(v, spelled)); break;
    case VALUE_NUMBER: buf_add(out, v->u.s, v->len); break;
    case VALUE_STRING:
        if (!(v->flags & VALUE_JSON)) {
            render_string(out, v->u.s, v->len);
            break;
        }
        buf_char(out, '"');
        buf_add(out, v->u.s, v->len);
        buf_char(out, '"');
        break;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        if (v->flags & VALUE_EDITED)
            add_edited(out, v);
        else
            add_spelled(out, v->u.json, v->len);
        break;
    }
}

void render_text(struct buf *out, const struct value *v)
{
    if (v->type == VALUE_NULL)
        return;
    if (v->type != VALUE_STRING) {
        render_value(out, v);
    } else if (!(v->flags & VALUE_ESCAPED)) {
        buf_add(out, v->u.s, v->len);
    } else if (buf_reserve(out, v->len)) {
        out->len += jscan_string_unescape(v->u.s, v->len, out->data + out->len);
    }
}

/* --- records ----------------------------------------------------------------------------------- */

static void add_object(struct buf *out, const struct record *r)
{
    if (r->doc != NULL) {
        struct value root = doc_root(r->doc);
        render_value(out, &root);
        return;
    }
    buf_str(out, "{\"message\":");
    render_string(out, r->text, r->len);
    buf_char(out, '}');
}

static void add_message(struct buf *out, const struct record *r)
{
    struct value root, message;
    if (r->doc == NULL) {
        buf_add(out, r->text, r->len);
        return;
    }
    root = doc_root(r->doc);
    if (doc_member(&root, "message", 7, &message))
        render_text(out, &message);
}

void render_record(struct buf *out, const struct record *r, enum render_encoding encoding)
{
    switch (encoding) {
    case RENDER_AUTO:
        if ((r->flags & RECORD_CHANGED) && r->doc != NULL)
            add_object(out, r);
        else
            buf_add(out, r->text, r->len);
        break;
    case RENDER_JSON: add_object(out, r); break;
    case RENDER_TEXT: add_message(out, r); break;
    }
}

static bool is_text(const char *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + len;
    while (at < end) {
        size_t n = utf8_char(at, end, NULL);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

/* RFC 4648, section 4. */
static void add_base64(struct buf *out, const char *data, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        buf_char(out, alphabet[v >> 18]);
        buf_char(out, alphabet[v >> 12 & 63]);
        buf_char(out, left > 1 ? alphabet[v >> 6 & 63] : '=');
        buf_char(out, left > 2 ? alphabet[v & 63] : '=');
    }
}

void render_bytes(struct buf *out, const char *key, const char *data, size_t len)
{
    if (is_text(data, len)) {
        buf_fmt(out, "\"%s\":", key);
        render_string(out, data, len);
    } else {
        buf_fmt(out, "\"%s_base64\":\"", key);
        add_base64(out, data, len);
        buf_char(out, '"');
    }
}
