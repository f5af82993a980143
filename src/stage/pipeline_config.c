#include "stage/pipeline_config.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/options.h"
#include "stage/payload.h"
#include "stage/read.h"

const struct option pipeline_config_options[] = {
    {"sources", OPTION_OTHER, .required = true,
     .words = "Where the data comes from: at least one source. All of them feed the one chain of "
              "transforms."},
    {"transforms", OPTION_OTHER,
     .words = "What is done with it, from the first to the last. May be left out."},
    {"sinks", OPTION_OTHER, .required = true,
     .words = "Where it goes: at least one sink. Every sink gets everything."},
    {0},
};

/* All stages of a pipeline in the order in which names are given. */
struct walk {
    struct stage_config **all;
    size_t count;
};

static void collect(struct walk *w, const struct stage_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        w->all[w->count++] = &list->items[i];
        collect(w, &list->items[i].transforms);
    }
}

static size_t count_stages(const struct stage_list *list)
{
    size_t n = list->count;
    for (size_t i = 0; i < list->count; i++)
        n += count_stages(&list->items[i].transforms);
    return n;
}

static bool taken(const struct walk *w, const char *name, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        if (w->all[i]->name != NULL && strcmp(w->all[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* Names that the user chose must differ from each other. */
static void check_names(const struct walk *w, struct config_report *report)
{
    for (size_t i = 0; i < w->count; i++) {
        const char *name = w->all[i]->name;
        if (name == NULL || !taken(w, name, i))
            continue;
        report->at = w->all[i]->at;
        report_key(report, "name", "\"%s\" is the name of another stage of this pipeline", name);
    }
}

/* The type, or type-2, type-3… : the first that is free. */
static int give_name(const struct walk *w, struct stage_config *sc)
{
    const char *type = sc->type != NULL ? sc->type->type : "unknown";
    struct buf name = {0};
    const char *text = type;
    for (unsigned n = 2; text != NULL && taken(w, text, w->count); n++) {
        buf_clear(&name);
        buf_fmt(&name, "%s-%u", type, n);
        text = buf_cstr(&name);
    }
    if (text != NULL)
        sc->name = mem_strdup(text);
    buf_clear(&name);
    return sc->name == NULL ? -1 : 0;
}

/* Dead letters are called after their sink. */
static int name_dead_letters(const struct stage_list *sinks)
{
    for (size_t i = 0; i < sinks->count; i++) {
        struct buf name = {0};
        if (sinks->items[i].dead_letters.count == 0)
            continue;
        buf_fmt(&name, "%s.dead_letter", sinks->items[i].name);
        if (buf_cstr(&name) == NULL)
            buf_clear(&name);
        sinks->items[i].dead_letters.items[0].name = name.data;
        if (name.data == NULL)
            return -1;
    }
    return 0;
}

static int name_stages(const struct pipeline_config *p, struct config_report *report)
{
    size_t count =
        count_stages(&p->sources) + count_stages(&p->transforms) + count_stages(&p->sinks);
    struct walk w = {mem_zalloc(count + 1, sizeof(struct stage_config *)), 0};
    if (w.all == NULL)
        return -1;
    collect(&w, &p->sources);
    collect(&w, &p->transforms);
    collect(&w, &p->sinks);
    check_names(&w, report);
    int rc = 0;
    for (size_t i = 0; i < w.count && rc == 0; i++) {
        if (w.all[i]->name == NULL)
            rc = give_name(&w, w.all[i]);
    }
    mem_free(w.all);
    return rc == 0 ? name_dead_letters(&p->sinks) : rc;
}

/* The tree goes when loading is done. */
static void forget_places(struct stage_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].at = NULL;
        forget_places(&list->items[i].transforms);
        forget_places(&list->items[i].dead_letters);
    }
}

int pipeline_config_read(struct pipeline_config *p, const struct node *node,
                  const struct stage *const *table, struct config_report *report)
{
    struct options_part part = {pipeline_config_options, p};
    if (node->type != NODE_OBJECT) {
        report_node(report, node, "expected an object with \"sources\" and \"sinks\"");
        return 0;
    }
    if (options_read(node, &part, 1, report) < 0 || options_check_known(node, &part, 1, report) < 0)
        return -1;
    if (read_stages(node, "sources", STAGE_SOURCE, table, &p->sources, report) < 0 ||
        read_stages(node, "transforms", STAGE_TRANSFORM, table, &p->transforms, report) < 0 ||
        read_stages(node, "sinks", STAGE_SINK, table, &p->sinks, report) < 0 ||
        name_stages(p, report) < 0)
        return -1;
    payload_check(p, report);
    return 0;
}

void pipeline_config_forget(struct pipeline_config *p)
{
    p->at = NULL;
    forget_places(&p->sources);
    forget_places(&p->transforms);
    forget_places(&p->sinks);
}

void pipeline_config_free(struct pipeline_config *p)
{
    read_free_stages(&p->sources, STAGE_SOURCE);
    read_free_stages(&p->transforms, STAGE_TRANSFORM);
    read_free_stages(&p->sinks, STAGE_SINK);
    mem_free(p->name);
}
