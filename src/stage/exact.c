#include "stage/exact.h"

#include <stddef.h>

#include "config/report.h"
#include "stage/config.h"
#include "stage/stage.h"

static bool is_exact(const struct stage_config *sink)
{
    return sink->type != NULL && sink->settings != NULL && sink->type->exact != NULL && sink->type->exact(sink->settings);
}

bool exact_is(const struct pipeline_config *p)
{
    for (size_t i = 0; i < p->sinks.count; i++)
        if (is_exact(&p->sinks.items[i]))
            return true;
    return false;
}

/* What was written and is cut off has to be read again. */
static void check_sources(const struct stage_list *sources, struct config_report *report)
{
    for (size_t i = 0; i < sources->count; i++) {
        const struct stage_config *source = &sources->items[i];
        if (source->type == NULL || source->settings == NULL)
            continue;
        const char *key = source->type->replays != NULL ? source->type->replays(source->settings) : NULL;
        if (key == NULL)
            report_key(report, "delivery", "\"exactly_once\" needs sources that can be read again, and \"%s\" cannot", source->name);
        else if (key[0] != '\0')
            report_key(report, "delivery", "\"exactly_once\" needs sources that can be read again, and \"%s\" of \"%s\" prevents it", key,
                       source->name);
    }
}

/* What is cut off is a number of records at the end, so they must come in the order of their sources. */
static void check_order(const struct stage_list *transforms, struct config_report *report)
{
    for (size_t i = 0; i < transforms->count; i++) {
        const struct stage_config *t = &transforms->items[i];
        if (t->type == NULL || t->settings == NULL || t->type->reorders == NULL)
            continue;
        const char *key = t->type->reorders(t->settings);
        if (key != NULL)
            report_key(report, "delivery", "\"exactly_once\" needs records in their order, and \"%s\" of \"%s\" lets some pass others", key, t->name);
    }
}

static void check_sink(const struct config *config, const struct pipeline_config *p, const struct stage_config *sink,
                       struct config_report *report)
{
    if (sink->dead_letters.count > 0 && is_exact(&sink->dead_letters.items[0])) {
        report->at = sink->dead_letters.items[0].at;
        report_key(report, "delivery", "dead letters are written at least once");
    }
    if (!is_exact(sink))
        return;
    report->at = sink->at;
    if (config->data_dir == NULL)
        report_key(report, "delivery", "\"exactly_once\" needs a \"data_dir\", for its checkpoint");
    if (sink->queue.type == QUEUE_DISK)
        report_key(report, "delivery", "\"exactly_once\" cannot have a queue on disk in front of it, whose records the checkpoint does not know");
    check_sources(&p->sources, report);
    for (size_t i = 0; i < p->sources.count; i++)
        check_order(&p->sources.items[i].transforms, report);
    check_order(&p->transforms, report);
    check_order(&sink->transforms, report);
}

void exact_check(const struct config *config, struct config_report *report)
{
    for (size_t i = 0; i < config->pipeline_count; i++)
        for (size_t k = 0; k < config->pipelines[i].sinks.count; k++)
            check_sink(config, &config->pipelines[i], &config->pipelines[i].sinks.items[k], report);
}
