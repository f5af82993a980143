/*
 * stages: the one table of all stages, and what every stage takes besides its own options.
 *
 * Tables of stages end with NULL. Functions take the table, so that tests can bring their own.
 */
#ifndef WEIR_STAGE_STAGES_H
#define WEIR_STAGE_STAGES_H

#include "stage/stage.h"

/* All stages that are built in, sources first, then transforms, then sinks. */
extern const struct stage *const stages[];

/* The stage of ${kind} called ${type}, or NULL. */
const struct stage *stages_find(const struct stage *const *table, enum stage_kind kind,
                                const char *type);

/* Is ${type} one that a later version will have? For a better message than "unknown". */
bool stages_planned(enum stage_kind kind, const char *type);

/* "source", "transform", "sink"; "records", "bytes", "records or bytes", "nothing". */
const char *stages_kind_name(enum stage_kind kind);
const char *stages_payload_name(enum payload payload);

/* type, name, queue: a table for struct stage_config (stage/config.h). */
const struct option *stages_common(enum stage_kind kind);

/* What a dead_letter takes besides the options of its type: as above. */
extern const struct option stages_dead_letter[];

#endif
