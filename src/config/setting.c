#include "config/setting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/address.h"
#include "config/document.h"
#include "config/options.h"
#include "config/report.h"
#include "config/setting_paths.h"
#include "config/units.h"
#include "record/expr.h"
#include "record/path.h"

/* One option being read. Readers return -1 when there is no memory; what is wrong goes to the
 * report. */
struct reader {
    const struct option *option;
    const struct node *node;
    void *slot; /* where the value goes */
    struct config_report *report;
};

/* "expected WHAT, got VALUE" and perhaps a suggestion. */
static int unexpected(const struct reader *r, const struct node *node, const char *what,
                      const struct nearest *near)
{
    struct buf got = {0};
    if (r->option->secret)
        buf_str(&got, "***");
    else
        node_show(node, &got);
    if (near != NULL)
        nearest_add(near, &got);
    const char *text = buf_cstr(&got);
    if (text != NULL)
        report_node(r->report, node, "expected %s, got %s", what, text);
    buf_clear(&got);
    return text == NULL ? -1 : 0;
}

static void add_bound(const struct option *o, int64_t bound, struct buf *out)
{
    if (o->type == OPTION_SIZE)
        units_add_size(out, (uint64_t)bound);
    else if (o->type == OPTION_DURATION)
        units_add_duration(out, (uint64_t)bound);
    else
        buf_fmt(out, "%" PRId64, bound);
}

bool setting_add_bounds(const struct option *o, struct buf *out)
{
    if (o->min == 0 && o->max == 0)
        return false;
    if (o->max == 0)
        buf_str(out, "at least ");
    add_bound(o, o->min, out);
    if (o->max != 0) {
        buf_str(out, " to ");
        add_bound(o, o->max, out);
    }
    return true;
}

/* Is ${value}, in the unit of the bounds, within them? Says so if not. */
static int check_bounds(const struct reader *r, double value, bool *ok)
{
    const struct option *o = r->option;
    bool bounded = o->min != 0 || o->max != 0;
    *ok = !bounded || (value >= (double)o->min && (o->max == 0 || value <= (double)o->max));
    if (*ok)
        return 0;
    struct buf what = {0};
    setting_add_bounds(o, &what);
    const char *text = buf_cstr(&what);
    int rc = text == NULL ? -1 : unexpected(r, r->node, text, NULL);
    buf_clear(&what);
    return rc;
}

static int read_bool(const struct reader *r)
{
    if (r->node->type != NODE_BOOL)
        return unexpected(r, r->node, "true or false", NULL);
    *(bool *)r->slot = r->node->truth;
    return 0;
}

static int read_int(const struct reader *r)
{
    bool ok =
        r->node->type == NODE_NUMBER && strpbrk(r->node->text, ".eE") == NULL && r->node->len <= 18;
    if (!ok)
        return unexpected(r, r->node, "an integer", NULL);
    int64_t value = strtoll(r->node->text, NULL, 10);
    int rc = check_bounds(r, (double)value, &ok);
    if (ok)
        *(int64_t *)r->slot = value;
    return rc;
}

static bool is_text(const struct node *n)
{
    return n->type == NODE_STRING || n->type == NODE_NUMBER;
}

static int read_size(const struct reader *r)
{
    uint64_t value;
    bool ok = is_text(r->node) && units_size(r->node->text, &value);
    if (!ok)
        return unexpected(r, r->node, "a size such as 4096 or \"64KiB\"", NULL);
    int rc = check_bounds(r, (double)value, &ok);
    if (ok)
        *(uint64_t *)r->slot = value;
    return rc;
}

static int read_duration(const struct reader *r)
{
    double value;
    bool ok = is_text(r->node) && units_duration(r->node->text, &value);
    if (!ok)
        return unexpected(r, r->node, "a duration such as 5 or \"250ms\"", NULL);
    int rc = check_bounds(r, value * 1000, &ok);
    if (ok)
        *(double *)r->slot = value;
    return rc;
}

static int set_string(char **slot, const struct node *node)
{
    char *copy = mem_strdup(node->text);
    if (copy == NULL)
        return -1;
    mem_free(*slot);
    *slot = copy;
    return 0;
}

