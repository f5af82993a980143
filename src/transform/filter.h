/*
 * filter: its settings, for a sink's `where`, which is a filter too.
 */
#ifndef WEIR_TRANSFORM_FILTER_H
#define WEIR_TRANSFORM_FILTER_H

#include "stage/stage.h"

struct filter_settings {
    struct expr *where;
};

extern const struct stage stage_filter;

#endif
