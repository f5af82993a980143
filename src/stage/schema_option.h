/*
 * schema_option: option tables as JSON Schema.
 *
 * Functions return a new reference, or NULL when there is no memory.
 */
#ifndef WEIR_STAGE_SCHEMA_OPTION_H
#define WEIR_STAGE_SCHEMA_OPTION_H

#include <jansson.h>

#include "config/option.h"

/* The schema of one option's value, with its words and default. */
json_t *schema_option(const struct option *o);

/* An object with the options of both tables (the second may be NULL) and nothing else. */
json_t *schema_object(const struct option *table, const struct option *more);

#endif