static int read_string(const struct reader *r)
{
    if (r->node->type != NODE_STRING)
        return unexpected(r, r->node, "a string", NULL);
    if (r->option->min > 0 && r->node->len == 0)
        return unexpected(r, r->node, "a string that is not empty", NULL);
    return set_string(r->slot, r->node);
}

static int find_word(const char *const *words, const char *text)
{
    for (int i = 0; words != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0)
            return i;
    }
    return -1;
}

static int wrong_choice(const struct reader *r)
{
    struct buf what = {0};
    struct nearest near = nearest_to(r->node->text);
    const char *const *words = r->option->choices;
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *between = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        buf_fmt(&what, "%s\"%s\"", between, words[i]);
        nearest_try(&near, words[i]);
    }
    const char *text = buf_cstr(&what);
    int rc = text == NULL ? -1 : unexpected(r, r->node, text, &near);
    buf_clear(&what);
    return rc;
}

static int read_choice(const struct reader *r)
{
    int i = r->node->type == NODE_STRING ? find_word(r->option->choices, r->node->text) : -1;
    if (i >= 0)
        *(int *)r->slot = i;
    else if (r->node->type == NODE_STRING && find_word(r->option->absent, r->node->text) >= 0)
        report_node(r->report, r->node, "\"%s\" is not built into this version", r->node->text);
    else
        return wrong_choice(r);
    return 0;
}

static void strings_clear(struct strings *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->items[i]);
    mem_free(s->items);
    *s = (struct strings){0};
}

/* What ${n}, which is no address, should be. */
static const char *address_wanted(const struct node *n)
{
    return n->type == NODE_STRING && strchr(n->text, ':') != NULL
               ? "\"host:port\" or \"[v6]:port\" with a port from 1 to 65535"
               : "\"host:port\"";
}

/* One element: a string and, if that is what the option holds, an address. */
static int check_element(const struct reader *r, const struct node *n)
{
    struct address address;
    bool addresses = r->option->type == OPTION_ADDRESSES;
    if (n->wrong) {
        r->report->unread++;
        return 0;
    }
    if (n->type == NODE_STRING && (!addresses || address_parse(n->text, &address)))
        return 0;
    return unexpected(r, n, addresses ? address_wanted(n) : "a string", NULL);
}

static int read_strings(const struct reader *r)
{
    bool one = r->node->type == NODE_STRING;
    if (!one && r->node->type != NODE_ARRAY)
        return unexpected(r, r->node,
                          r->option->type == OPTION_ADDRESSES ? "\"host:port\" or an array of them"
                                                              : "a string or an array of strings",
                          NULL);
    size_t count = one ? 1 : r->node->count;
    if (count < (size_t)r->option->min) {
        report_node(r->report, r->node, "expected at least %" PRId64 ", got %zu", r->option->min,
                    count);
        return 0;
    }
    struct strings all = {mem_zalloc(count + 1, sizeof(char *)), 0};
    if (all.items == NULL)
        return -1;
    const struct node *n = one ? r->node : r->node->first;
    for (; all.count < count; n = n->next) {
        if (check_element(r, n) < 0 || set_string(&all.items[all.count++], n) < 0) {
            strings_clear(&all);
            return -1;
        }
    }
    strings_clear(r->slot);
    *(struct strings *)r->slot = all;
    return 0;
}

static void string_map_clear(struct string_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        mem_free(map->items[i].key);
        mem_free(map->items[i].value);
    }
    mem_free(map->items);
    *map = (struct string_map){0};
}

static int read_string_map(const struct reader *r)
{
    if (r->node->type != NODE_OBJECT)
        return unexpected(r, r->node, "an object of strings", NULL);
    struct string_map all = {mem_zalloc(r->node->count + 1, sizeof(struct string_entry)), 0};
    if (all.items == NULL)
        return -1;
    for (const struct node *n = r->node->first; n != NULL; n = n->next) {
        struct string_entry *entry = &all.items[all.count++];
        int rc = check_element(r, n);
        entry->key = mem_strdup(n->key);
        if (rc < 0 || entry->key == NULL || (n->type == NODE_STRING && set_string(&entry->value, n) < 0)) {
            string_map_clear(&all);
            return -1;
        }
    }
    string_map_clear(r->slot);
    *(struct string_map *)r->slot = all;
    return 0;
}

