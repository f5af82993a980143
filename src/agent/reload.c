#include <string.h>

#include "agent/agent_state.h"
#include "agent/leftover.h"
#include "base/log.h"
#include "stage/config.h"

static struct slot *find_slot(struct agent *a, const char *name)
{
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (strcmp(slot->name, name) == 0)
            return slot;
    }
    return NULL;
}

static bool is_under_way(const struct agent *a)
{
    LIST_EACH(node, &a->slots) {
        enum slot_state state = LIST_ENTRY(node, struct slot, node)->state;
        if (state == SLOT_RENEWING || state == SLOT_LEAVING)
            return true;
    }
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Go over to ${fresh}. A pipeline that says the same goes on as it is; one that is paused starts with the new one anyway. */
static void go_over(struct agent *a, struct generation *fresh)
{
    unsigned kept = 0, changed = 0, added = 0, removed = 0;
    struct generation *old = a->current;
    a->current = fresh;
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        const struct pipeline_config *config = agent_find_config(a, slot->name);
        if (slot->state == SLOT_OVER) {
            slot_free(slot);
        } else if (config == NULL) {
            removed++;
            slot_drain(slot, SLOT_LEAVING);
        } else if (slot->pipeline != NULL &&
                   pipeline_config_same(pipeline_configured(slot->pipeline), config)) {
            kept++;
            pipeline_set_memory(slot->pipeline, agent_memory_share(a));
        } else {
            changed++;
            slot_drain(slot, SLOT_RENEWING);
        }
    }
    const struct config *config = fresh->config;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        if (find_slot(a, config->pipelines[i].name) != NULL)
            continue;
        added++;
        if (slot_new(a, config->pipelines[i].name) != 0)
            log_error(config->pipelines[i].name, "not started: out of memory");
    }
    generation_unref(old);
    leftover_warn(config, a->data_dir);
    log_info(NULL, "reload: %u pipelines unchanged, %u changed, %u added, %u removed", kept, changed, added, removed);
}

/* SIGHUP is also what logrotate sends when it has moved the files that are written to; whatever becomes of the configuration. */
static void reopen(struct agent *a)
{
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->pipeline != NULL)
            pipeline_reopen(slot->pipeline);
    }
}

void reload(struct agent *a)
{
    if (a->stopping)
        return;
    reopen(a);
    if (a->options->reload == NULL)
        return;
    if (is_under_way(a)) {
        log_warn(NULL, "reload: the one before is still under way: following it");
        a->reload_again = true;
        return;
    }
    struct config *config = a->options->reload(a->options->arg);
    if (config == NULL) {
        log_error(NULL, "reload: the new configuration is invalid: the old one keeps running");
        return;
    }
    struct generation *fresh = generation_new(config);
    if (fresh == NULL) {
        config_free(&config);
        log_error(NULL, "reload: out of memory: the old configuration keeps running");
        return;
    }
    if (!same_text(config->data_dir, a->data_dir))
        log_warn(NULL, "reload: data_dir changes only when weir is started again");
    go_over(a, fresh);
    agent_end_if_over(a);
}

void reload_settled(struct agent *a)
{
    if (!a->reload_again || is_under_way(a))
        return;
    a->reload_again = false;
    reload(a);
}
