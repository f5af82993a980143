#include "config/setting_paths.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/node.h"
#include "config/report.h"
#include "record/expr.h"
#include "record/path.h"

static int unexpected(const struct node *node, const char *what, struct config_report *report)
{
    struct buf got = {0};
    node_show(node, &got);
    const char *text = buf_cstr(&got);
    if (text != NULL)
        report_node(report, node, "expected %s, got %s", what, text);
    buf_clear(&got);
    return text == NULL ? -1 : 0;
}

/* How many bytes of ${text} the ${column} - 1 characters in front of ${column} take. */
static size_t column_bytes(const char *text, unsigned long column)
{
    size_t i = 0;
    while (text[i] != '\0' && column > 1) {
        do
            i++;
        while (((unsigned char)text[i] & 0xc0) == 0x80);
        column--;
    }
    return i;
}

/* What a compiler said: "column N: …". */
static int not_compiled(const struct node *node, const struct err *e, struct config_report *report)
{
    static const char mark[] = "column ";
    if (e->code == ERR_NOMEM)
        return -1;
    unsigned long column = 1;
    if (strncmp(e->text, mark, sizeof mark - 1) == 0)
        column = strtoul(e->text + sizeof mark - 1, NULL, 10);
    if (node->substituted) /* its text stands nowhere */
        report_node(report, node, "%s", e->text);
    else
        report_inside(report, node, column_bytes(node->text, column), "%s", e->text);
    return 0;
}

int setting_compile_path(const struct node *node, struct path **slot, struct config_report *report)
{
    struct err e = {0};
    *slot = NULL;
    if (node->type != NODE_STRING)
        return unexpected(node, "a path such as \".message\"", report);
    *slot = path_new(node->text, node->len, &e);
    return *slot != NULL ? 0 : not_compiled(node, &e, report);
}

int setting_compile_expr(const struct node *node, struct expr **slot, struct config_report *report)
{
    struct err e = {0};
    *slot = NULL;
    if (node->type != NODE_STRING)
        return unexpected(node, "an expression in a string", report);
    *slot = expr_new(node->text, node->len, &e);
    return *slot != NULL ? 0 : not_compiled(node, &e, report);
}

static int too_few(const struct option *o, const struct node *node, size_t count,
                   struct config_report *report)
{
    report_node(report, node, "expected at least %" PRId64 ", got %zu", o->min, count);
    return 0;
}

int setting_read_paths(const struct option *o, const struct node *node, struct paths *slot,
                       struct config_report *report)
{
    bool one = node->type == NODE_STRING;
    if (!one && node->type != NODE_ARRAY)
        return unexpected(node, "a path or an array of paths", report);
    size_t count = one ? 1 : node->count;
    if (count < (size_t)o->min)
        return too_few(o, node, count, report);
    struct paths all = {mem_zalloc(count + 1, sizeof(struct path *)), 0};
    if (all.items == NULL)
        return -1;
    const struct node *n = one ? node : node->first;
    for (size_t i = 0; i < count; i++, n = n->next) {
        if (n->wrong) {
            report->unread++;
            continue;
        }
        if (setting_compile_path(n, &all.items[all.count], report) != 0) {
            setting_free_paths(&all);
            return -1;
        }
        all.count += all.items[all.count] != NULL;
    }
    setting_free_paths(slot);
    *slot = all;
    return 0;
}

/* One member: the key is a path, the value what the type says. */
static int read_entry(const struct option *o, const struct node *n, struct path_entry *entry,
                      struct config_report *report)
{
    struct err e = {0};
    entry->path = path_new(n->key, strlen(n->key), &e);
    if (entry->path == NULL && e.code == ERR_NOMEM)
        return -1;
    if (entry->path == NULL)
        report_name(report, n, "expected a path such as \".field\" as the key: %s", e.text);
    if (n->wrong) {
        report->unread++;
        return 0;
    }
    return o->type == OPTION_PATH_EXPRS ? setting_compile_expr(n, &entry->expr, report)
                                        : setting_compile_path(n, &entry->to, report);
}

int setting_read_path_map(const struct option *o, const struct node *node, struct path_map *slot,
                          struct config_report *report)
{
    if (node->type != NODE_OBJECT)
        return unexpected(node, o->type == OPTION_PATH_EXPRS ? "an object {\"path\": \"expression\"}"
                                                             : "an object {\"path\": \"path\"}",
                          report);
    if (node->count < (size_t)o->min)
        return too_few(o, node, node->count, report);
    struct path_map all = {mem_zalloc(node->count + 1, sizeof(struct path_entry)), 0};
    if (all.items == NULL)
        return -1;
    for (const struct node *n = node->first; n != NULL; n = n->next)
        if (read_entry(o, n, &all.items[all.count++], report) != 0) {
            setting_free_path_map(&all);
            return -1;
        }
    setting_free_path_map(slot);
    *slot = all;
    return 0;
}

void setting_free_paths(struct paths *slot)
{
    for (size_t i = 0; i < slot->count; i++)
        path_free(&slot->items[i]);
    mem_free(slot->items);
    *slot = (struct paths){0};
}

void setting_free_path_map(struct path_map *slot)
{
    for (size_t i = 0; i < slot->count; i++) {
        path_free(&slot->items[i].path);
        path_free(&slot->items[i].to);
        expr_free(&slot->items[i].expr);
    }
    mem_free(slot->items);
    *slot = (struct path_map){0};
}
