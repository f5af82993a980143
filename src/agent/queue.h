/*
 * queue: a bound in front of a stage that drops instead of blocking.
 *
 * A Duplex that takes every chunk at once and hands them on when asked. When more than `max_bytes` would wait, either the
 * new chunk is dropped or the oldest ones are, whole chunks at a time. Dropped records are counted with the stage behind, under the
 * reason "queue full", and logged, at most every ten seconds. They count as delivered: they were given up on purpose.
 */
#ifndef WEIR_AGENT_QUEUE_H
#define WEIR_AGENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct stage_env;
struct stream;

/* ${env} is that of the stage behind. NULL and ${e} on failure. */
struct stream *queue_new(struct stage_env *env, uint64_t max_bytes, bool drop_oldest, struct err *e);

#endif
