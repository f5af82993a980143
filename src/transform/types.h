/*
 * types: texts that stages cut out of a line, as what the configuration says they are.
 */
#ifndef WEIR_TRANSFORM_TYPES_H
#define WEIR_TRANSFORM_TYPES_H

#include <stddef.h>

#include "config/option.h"
#include "record/value.h"

struct config_report;

enum text_type { TEXT_STRING, TEXT_INT, TEXT_FLOAT, TEXT_BOOL };

/* Words for the manual, to follow "What … are, by name: ". */
#define TYPES_WORDS "string, int, float or bool. A text that does not read so stays a string."

/* The type that ${types} gives ${name} (string when it gives none). */
enum text_type types_find(const struct string_map *types, const char *name, size_t len);

/* ${s} as ${type}; it is not copied. A number keeps its spelling; what does not read so stays a string. */
struct value types_convert(const char *s, size_t len, enum text_type type);

/* For check hooks: the words in the option `types` must be types. */
void types_check(const struct string_map *types, struct config_report *report);

#endif
