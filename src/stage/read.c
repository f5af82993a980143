#include "stage/read.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/options.h"
#include "delivery/spool.h"
#include "stage/stages.h"

struct reading {
    const struct stage *const *table;
    enum stage_kind kind;
    struct config_report *report;
};

/* "expected WHAT, got VALUE" */
static int unexpected(const struct reading *r, const struct node *node, const char *what)
{
    struct buf got = {0};
    node_show(node, &got);
    const char *text = buf_cstr(&got);
    if (text != NULL)
        report_node(r->report, node, "expected %s, got %s", what, text);
    buf_clear(&got);
    return text == NULL ? -1 : 0;
}

/* The other kind that has a stage of this type, or -1. */
static int other_kind(const struct reading *r, const char *type)
{
    for (enum stage_kind k = STAGE_SOURCE; k <= STAGE_SINK; k++) {
        if (k != r->kind && stages_find(r->table, k, type) != NULL)
            return (int)k;
    }
    return -1;
}

static int unknown_type(const struct reading *r, const struct node *type)
{
    const char *kind = stages_kind_name(r->kind);
    int other = other_kind(r, type->text);
    if (other >= 0) {
        report_node(r->report, type, "\"%s\" is a %s, not a %s", type->text,
                    stages_kind_name((enum stage_kind)other), kind);
        return 0;
    }
    if (stages_planned(r->kind, type->text)) {
        report_node(r->report, type, "the %s \"%s\" is not built into this version", kind,
                    type->text);
        return 0;
    }
    struct nearest near = nearest_to(type->text);
    for (size_t i = 0; r->table[i] != NULL; i++) {
        if (r->table[i]->kind == r->kind)
            nearest_try(&near, r->table[i]->type);
    }
    struct buf what = {0};
    node_show(type, &what);
    nearest_add(&near, &what);
    const char *text = buf_cstr(&what);
    if (text != NULL)
        report_node(r->report, type, "unknown %s %s", kind, text);
    buf_clear(&what);
    return text == NULL ? -1 : 0;
}

bool read_name_ok(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t len = strlen(name);
    return len > 0 && len <= 100 && strspn(name, allowed) == len;
}

/* What a queue on disk cannot be. */
static void check_disk_queue(const struct reading *r, const struct node *queue, struct queue_config *set)
{
    if (set->type != QUEUE_DISK)
        return;
    if (r->kind != STAGE_SINK)
        report_node(r->report, node_member(queue, "type"), "only a sink can have a queue on disk");
    else if (set->max_bytes < SPOOL_BYTES_MIN)
        report_node(r->report, queue, "a queue on disk needs \"max_bytes\" of at least 4MiB");
    if (set->when_full == WHEN_FULL_DROP_OLDEST)
        report_node(r->report, node_member(queue, "when_full"), "a queue on disk can block or drop_newest");
}

static void check_common(const struct reading *r, const struct node *node, struct stage_config *sc)
{
    r->report->at = node;
    if (sc->name != NULL && !read_name_ok(sc->name))
        report_key(r->report, "name", "a name is made of letters, digits, \"_\", \"-\" and \".\"");
    const struct node *queue = node_member(node, "queue");
    if (r->kind == STAGE_SOURCE && sc->queue.when_full != WHEN_FULL_BLOCK) {
        report_node(r->report, node_member(queue, "when_full"),
                    "a source can only block: let the stage behind it drop");
        sc->queue.when_full = WHEN_FULL_BLOCK;
    }
    if (queue != NULL)
        check_disk_queue(r, queue, &sc->queue);
}

static int read_common(const struct reading *r, const struct node *node, struct stage_config *sc)
{
    struct options_part part = {stages_common(r->kind), sc};
    if (options_read(node, &part, 1, r->report) < 0)
        return -1;
    check_common(r, node, sc);
    return 0;
}

/* The type's own options; without a type nobody can tell which keys are known. Those of ${beside}, unless NULL, may stand beside them. */
static int read_own(const struct reading *r, const struct node *node, struct stage_config *sc, const struct option *beside)
{
    size_t size = sc->type->settings_size;
    sc->settings = mem_zalloc(1, size == 0 ? 1 : size);
    if (sc->settings == NULL || options_defaults(sc->type->options, sc->settings) < 0)
        return -1;
    struct options_part parts[] = {{sc->type->options, sc->settings}, {beside, sc}};
    size_t before = r->report->count + r->report->unread;
    if (options_read(node, parts, 1, r->report) < 0 ||
        options_check_known(node, parts, beside != NULL ? 2 : 1, r->report) < 0)
        return -1;
    r->report->at = node;
    if (r->report->count + r->report->unread == before && sc->type->check != NULL)
        sc->type->check(sc->settings, r->report);
    return 0;
}

