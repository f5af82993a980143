/*
 * claims: what can have one reader only (standard input, an address) has one in a configuration.
 */
#ifndef WEIR_STAGE_CLAIMS_H
#define WEIR_STAGE_CLAIMS_H

struct config;
struct config_report;

/* Report each source of ${config}, which is being loaded, that wants what an earlier one has. -1: no memory. */
int claims_check(const struct config *config, struct config_report *report);

#endif
