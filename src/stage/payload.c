#include "stage/payload.h"

#include "config/report.h"
#include "stage/config.h"
#include "stage/stages.h"

/* What arrives somewhere and who gives it. PAYLOAD_ANY: not known. */
struct flow {
    enum payload payload;
    const char *giver;
};

static bool fits(enum payload wanted, enum payload given)
{
    return wanted == given || wanted == PAYLOAD_ANY || given == PAYLOAD_ANY;
}

/* ${in} through ${sc}. */
static struct flow through(const struct stage_config *sc, struct flow in,
                           struct config_report *report)
{
    const struct stage *type = sc->type;
    if (type == NULL)
        return (struct flow){PAYLOAD_ANY, NULL};
    if (!fits(type->in, in.payload))
        report_node(report, sc->at, "\"%s\" needs %s, but \"%s\" before it gives %s", type->type,
                    stages_payload_name(type->in), in.giver, stages_payload_name(in.payload));
    const char *key = in.payload == PAYLOAD_BYTES && type->needs_records != NULL ? type->needs_records(sc->settings) : NULL;
    if (key != NULL) {
        report->at = sc->at;
        report_key(report, key, "fields and metadata need records, but \"%s\" before it gives %s", in.giver,
                   stages_payload_name(in.payload));
    }
    enum payload out = type->out == PAYLOAD_ANY ? in.payload : type->out;
    return (struct flow){out, type->type};
}

static struct flow through_all(const struct stage_list *list, struct flow in,
                               struct config_report *report)
{
    for (size_t i = 0; i < list->count; i++)
        in = through(&list->items[i], in, report);
    return in;
}

/* Sources flow together into one chain: they must give the same. */
static struct flow from_sources(const struct stage_list *sources, struct config_report *report)
{
    struct flow all = {PAYLOAD_ANY, NULL};
    for (size_t i = 0; i < sources->count; i++) {
        const struct stage *type = sources->items[i].type;
        if (type == NULL)
            continue;
        if (!fits(all.payload, type->out))
            report_node(report, sources->items[i].at,
                        "\"%s\" gives %s, but \"%s\" beside it gives %s", type->type,
                        stages_payload_name(type->out), all.giver,
                        stages_payload_name(all.payload));
        else
            all = (struct flow){type->out, type->type};
    }
    return all;
}

static void into_sink(const struct stage_config *sink, struct flow in, struct config_report *report)
{
    if (sink->where != NULL && !fits(PAYLOAD_RECORDS, in.payload)) {
        report->at = sink->at;
        report_key(report, "where", "\"where\" needs records, but \"%s\" before it gives %s",
                   in.giver, stages_payload_name(in.payload));
    }
    through(sink, through_all(&sink->transforms, in, report), report);
}

void payload_check(const struct pipeline_config *p, struct config_report *report)
{
    struct flow out = through_all(&p->transforms, from_sources(&p->sources, report), report);
    for (size_t i = 0; i < p->sinks.count; i++)
        into_sink(&p->sinks.items[i], out, report);
}