/* The member "multiline" of a source: the options of the transform of that name, which becomes the source's own chain. */
static int read_multiline(const struct reading *source, const struct node *node, struct stage_config *sc)
{
    const struct reading r = {source->table, STAGE_TRANSFORM, source->report};
    const struct node *object = node_member(node, "multiline");
    const struct stage *type = stages_find(r.table, STAGE_TRANSFORM, "multiline");
    if (object == NULL)
        return 0;
    if (object->type != NODE_OBJECT || type == NULL)
        return unexpected(&r, object, "an object with the options of multiline");
    sc->transforms.items = mem_zalloc(1, sizeof *sc->transforms.items);
    if (sc->transforms.items == NULL)
        return -1;
    struct stage_config *own = &sc->transforms.items[sc->transforms.count++];
    own->at = object;
    own->type = type;
    return options_defaults(stages_common(r.kind), own) < 0 ? -1 : read_own(&r, object, own, NULL);
}

/* The member "dead_letter" of a sink: a file sink of its own. */
static int read_dead_letter(const struct reading *r, const struct node *node, struct stage_config *sc)
{
    const struct node *object = node_member(node, "dead_letter");
    if (object == NULL)
        return 0;
    if (object->type != NODE_OBJECT)
        return unexpected(r, object, "an object with \"type\": \"file\"");
    sc->dead_letters.items = mem_zalloc(1, sizeof *sc->dead_letters.items);
    if (sc->dead_letters.items == NULL)
        return -1;
    struct stage_config *own = &sc->dead_letters.items[sc->dead_letters.count++];
    struct options_part part = {stages_dead_letter, own};
    own->at = object;
    if (options_defaults(stages_common(r->kind), own) < 0 || options_read(object, &part, 1, r->report) < 0)
        return -1;
    const struct node *type = node_member(object, "type"), *encoding = node_member(object, "encoding");
    if (own->type_name == NULL)
        return 0;
    if (strcmp(own->type_name, "file") != 0)
        return unexpected(r, type, "\"file\", the only place for dead letters");
    if (encoding != NULL)
        report_node(r->report, encoding, "dead letters have a format of their own: leave it out");
    own->type = stages_find(r->table, r->kind, "file");
    return own->type != NULL ? read_own(r, object, own, stages_dead_letter) : 0;
}

static int read_stage(const struct reading *r, const struct node *node, struct stage_config *sc)
{
    sc->at = node;
    if (options_defaults(stages_common(r->kind), sc) < 0)
        return -1;
    if (node->type != NODE_OBJECT)
        return unexpected(r, node, "an object with a \"type\"");
    if (read_common(r, node, sc) < 0)
        return -1;
    const struct node *type = node_member(node, "type");
    if (type == NULL || type->type != NODE_STRING || type->wrong)
        return 0;
    sc->type = stages_find(r->table, r->kind, type->text);
    if (sc->type == NULL)
        return unknown_type(r, type);
    if (read_own(r, node, sc, stages_common(r->kind)) < 0)
        return -1;
    if (r->kind == STAGE_SOURCE)
        return read_multiline(r, node, sc);
    if (r->kind == STAGE_TRANSFORM)
        return 0;
    if (read_dead_letter(r, node, sc) < 0)
        return -1;
    return read_stages(node, "transforms", STAGE_TRANSFORM, r->table, &sc->transforms, r->report);
}

int read_stages(const struct node *object, const char *key, enum stage_kind kind,
                const struct stage *const *table, struct stage_list *list,
                struct config_report *report)
{
    struct reading r = {table, kind, report};
    const struct node *array = node_member(object, key);
    if (array == NULL)
        return 0;
    if (array->type != NODE_ARRAY)
        return unexpected(&r, array, "an array of objects");
    if (array->count == 0 && kind != STAGE_TRANSFORM)
        report_node(report, array, "expected at least one %s", stages_kind_name(kind));
    list->items = mem_zalloc(array->count + 1, sizeof *list->items);
    if (list->items == NULL)
        return -1;
    for (const struct node *n = array->first; n != NULL; n = n->next) {
        if (read_stage(&r, n, &list->items[list->count++]) < 0)
            return -1;
    }
    return 0;
}

static void free_stage(struct stage_config *sc, enum stage_kind kind)
{
    if (sc->settings != NULL)
        options_free(sc->type->options, sc->settings);
    mem_free(sc->settings);
    options_free(stages_common(kind), sc);
    read_free_stages(&sc->transforms, STAGE_TRANSFORM);
    read_free_stages(&sc->dead_letters, STAGE_SINK);
}

void read_free_stages(struct stage_list *list, enum stage_kind kind)
{
    for (size_t i = 0; i < list->count; i++)
        free_stage(&list->items[i], kind);
    mem_free(list->items);
    *list = (struct stage_list){0};
}
