#include "agent/tally.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/pipeline.h"
#include "base/log.h"
#include "stage/config.h"

/* "12.3 MiB" */
static const char *in_units(char out[32], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    unsigned u = 0;
    for (; n >= 1024 && u < 4; u++)
        n /= 1024;
    snprintf(out, 32, "%.*f %s", u > 0 ? 1 : 0, n, units[u]);
    return out;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* What one stage did, if that is more than to pass on. */
static void tell(const struct element *el)
{
    const struct stage_stats *s = &el->stats;
    char bytes[32];
    if (el->config->type->kind == STAGE_SINK)
        log_info(el->scope, "%" PRIu64 " record%s delivered, %s", s->records_out, plural(s->records_out), in_units(bytes, s->bytes_out));
    for (int i = 0; i < STAGE_REASONS && s->dropped[i].reason != NULL; i++)
        log_info(el->scope, "%" PRIu64 " record%s dropped (%s)", s->dropped[i].records, plural(s->dropped[i].records),
                 s->dropped[i].reason);
    if (s->merged > 0)
        log_info(el->scope, "%" PRIu64 " record%s became part of others", s->merged, plural(s->merged));
    if (s->truncated > 0)
        log_warn(el->scope, "%" PRIu64 " record%s cut at a length bound", s->truncated, plural(s->truncated));
    if (s->errors > 0)
        log_warn(el->scope, "%" PRIu64 " error%s, told above or passed on as configured", s->errors, plural(s->errors));
    if (s->incomplete > 0)
        log_warn(el->scope, "%" PRIu64 " file%s could not be read to %s end", s->incomplete, plural(s->incomplete),
                 s->incomplete == 1 ? "its" : "their");
}

bool tally(struct pipeline *p)
{
    struct stage_stats sum = {0};
    char bytes[32], files[48] = "";
    for (size_t i = 0; i < pipeline_size(p); i++) {
        const struct element *el = pipeline_element(p, i);
        if (el->config == NULL || el->config->type->kind != STAGE_SOURCE)
            continue;
        sum.files += el->stats.files;
        sum.records_out += el->stats.records_out;
        sum.bytes_out += el->stats.bytes_out;
        sum.incomplete += el->stats.incomplete;
    }
    if (sum.files > 0)
        snprintf(files, sizeof files, "%" PRIu64 " file%s, ", sum.files, plural(sum.files));
    log_info(pipeline_configured(p)->name, "read %s%" PRIu64 " record%s, %s", files, sum.records_out, plural(sum.records_out),
             in_units(bytes, sum.bytes_out));
    for (size_t i = 0; i < pipeline_size(p); i++)
        if (pipeline_element(p, i)->config != NULL)
            tell(pipeline_element(p, i));
    return sum.incomplete == 0;
}
