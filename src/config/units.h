/*
 * units: sizes and durations as the configuration writes them.
 *
 * A size is a number of bytes, or a number with B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of
 * 1024). A duration is a number of seconds, or a number with ms, s, m, h or d. Numbers are decimal and may have
 * a fraction ("1.5GiB"); no sign, no space.
 */
#ifndef WEIR_CONFIG_UNITS_H
#define WEIR_CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* False: ${text} is not a size, or does not fit 63 bits. */
bool units_size(const char *text, uint64_t *bytes);

/* False: ${text} is not a duration, or is longer than a hundred years. In seconds. */
bool units_duration(const char *text, double *seconds);

/* Append the shortest exact spelling: "64KiB", "1500"; "250ms", "5m". */
void units_add_size(struct buf *out, uint64_t bytes);
void units_add_duration(struct buf *out, uint64_t ms);

#endif
