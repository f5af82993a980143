/*
 * payload: does each stage take what its neighbour gives?
 */
#ifndef WEIR_STAGE_PAYLOAD_H
#define WEIR_STAGE_PAYLOAD_H

struct config_report;
struct pipeline_config;

/* Follow the data through ${p}, while its stages still know where they are written. Stages of unknown type fit
 * everywhere. */
void payload_check(const struct pipeline_config *p, struct config_report *report);

#endif
