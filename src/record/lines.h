/*
 * lines: cut text into records at '\n'.
 */
#ifndef WEIR_RECORD_LINES_H
#define WEIR_RECORD_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct batch;

/* Append a record for each whole line in the ${len} bytes at ${text} (part of the batch's slab). The terminator does not belong to
 * the record; with ${strip_cr} neither does a '\r' before it. An empty line is a record. *${used} is what the lines took,
 * terminators included: what follows is the start of a line. It stops before a line of more than ${longest} bytes without
 * terminator, whose length with terminator is put in *${too_long} (else 0). -1: no memory. */
int lines_add(struct batch *b, const char *text, size_t len, size_t longest, bool strip_cr,
              size_t *used, size_t *too_long);

/* Append all ${len} bytes as one record that has no terminator. -1: no memory. */
int lines_add_rest(struct batch *b, const char *text, size_t len, bool strip_cr);

#endif
