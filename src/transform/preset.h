/*
 * preset: how stack traces of some languages go on from line to line.
 *
 * Each is a small machine of states; a line is compared with the rules of the state that the lines before led to. The rules are those that
 * exception detectors of the field use (google/fluent-plugin-detect-exceptions, Fluent Bit's multiline parsers), with what
 * newer releases of the languages print.
 */
#ifndef WEIR_TRANSFORM_PRESET_H
#define WEIR_TRANSFORM_PRESET_H

#include <stddef.h>
#include <stdint.h>

#include "stage/join.h"

enum preset { PRESET_JAVA = 1, PRESET_PYTHON = 2, PRESET_GO = 4, PRESET_NODE = 8 };

/* The preset called ${name}; 0: there is none. */
unsigned preset_find(const char *name);

/* What the line ${s} is to those before it, which led to *${state} (0: none): JOIN_BEGIN, JOIN_MORE or JOIN_ALONE. ${presets} are or-ed. */
enum join_verdict preset_judge(unsigned presets, const char *s, size_t len, uint32_t *state);

#endif
