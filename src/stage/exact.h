/*
 * exact: what a sink that is cut back to the checkpoint (delivery/cut.h) needs of its surroundings.
 */
#ifndef WEIR_STAGE_EXACT_H
#define WEIR_STAGE_EXACT_H

#include <stdbool.h>

struct config;
struct config_report;
struct pipeline_config;

/* Has ${p} such a sink? */
bool exact_is(const struct pipeline_config *p);

/* Report what such sinks cannot do with. */
void exact_check(const struct config *config, struct config_report *report);

#endif
