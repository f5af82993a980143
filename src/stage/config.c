#include "stage/config.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/documents.h"
#include "config/options.h"
#include "config/report.h"
#include "stage/claims.h"
#include "stage/exact.h"
#include "stage/pipeline_config.h"
#include "stage/read.h"

const struct option config_options[] = {
    {"data_dir", OPTION_STRING, offsetof(struct config, data_dir), .min = 1,
     .words = "Folder for checkpoints, made if it is missing, for one weir at a time. Without it the agent keeps none, and "
              "starts as `start_at` says each time."},
    {"memory_limit", OPTION_SIZE, offsetof(struct config, memory_limit), .fallback = "\"64MiB\"",
     .min = 1 << 20,
     .words = "How much data the agent holds in memory at most, whatever the sinks do. Only a single longer line may pass it."},
    {"shutdown_timeout", OPTION_DURATION, offsetof(struct config, shutdown_timeout),
     .fallback = "\"25s\"", .words = "How long a stop may take to deliver what is under way."},
    {"pipelines", OPTION_OTHER, .words = "The pipelines, by name."},
    {"include", OPTION_STRINGS, offsetof(struct config, include),
     .words = "Patterns of more files to merge, relative to this file's folder, as conf.d/*.json. "
              "A pipeline or an option "
              "may be set in one file only."},
    {"$schema", OPTION_OTHER, .words = "Ignored: for editors."},
    {"admin", OPTION_ABSENT, .words = "the admin endpoint"},
    {"user", OPTION_ABSENT, .words = "dropping privileges"},
    {0},
};

/* While a configuration is read. */
struct loading {
    struct config *config;
    struct documents docs;
    const struct stage *const *table;
    struct config_report *report;
    size_t cap; /* of the pipelines */
};

/* Only these may be in several files. */
static bool merges(const char *key)
{
    return strcmp(key, "pipelines") == 0 || strcmp(key, "include") == 0 ||
           strcmp(key, "$schema") == 0;
}

/* Options of document ${i} that an earlier one has set. */
static void check_set_before(struct loading *l, size_t i)
{
    const struct node *root = l->docs.items[i].doc->root;
    for (const struct node *n = root->first; n != NULL; n = n->next) {
        for (size_t j = 0; j < i && !merges(n->key); j++) {
            const struct node *other = l->docs.items[j].doc->root;
            const struct node *before = other == NULL ? NULL : node_member(other, n->key);
            unsigned line, column;
            if (before == NULL)
                continue;
            document_place(before->doc, before->key_offset, &line, &column);
            report_name(l->report, n, "already set in %s:%u:%u", before->doc->name, line, column);
            break;
        }
    }
}

static const struct pipeline_config *find_pipeline(const struct loading *l, const char *name)
{
    for (size_t i = 0; i < l->config->pipeline_count; i++) {
        if (strcmp(l->config->pipelines[i].name, name) == 0)
            return &l->config->pipelines[i];
    }
    return NULL;
}

static struct pipeline_config *add_pipeline(struct loading *l, const struct node *node)
{
    struct config *c = l->config;
    if (c->pipeline_count == l->cap) {
        size_t cap = l->cap == 0 ? 8 : l->cap * 2;
        void *p = mem_realloc(c->pipelines, cap * sizeof *c->pipelines);
        if (p == NULL)
            return NULL;
        c->pipelines = p;
        l->cap = cap;
    }
    struct pipeline_config *p = &c->pipelines[c->pipeline_count];
    *p = (struct pipeline_config){.name = mem_strdup(node->key), .at = node};
    if (p->name == NULL)
        return NULL;
    c->pipeline_count++;
    return p;
}

static int load_pipeline(struct loading *l, const struct node *node)
{
    const struct pipeline_config *before = find_pipeline(l, node->key);
    unsigned line, column;
    if (before != NULL && before->at->doc == node->doc)
        return 0; /* the document has said that the key repeats */
    if (before != NULL) {
        document_place(before->at->doc, before->at->key_offset, &line, &column);
        report_name(l->report, node, "a pipeline of this name is already defined in %s:%u:%u",
                    before->at->doc->name, line, column);
        return 0;
    }
    if (!read_name_ok(node->key))
        report_name(l->report, node, "a name is made of letters, digits, \"_\", \"-\" and \".\"");
    struct pipeline_config *p = add_pipeline(l, node);
    return p == NULL ? -1 : pipeline_config_read(p, node, l->table, l->report);
}

static int load_document(struct loading *l, size_t i)
{
    const struct node *root = l->docs.items[i].doc->root;
    struct options_part part = {config_options, l->config};
    if (root == NULL)
        return 0;
    if (root->type != NODE_OBJECT) {
        report_node(l->report, root, "a configuration is one JSON object");
        return 0;
    }
    if (options_read(root, &part, 1, l->report) < 0 ||
        options_check_known(root, &part, 1, l->report) < 0)
        return -1;
    check_set_before(l, i);
    const struct node *pipelines = node_member(root, "pipelines");
    if (pipelines == NULL)
        return 0;
    if (pipelines->type != NODE_OBJECT) {
        report_node(l->report, pipelines, "expected an object of pipelines by name");
        return 0;
    }
    for (const struct node *n = pipelines->first; n != NULL; n = n->next) {
        if (load_pipeline(l, n) < 0)
            return -1;
    }
    return 0;
}