static int read_address(const struct reader *r)
{
    struct address address;
    if (r->node->type != NODE_STRING || !address_parse(r->node->text, &address))
        return unexpected(r, r->node, address_wanted(r->node), NULL);
    return set_string(r->slot, r->node);
}

static int read_mode(const struct reader *r)
{
    size_t digits = r->node->type == NODE_STRING ? strspn(r->node->text, "01234567") : 0;
    if (digits < 3 || digits > 4 || digits != r->node->len)
        return unexpected(r, r->node, "permission bits in octal such as \"0640\"", NULL);
    *(unsigned *)r->slot = (unsigned)strtoul(r->node->text, NULL, 8);
    return 0;
}

static int read_expr(const struct reader *r)
{
    struct expr *x;
    if (setting_compile_expr(r->node, &x, r->report) != 0)
        return -1;
    if (x == NULL)
        return 0;
    expr_free(r->slot);
    *(struct expr **)r->slot = x;
    return 0;
}

static int read_path(const struct reader *r)
{
    struct path *p;
    if (setting_compile_path(r->node, &p, r->report) != 0)
        return -1;
    if (p == NULL)
        return 0;
    path_free(r->slot);
    *(struct path **)r->slot = p;
    return 0;
}

static int read_object(const struct reader *r)
{
    struct options_part part = {r->option->fields, r->slot};
    if (r->node->type != NODE_OBJECT)
        return unexpected(r, r->node, "an object", NULL);
    if (options_read(r->node, &part, 1, r->report) < 0)
        return -1;
    return options_check_known(r->node, &part, 1, r->report);
}

static int read_absent(const struct reader *r)
{
    report_name(r->report, r->node, "%s is not built into this version", r->option->words);
    return 0;
}

int setting_read(const struct option *option, const struct node *node, void *slot,
                 struct config_report *report)
{
    const struct reader reader = {option, node, slot, report}, *r = &reader;
    if (node->wrong) {
        report->unread++;
        return 0;
    }
    switch (r->option->type) {
    case OPTION_BOOL: return read_bool(r);
    case OPTION_INT: return read_int(r);
    case OPTION_SIZE: return read_size(r);
    case OPTION_DURATION: return read_duration(r);
    case OPTION_STRING: return read_string(r);
    case OPTION_CHOICE: return read_choice(r);
    case OPTION_STRINGS:
    case OPTION_ADDRESSES: return read_strings(r);
    case OPTION_STRING_MAP: return read_string_map(r);
    case OPTION_ADDRESS: return read_address(r);
    case OPTION_MODE: return read_mode(r);
    case OPTION_EXPR: return read_expr(r);
    case OPTION_PATH: return read_path(r);
    case OPTION_PATHS: return setting_read_paths(r->option, r->node, r->slot, r->report);
    case OPTION_PATH_EXPRS:
    case OPTION_PATH_PATHS: return setting_read_path_map(r->option, r->node, r->slot, r->report);
    case OPTION_OBJECT: return read_object(r);
    case OPTION_OTHER: return 0;
    case OPTION_ABSENT: return read_absent(r);
    }
    return 0;
}

void setting_free(const struct option *option, void *slot)
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_ADDRESS: mem_free(*(char **)slot); break;
    case OPTION_STRINGS:
    case OPTION_ADDRESSES: strings_clear(slot); break;
    case OPTION_STRING_MAP: string_map_clear(slot); break;
    case OPTION_EXPR: expr_free(slot); break;
    case OPTION_PATH: path_free(slot); break;
    case OPTION_PATHS: setting_free_paths(slot); break;
    case OPTION_PATH_EXPRS:
    case OPTION_PATH_PATHS: setting_free_path_map(slot); break;
    case OPTION_OBJECT: options_free(option->fields, slot); break;
    default: break;
    }
}
