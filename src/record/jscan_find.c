/* jscan_find: looking into an index: members, elements, positions. */
#include <string.h>

#include "base/err.h"
#include "record/jscan.h"
#include "record/jscan_string.h"

bool jscan_equals(const struct jscan *json, uint32_t node, const char *s, size_t len)
{
    const struct jscan_node *n = &json->nodes[node];
    const char *inside = json->text + n->start + 1;
    size_t inside_len = n->end - n->start - 2;
    if (!(n->flags & JSCAN_ESCAPED))
        return inside_len == len && (len == 0 || memcmp(inside, s, len) == 0);
    /* An escape takes two bytes at least and stands for one; \u takes six for one. */
    if (inside_len < len)
        return false;
    return jscan_string_compare((struct jscan_span){inside, inside_len, true},
                                (struct jscan_span){s, len, false}) == 0;
}

uint32_t jscan_member(const struct jscan *json, uint32_t object, const char *key, size_t len)
{
    const struct jscan_node *nodes = json->nodes;
    uint32_t found = JSCAN_NONE, end = nodes[object].next;
    char first = len > 0 ? key[0] : '"';
    if (nodes[object].type != JSCAN_OBJECT)
        return JSCAN_NONE;
    for (uint32_t n = object + 1; n < end; n = nodes[n + 1].next) {
        const struct jscan_node *name = &nodes[n];
        /* Most names are ruled out by their length or first byte. (The quote, for an empty one.) */
        bool may = name->end - name->start == len + 2 && json->text[name->start + 1] == first;
        if ((may || (name->flags & JSCAN_ESCAPED)) && jscan_equals(json, n, key, len))
            found = n + 1;
    }
    return found;
}

uint32_t jscan_element(const struct jscan *json, uint32_t array, size_t index)
{
    if (json->nodes[array].type != JSCAN_ARRAY)
        return JSCAN_NONE;
    uint32_t n = jscan_first(json, array);
    for (; n != JSCAN_NONE && index > 0; index--)
        n = jscan_sibling(json, array, n);
    return n;
}

size_t jscan_count(const struct jscan *json, uint32_t at)
{
    const struct jscan_node *nodes = json->nodes;
    size_t count = 0;
    if (nodes[at].type < JSCAN_ARRAY)
        return 0;
    uint32_t is_object = nodes[at].type == JSCAN_OBJECT;
    for (uint32_t n = at + 1; n < nodes[at].next; n = nodes[n + is_object].next)
        count++;
    return count;
}

static struct jscan_span inside(const struct jscan *json, uint32_t node)
{
    const struct jscan_node *n = &json->nodes[node];
    return (struct jscan_span){json->text + n->start + 1, n->end - n->start - 2,
                               (n->flags & JSCAN_ESCAPED) != 0};
}

uint32_t jscan_repeated(const struct jscan *json, uint32_t object)
{
    const struct jscan_node *nodes = json->nodes;
    uint32_t end = nodes[object].next;
    if (nodes[object].type != JSCAN_OBJECT)
        return JSCAN_NONE;
    for (uint32_t a = object + 1; a < end; a = nodes[a + 1].next)
        for (uint32_t b = nodes[a + 1].next; b < end; b = nodes[b + 1].next)
            if (jscan_string_compare(inside(json, a), inside(json, b)) == 0)
                return b;
    return JSCAN_NONE;
}

void jscan_position(const char *text, size_t len, size_t offset, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < len && i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

int jscan_fault_set(struct err *e, const struct jscan_fault *fault, const char *text, size_t len)
{
    size_t line, column;
    if (fault->error == JSCAN_NOMEM)
        return err_nomem(e);
    jscan_position(text, len, fault->offset, &line, &column);
    if (fault->offset >= len)
        return err_set(e, ERR_INVALID, "line %zu, column %zu: %s, found the end", line, column,
                       fault->what);
    unsigned char c = (unsigned char)text[fault->offset];
    if (c > ' ' && c < 0x7F && c != '"')
        return err_set(e, ERR_INVALID, "line %zu, column %zu: %s, found \"%c\"", line, column,
                       fault->what, c);
    if (c == '"')
        return err_set(e, ERR_INVALID, "line %zu, column %zu: %s, found a double quote", line,
                       column, fault->what);
    return err_set(e, ERR_INVALID, "line %zu, column %zu: %s, found byte 0x%02X", line, column,
                   fault->what, c);
}
