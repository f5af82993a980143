/*
 * progress: one line on a terminal that says how far a job is.
 */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    double started; /* loop_now */
    bool shown;
};

void progress_start(struct progress *p);

/* ${done} of ${expected} bytes (0: nobody knows how many) and ${records} so far: draw the line anew on stderr. */
void progress_show(struct progress *p, uint64_t done, uint64_t expected, uint64_t records);

/* Leave the line as it is and begin a new one. */
void progress_end(struct progress *p);

#endif
