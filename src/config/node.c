#include "config/node.h"

#include <string.h>

#include "base/buf.h"

#define SHOW_MAX 60 /* bytes of a value in a message */

const struct node *node_member(const struct node *node, const char *key)
{
    if (node->type != NODE_OBJECT)
        return NULL;
    for (const struct node *n = node->first; n != NULL; n = n->next) {
        if (strcmp(n->key, key) == 0)
            return n;
    }
    return NULL;
}

static bool plain_key(const char *key)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$";
    return key[0] != '\0' && key[strspn(key, plain)] == '\0';
}

/* Append ${len} bytes of ${text} in double quotes, escaped so that it stays on its line. */
static void add_quoted(const char *text, size_t len, struct buf *out)
{
    buf_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_fmt(out, "\\%c", c);
        else if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '\t')
            buf_str(out, "\\t");
        else if (c < ' ' || c == 0x7f)
            buf_fmt(out, "\\u%04x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
}

void node_path_key(const char *key, struct buf *out)
{
    if (out->len > 0)
        buf_char(out, '.');
    if (plain_key(key))
        buf_str(out, key);
    else
        add_quoted(key, strlen(key), out);
}

/* The depth is bounded by the document's. */
void node_path(const struct node *node, struct buf *out)
{
    if (node->parent == NULL)
        return;
    node_path(node->parent, out);
    if (node->key == NULL)
        buf_fmt(out, "[%zu]", node->index);
    else
        node_path_key(node->key, out);
}

/* ${text} cut to SHOW_MAX bytes, between characters. */
static size_t cut(const char *text, size_t len)
{
    if (len <= SHOW_MAX)
        return len;
    len = SHOW_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void node_show(const struct node *node, struct buf *out)
{
    size_t shown = cut(node->text, node->len);
    switch (node->type) {
    case NODE_NULL: buf_str(out, "null"); break;
    case NODE_BOOL: buf_str(out, node->truth ? "true" : "false"); break;
    case NODE_ARRAY: buf_str(out, "an array"); break;
    case NODE_OBJECT: buf_str(out, "an object"); break;
    case NODE_NUMBER: buf_add(out, node->text, shown); break;
    case NODE_STRING:
        if (node->secret)
            buf_str(out, "\"***\"");
        else
            add_quoted(node->text, shown, out);
        break;
    }
    if (shown < node->len && !node->secret)
        buf_str(out, "…");
}
