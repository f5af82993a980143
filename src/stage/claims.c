#include "stage/claims.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/report.h"
#include "stage/config.h"
#include "stage/stage.h"

#define CLAIM_MAX 192

struct claim {
    char what[CLAIM_MAX];
    const char *owner; /* the pipeline */
};

/* ${source} wants ${what}: does one of the ${count} before it have that? */
static bool is_taken(const struct claim *claims, size_t count, const char *what,
                     const struct stage_config *source, struct config_report *report)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(claims[i].what, what) != 0)
            continue;
        report->at = source->at;
        report_key(report, "", "%s has a reader already, in pipeline \"%s\"", what, claims[i].owner);
        return true;
    }
    return false;
}

/* What can have one reader only has one. -1: no memory. */
static int check_readers(const struct config *config, struct config_report *report)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < config->pipeline_count; i++)
        most += config->pipelines[i].sources.count;
    struct claim *claims = mem_zalloc(most + 1, sizeof *claims);
    if (claims == NULL)
        return -1;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct pipeline_config *p = &config->pipelines[i];
        for (size_t k = 0; k < p->sources.count; k++) {
            const struct stage_config *source = &p->sources.items[k];
            struct claim *c = &claims[count];
            if (source->type == NULL || source->type->claim == NULL || source->settings == NULL)
                continue;
            c->what[0] = '\0';
            source->type->claim(source->settings, c->what, sizeof c->what);
            c->owner = p->name;
            if (c->what[0] != '\0' && !is_taken(claims, count, c->what, source, report))
                count++;
        }
    }
    mem_free(claims);
    return 0;
}

/* The file that ${sink} (or NULL) alone may write to; NULL: there is none. Devices take what everybody writes. */
static const char *output_of(const struct stage_config *sink, bool *numbered)
{
    const struct stage *type = sink != NULL && sink->settings != NULL ? sink->type : NULL;
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

/* Output ${k} of ${p}: those of its sinks, then those of their dead letters; NULL: that sink has none. */
static const struct stage_config *output_at(const struct pipeline_config *p, size_t k)
{
    const struct stage_config *sink = &p->sinks.items[k % p->sinks.count];
    return k < p->sinks.count ? sink : sink->dead_letters.count > 0 ? &sink->dead_letters.items[0] : NULL;
}

/* Who writes to ${path} before output ${limit} of pipeline ${last}? */
static const struct pipeline_config *writer_before(const struct config *c, const char *path, size_t last, size_t limit)
{
    bool numbered;
    for (size_t i = 0; i <= last; i++) {
        const struct pipeline_config *p = &c->pipelines[i];
        for (size_t k = 0; k < 2 * p->sinks.count && (i < last || k < limit); k++) {
            const char *other = output_of(output_at(p, k), &numbered);
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
        for (size_t k = 0; k < 2 * p->sinks.count; k++) {
            const char *path = output_of(output_at(p, k), &numbered);
            const struct pipeline_config *owner = path != NULL ? writer_before(c, path, i, k) : NULL;
            if (owner == NULL)
                continue;
            report->at = output_at(p, k)->at;
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
    for (size_t k = 0; k < 2 * p->sinks.count; k++) {
        const char *path = output_of(output_at(p, k), &numbered);
        for (size_t i = 0; path != NULL && i < p->sources.count; i++) {
            if (!finds(&p->sources.items[i], path, numbered))
                continue;
            report->at = output_at(p, k)->at;
            report_key(report, "path", "\"%s\" of this pipeline would read this file%s again: write elsewhere, or exclude it there",
                       p->sources.items[i].name, numbered ? ", or what it is rotated to," : "");
        }
    }
}

int claims_check(const struct config *config, struct config_report *report)
{
    if (check_readers(config, report) != 0)
        return -1;
    check_outputs(config, report);
    for (size_t i = 0; i < config->pipeline_count; i++)
        check_loops(&config->pipelines[i], report);
    return 0;
}
