/*
 * schema: the JSON Schema (draft 2020-12) of one configuration file, for editors.
 *
 * Made from the option tables. It cannot say all that `weir check` says: expressions, neighbours and names
 * are not looked into. A string with ${…} fits wherever a string does.
 */
#ifndef WEIR_STAGE_SCHEMA_H
#define WEIR_STAGE_SCHEMA_H

#include "stage/stage.h"

struct buf;

/* Append the schema with the stages of ${table}. No memory: ${out} has failed. */
void schema_add(const struct stage *const *table, struct buf *out);

#endif
