/*
 * read: one stage, and lists of stages, from the configuration's tree.
 *
 * For config.c and pipeline.c alone. Functions return -1 when there is no memory; what is wrong goes to the report. A list has one
 * item for each element that was written, also for one that is wrong: then its type or its settings may be
 * NULL.
 */
#ifndef WEIR_STAGE_READ_H
#define WEIR_STAGE_READ_H

#include "config/node.h"
#include "config/report.h"
#include "stage/config.h"

/* Read the member ${key} of ${object}, an array of stages of ${kind} from ${table}; a sink's own transforms with it. */
int read_stages(const struct node *object, const char *key, enum stage_kind kind,
                const struct stage *const *table, struct stage_list *list,
                struct config_report *report);

/* Is ${name} one that logs, paths and metric labels can carry? */
bool read_name_ok(const char *name);

void read_free_stages(struct stage_list *list, enum stage_kind kind);

#endif
