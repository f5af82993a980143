/*
 * setting: one option's value, from JSON to C.
 *
 * What C type stands at a slot is the option type's to say (option.h). What is wrong goes to the report and leaves the
 * slot as it was.
 */
#ifndef WEIR_CONFIG_SETTING_H
#define WEIR_CONFIG_SETTING_H

#include "config/option.h"

struct buf;
struct config_report;
struct node;

/* Read ${node} into ${slot}; what stood there is released. -1: no memory. */
int setting_read(const struct option *option, const struct node *node, void *slot,
                 struct config_report *report);

/* Release what ${slot} holds; the slot itself is not cleared. */
void setting_free(const struct option *option, void *slot);

/* Append "1 to 9" or "at least 1KiB". False: there are no bounds, nothing was appended. */
bool setting_add_bounds(const struct option *option, struct buf *out);

#endif
