/*
 * dump: a jansson value as text in a buffer.
 */
#ifndef WEIR_CONFIG_DUMP_H
#define WEIR_CONFIG_DUMP_H

#include <jansson.h>

struct buf;

/* Append ${value} with jansson's ${flags}. NULL, or no memory: ${out} has failed. */
void dump_json(const json_t *value, size_t flags, struct buf *out);

#endif
