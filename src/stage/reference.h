/*
 * reference: the whole configuration reference in Markdown, which is docs/reference.md.
 */
#ifndef WEIR_STAGE_REFERENCE_H
#define WEIR_STAGE_REFERENCE_H

#include "stage/stage.h"

struct buf;

void reference_markdown(const struct stage *const *table, struct buf *out);

#endif
