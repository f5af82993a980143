#include "config/options.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/document.h"
#include "config/report.h"
#include "config/setting.h"

const struct option *options_find(const struct option *table, const char *key)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        if (strcmp(o->key, key) == 0)
            return o;
    }
    return NULL;
}

static void *slot_of(void *settings, const struct option *o)
{
    return (char *)settings + o->offset;
}

/* A default is a small document of its own; that it is a good one is the table's duty. */
static int read_default(const struct option *o, void *slot)
{
    struct config_report report = {0};
    struct document *doc = document_new(o->key, o->fallback, strlen(o->fallback), 0);
    int rc = doc == NULL ? -1 : document_read(doc, &report);
    if (rc == 0 && doc->root != NULL)
        rc = setting_read(o, doc->root, slot, &report);
    if (report.failed)
        rc = -1;
    assert(report.count == 0);
    report_clear(&report);
    document_free(&doc);
    return rc;
}

int options_defaults(const struct option *table, void *settings)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++) {
        int rc = 0;
        if (o->type == OPTION_OBJECT)
            rc = options_defaults(o->fields, slot_of(settings, o));
        else if (o->fallback != NULL)
            rc = read_default(o, slot_of(settings, o));
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int read_part(const struct node *object, const struct options_part *part,
                     struct config_report *report)
{
    for (const struct option *o = part->table; o != NULL && o->key != NULL; o++) {
        const struct node *value = node_member(object, o->key);
        if (value == NULL && o->required)
            report_missing(report, object, o->key, "required option missing");
        if (value != NULL && o->given != 0)
            *((bool *)part->settings + o->given) = true;
        if (value != NULL && setting_read(o, value, slot_of(part->settings, o), report) < 0)
            return -1;
    }
    return 0;
}

/* Is ${member} known to one of the ${parts}? Says what it may have been meant to be, if not. */
static int check_member(const struct node *member, const struct options_part *parts, size_t count,
                        struct config_report *report)
{
    struct nearest near = nearest_to(member->key);
    for (size_t i = 0; i < count; i++) {
        if (options_find(parts[i].table, member->key) != NULL)
            return 0;
        for (const struct option *o = parts[i].table; o != NULL && o->key != NULL; o++) {
            if (o->type != OPTION_ABSENT)
                nearest_try(&near, o->key);
        }
    }
    struct buf hint = {0};
    nearest_add(&near, &hint);
    const char *text = buf_cstr(&hint);
    if (text != NULL)
        report_name(report, member, "unknown option%s", text);
    buf_clear(&hint);
    return text == NULL ? -1 : 0;
}

int options_read(const struct node *object, const struct options_part *parts, size_t count,
                 struct config_report *report)
{
    for (size_t i = 0; i < count; i++) {
        if (read_part(object, &parts[i], report) < 0)
            return -1;
    }
    return 0;
}

int options_check_known(const struct node *object, const struct options_part *parts, size_t count,
                        struct config_report *report)
{
    for (const struct node *n = object->first; n != NULL; n = n->next) {
        if (check_member(n, parts, count, report) < 0)
            return -1;
    }
    return 0;
}

void options_free(const struct option *table, void *settings)
{
    for (const struct option *o = table; o != NULL && o->key != NULL; o++)
        setting_free(o, slot_of(settings, o));
}
