/*
 * pipeline: one pipeline from the configuration's tree: its stages, their names, and whether what one gives is what the
 * next one takes.
 *
 * For config.c alone.
 */
#ifndef WEIR_STAGE_PIPELINE_CONFIG_H
#define WEIR_STAGE_PIPELINE_CONFIG_H

#include "stage/config.h"

/* sources, transforms, sinks: for schema and manual. */
extern const struct option pipeline_config_options[];

/* Read the value ${node} of a member of "pipelines" into the zeroed ${p}. -1: no memory. */
int pipeline_config_read(struct pipeline_config *p, const struct node *node,
                  const struct stage *const *table, struct config_report *report);

/* Clear what points into the tree, before that goes. */
void pipeline_config_forget(struct pipeline_config *p);

void pipeline_config_free(struct pipeline_config *p);

#endif
