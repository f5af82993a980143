/*
 * dry_sheet: the account of a record while it is being written.
 */
#ifndef WEIR_AGENT_DRY_SHEET_H
#define WEIR_AGENT_DRY_SHEET_H

#include "agent/dry_run.h"

struct dry_sheet {
    struct dry_account account;
    size_t steps_cap, outputs_cap;
};

/* A further step, a copy of ${step}, which owns its changes from now on. NULL: no memory. Valid until the next one. */
struct dry_step *dry_sheet_step(struct dry_sheet *sheet, const struct dry_step *step);

/* A further output, empty. NULL: no memory. Valid until the next one. */
struct dry_output *dry_sheet_output(struct dry_sheet *sheet, const char *sink);

/* Take steps and outputs out, for the next record. */
void dry_sheet_clear(struct dry_sheet *sheet);

/* Free everything. */
void dry_sheet_free(struct dry_sheet *sheet);

#endif
