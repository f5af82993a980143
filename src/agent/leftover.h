/*
 * leftover: queues on disk whose sink is gone.
 *
 * A sink that was renamed, removed, or has no queue on disk any more leaves what waited for it behind. Nothing is deleted: it is told.
 */
#ifndef WEIR_AGENT_LEFTOVER_H
#define WEIR_AGENT_LEFTOVER_H

struct config;

/* Warn of each queue in ${data_dir} (NULL: none) that has something in it and that no sink of ${config} reads. */
void leftover_warn(const struct config *config, const char *data_dir);

#endif
