/*
 * manual: what the tables say, for people.
 */
#ifndef WEIR_STAGE_MANUAL_H
#define WEIR_STAGE_MANUAL_H

#include "stage/stage.h"

struct buf;

/* One line a stage, under a heading for each kind. */
void manual_list(const struct stage *const *table, struct buf *out);

/* "source/tail", one a line: for completion. */
void manual_names(const struct stage *const *table, struct buf *out);

/* The manual page of ${stage} as text of at most 80 columns. */
void manual_stage(const struct stage *stage, struct buf *out);

/* What goes in and out, as one sentence. */
void manual_payload(const struct stage *stage, struct buf *out);

/* Append a record of a stage's cases as a person can read it: other bytes than printable ASCII as \xNN, a long one cut; NULL: dropped. */
void manual_line(const char *line, struct buf *out);

#endif
