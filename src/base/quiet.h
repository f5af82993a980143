/*
 * quiet: a bound on what strangers can make a stage write into the log.
 *
 * Ten messages of a kind each second; those above are counted, and the count goes with the next one that is let through.
 */
#ifndef WEIR_BASE_QUIET_H
#define WEIR_BASE_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero bytes are a fresh one. */
struct quiet {
    double since;  /* loop_now of the first message of this second */
    unsigned said; /* in it */
    uint64_t held; /* back since the last that was let through */
};

/* May something be said now? Then *${before} is how many messages were held back before it. */
bool quiet_may(struct quiet *q, uint64_t *before);

/* " (and N more like it before)" in ${out}, or "" when ${before} is 0. */
void quiet_words(uint64_t before, char *out, size_t size);

#endif