/* An agent without a pipeline would do nothing: told where the first one could stand, unless a file
 * could not be read. */
static void check_any_pipeline(struct loading *l)
{
    const struct node *first = NULL;
    if (l->config->pipeline_count > 0)
        return;
    for (size_t i = 0; i < l->docs.count; i++) {
        const struct node *root = l->docs.items[i].doc->root;
        if (root == NULL || root->type != NODE_OBJECT)
            return;
        const struct node *pipelines = node_member(root, "pipelines");
        if (pipelines != NULL && pipelines->type != NODE_OBJECT)
            return;
        if (pipelines != NULL && first == NULL)
            first = pipelines;
    }
    if (first != NULL)
        report_node(l->report, first, "expected at least one pipeline");
    else
        report_missing(l->report, l->docs.items[0].doc->root, "pipelines",
                       "required option missing");
}

/* Note the paths of the values in the tree under ${node} that are secret. */
static int note_secrets(struct config *c, const struct node *node)
{
    for (const struct node *n = node->first; n != NULL; n = n->next) {
        if (note_secrets(c, n) < 0)
            return -1;
    }
    if (!node->secret)
        return 0;
    struct buf path = {0};
    node_path(node, &path);
    const char *text = buf_cstr(&path);
    void *items = mem_realloc(c->secrets.items, (c->secrets.count + 1) * sizeof(char *));
    if (items != NULL)
        c->secrets.items = items;
    char *copy = text == NULL || items == NULL ? NULL : mem_strdup(text);
    if (copy != NULL)
        c->secrets.items[c->secrets.count++] = copy;
    buf_clear(&path);
    return copy == NULL ? -1 : 0;
}

/* A queue on disk is in data_dir. */
static void check_data_dir(struct loading *l)
{
    for (size_t i = 0; i < l->config->pipeline_count && l->config->data_dir == NULL; i++) {
        const struct stage_list *sinks = &l->config->pipelines[i].sinks;
        for (size_t k = 0; k < sinks->count; k++) {
            if (sinks->items[k].queue.type != QUEUE_DISK)
                continue;
            l->report->at = sinks->items[k].at;
            report_key(l->report, "queue", "a queue on disk needs \"data_dir\" at the top level");
        }
    }
}

static int load_all(struct loading *l)
{
    if (options_defaults(config_options, l->config) < 0)
        return -1;
    for (size_t i = 0; i < l->docs.count; i++) {
        const struct node *root = l->docs.items[i].doc->root;
        if (load_document(l, i) < 0 || (root != NULL && note_secrets(l->config, root) < 0))
            return -1;
    }
    check_any_pipeline(l);
    exact_check(l->config, l->report);
    check_data_dir(l);
    if (claims_check(l->config, l->report) < 0)
        return -1;
    for (size_t i = 0; i < l->config->pipeline_count; i++)
        pipeline_config_forget(&l->config->pipelines[i]);
    return 0;
}

/* Read the documents of ${l}, if ${rc} says that they are there, and end the loading. */
static struct config *finish(struct loading *l, int rc)
{
    if (rc == 0 && l->config != NULL)
        rc = load_all(l);
    if (rc < 0 || l->config == NULL)
        l->report->failed = true;
    documents_clear(&l->docs);
    report_sort(l->report);
    l->report->at = NULL;
    if (l->report->failed || l->report->count > 0)
        config_free(&l->config);
    return l->config;
}

struct config *config_load(const char *path, const struct stage *const *table,
                           struct config_report *report)
{
    struct loading l = {
        .config = mem_zalloc(1, sizeof(struct config)), .table = table, .report = report};
    return finish(&l, documents_load(&l.docs, path, report));
}

struct config *config_parse(const char *name, const char *text, size_t len,
                            const struct stage *const *table, struct config_report *report)
{
    struct loading l = {
        .config = mem_zalloc(1, sizeof(struct config)), .table = table, .report = report};
    return finish(&l, documents_parse(&l.docs, name, text, len, report));
}

void config_free(struct config **config)
{
    struct config *dead = *config;
    *config = NULL;
    if (dead == NULL)
        return;
    for (size_t i = 0; i < dead->pipeline_count; i++)
        pipeline_config_free(&dead->pipelines[i]);
    mem_free(dead->pipelines);
    for (size_t i = 0; i < dead->secrets.count; i++)
        mem_free(dead->secrets.items[i]);
    mem_free(dead->secrets.items);
    options_free(config_options, dead);
    mem_free(dead);
}
