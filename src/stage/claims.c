#include "stage/claims.h"

#include <string.h>

#include "base/buf.h"
#include "config/report.h"
#include "stage/config.h"

/* Two sources that read standard input would each get an arbitrary part of it. */
static void check_stdin(const struct config *c, struct config_report *report)
{
    const struct pipeline_config *owner = NULL;
    for (size_t i = 0; i < c->pipeline_count; i++) {
        const struct pipeline_config *p = &c->pipelines[i];
        for (size_t k = 0; k < p->sources.count; k++) {
            const struct stage_config *source = &p->sources.items[k];
            if (source->type == NULL || strcmp(source->type->type, "stdin") != 0)
                continue;
            if (owner != NULL)
                report_node(report, source->at, "standard input has a reader already, in pipeline \"%s\"", owner->name);
            else
                owner = p;
        }
    }
}

/* The file that ${sink} alone may write to; NULL: there is none. Devices take what everybody writes. */
static const char *output_of(const struct stage_config *sink, bool *numbered)
{
    const struct stage *type = sink->type;
    const char *path = type != NULL && type->output != NULL ? type->output(sink->settings, numbered) : NULL;
    return path != NULL && strncmp(path, "/dev/", 5) != 0 ? path : NULL;
}

/* Behind slashes, and components that are a dot, at ${path}. */
static const char *skip_nothing(const char *path)
{
    while (*path == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0')))
        path++;
    return path;
}

/* /a//b/./c is /a/b/c. */
static bool same_path(const char *a, const char *b)
{
    if ((*a == '/') != (*b == '/'))
        return false;
    for (;;) {
        a = skip_nothing(a);
        b = skip_nothing(b);
        size_t n = strcspn(a, "/");
        if (n != strcspn(b, "/") || memcmp(a, b, n) != 0)
            return false;
        if (n == 0)
            return true;
        a += n;
        b += n;
    }
}

/* Who writes to ${path} before sink ${limit} of pipeline ${last}? */
static const struct pipeline_config *writer_before(const struct config *c, const char *path, size_t last, size_t limit)
{
    bool numbered;
    for (size_t i = 0; i <= last; i++) {
        const struct pipeline_config *p = &c->pipelines[i];
        for (size_t k = 0; k < p->sinks.count && (i < last || k < limit); k++) {
            const char *other = output_of(&p->sinks.items[k], &numbered);
            if (other != NULL && same_path(other, path))
                return p;
        }
    }
    return NULL;
}

static void check_outputs(const struct config *c, struct config_report *report)
{
    bool numbered;
    for (size_t i = 0; i < c->pipeline_count; i++) {
        const struct pipeline_config *p = &c->pipelines[i];
        for (size_t k = 0; k < p->sinks.count; k++) {
            const char *path = output_of(&p->sinks.items[k], &numbered);
            const struct pipeline_config *owner = path != NULL ? writer_before(c, path, i, k) : NULL;
            if (owner == NULL)
                continue;
            report->at = p->sinks.items[k].at;
            report_key(report, "path", "two sinks write to \"%s\": the other one is in pipeline \"%s\"", path, owner->name);
        }
    }
}

/* Does ${source} find ${path}, or what it is called when it was rotated? */
static bool finds(const struct stage_config *source, const char *path, bool numbered)
{
    if (source->type == NULL || source->type->reads == NULL)
        return false;
    if (source->type->reads(source->settings, path))
        return true;
    struct buf rotated = {0};
    buf_fmt(&rotated, "%s.1", path);
    bool found = numbered && buf_cstr(&rotated) != NULL && source->type->reads(source->settings, rotated.data);
    buf_clear(&rotated);
    return found;
}

/* A pipeline that reads its own output never ends. */
static void check_loops(const struct pipeline_config *p, struct config_report *report)
{
    bool numbered = false;
    for (size_t k = 0; k < p->sinks.count; k++) {
        const char *path = output_of(&p->sinks.items[k], &numbered);
        for (size_t i = 0; path != NULL && i < p->sources.count; i++) {
            if (!finds(&p->sources.items[i], path, numbered))
                continue;
            report->at = p->sinks.items[k].at;
            report_key(report, "path", "\"%s\" of this pipeline would read this file%s again: write elsewhere, or exclude it there",
                       p->sources.items[i].name, numbered ? ", or what it is rotated to," : "");
        }
    }
}

void claims_check(const struct config *c, struct config_report *report)
{
    check_stdin(c, report);
    check_outputs(c, report);
    for (size_t i = 0; i < c->pipeline_count; i++)
        check_loops(&c->pipelines[i], report);
}
