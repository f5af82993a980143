#include "agent/leftover.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "delivery/spool_dir.h"
#include "stage/config.h"

struct looking {
    const struct config *config;
    const char *data_dir;
};

static bool is_read(const struct looking *l, const char *path)
{
    bool found = false;
    for (size_t i = 0; i < l->config->pipeline_count && !found; i++) {
        const struct pipeline_config *p = &l->config->pipelines[i];
        for (size_t k = 0; k < p->sinks.count && !found; k++) {
            if (p->sinks.items[k].queue.type != QUEUE_DISK)
                continue;
            char *own = spool_dir_path(l->data_dir, p->name, p->sinks.items[k].name);
            found = own == NULL || strcmp(own, path) == 0; /* no memory: rather no warning than a false one */
            mem_free(own);
        }
    }
    return found;
}

static void look(void *arg, const char *path, const char *pipeline, const char *sink, uint64_t bytes)
{
    const struct looking *l = arg;
    if (is_read(l, path))
        return;
    log_warn(NULL, "%" PRIu64 " bytes in %s wait for the sink \"%s\" of the pipeline \"%s\", which has no queue on disk (any more): "
                   "they stay there until it has one, or somebody deletes them",
             bytes, path, sink, pipeline);
}

void leftover_warn(const struct config *config, const char *data_dir)
{
    struct looking l = {config, data_dir};
    if (data_dir != NULL)
        spool_dir_each(data_dir, look, &l);
}
