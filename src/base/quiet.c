#include "base/quiet.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/loop.h"

#define SAID_MAX 10 /* messages a second */

bool quiet_may(struct quiet *q, uint64_t *before)
{
    double now = loop_now();
    if (now - q->since >= 1) {
        q->since = now;
        q->said = 0;
    }
    if (q->said == SAID_MAX) {
        q->held++;
        return false;
    }
    q->said++;
    *before = q->held;
    q->held = 0;
    return true;
}

void quiet_words(uint64_t before, char *out, size_t size)
{
    if (before > 0)
        snprintf(out, size, " (and %" PRIu64 " more like it before)", before);
    else if (size > 0)
        out[0] = '\0';
}
