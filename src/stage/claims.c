#include "stage/claims.h"

#include <string.h>

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

int claims_check(const struct config *config, struct config_report *report)
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
