/* Comparing pipelines, for a reload: see config.h. */
#include <string.h>

#include "config/options.h"
#include "record/expr.h"
#include "stage/config.h"
#include "stage/stages.h"

static bool same_list(const struct stage_list *a, const struct stage_list *b);

static bool same_stage(const struct stage_config *a, const struct stage_config *b)
{
    return a->type == b->type && options_same(stages_common(a->type->kind), a, b) &&
           options_same(a->type->options, a->settings, b->settings) &&
           same_list(&a->transforms, &b->transforms) && same_list(&a->dead_letters, &b->dead_letters);
}

static bool same_list(const struct stage_list *a, const struct stage_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_stage(&a->items[i], &b->items[i]))
            return false;
    return true;
}

bool pipeline_config_same(const struct pipeline_config *a, const struct pipeline_config *b)
{
    return strcmp(a->name, b->name) == 0 && same_list(&a->sources, &b->sources) &&
           same_list(&a->transforms, &b->transforms) && same_list(&a->sinks, &b->sinks);
}
