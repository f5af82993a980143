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

/* Append a record (or several, a line each) of a stage's cases as a person can read it: other bytes than printable ASCII as \xNN, a long one cut, rows
 * of ${width} bytes (0: of any length), those behind the first indented. NULL: dropped. */
void manual_record(const char *record, size_t width, struct buf *out);

#endif
