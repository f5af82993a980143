/*
 * behaviours: the sixty that a stream module with Node's semantics must show. The names are those
 * of Node's tests.
 */
#ifndef WEIR_TESTS_STREAM_BEHAVIOURS_H
#define WEIR_TESTS_STREAM_BEHAVIOURS_H

#include "world.h"

struct behaviour {
    int number;
    const char *name;
    void (*play)(struct world *w);
};

/* Each ends with an entry without play. */
extern const struct behaviour readable_behaviours[], destroy_behaviours[], writable_behaviours[],
    flow_behaviours[];

#endif
