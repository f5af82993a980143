/*
 * claims: what several stages of a configuration lay claim to and only one can have.
 */
#ifndef WEIR_STAGE_CLAIMS_H
#define WEIR_STAGE_CLAIMS_H

struct config;
struct config_report;

/* While the stages of ${config} still know where they are written: two sources that read one thing (standard input, an address); two sinks that write to
 * one file; a source that reads what a sink of its own pipeline writes. Files are compared as they are written: nothing is opened. -1: no memory. */
int claims_check(const struct config *config, struct config_report *report);

#endif
