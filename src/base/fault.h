/*
 * fault: places where a test lets the process end as if it had crashed there.
 *
 * Each step that makes something durable has a point before and behind it. With WEIR_FAULT=WHAT.STEP:N in the environment the process
 * ends at the Nth pass of that point, at once and with status FAULT_STATUS; nothing is flushed or tidied up. The points
 * are in every build: they are few and stand next to calls of fsync, so what is tested is what is shipped.
 * Safe from any thread.
 */
#ifndef WEIR_BASE_FAULT_H
#define WEIR_BASE_FAULT_H

#include <stdbool.h>

#define FAULT_STATUS 86

/* The point ${what}.${step}. */
void fault_point(const char *what, const char *step);

/* Is this the pass of ${what}.${step} that was asked for? For a fault in the middle of a step: then fault_end. */
bool fault_hit(const char *what, const char *step);
void fault_end(void) __attribute__((noreturn));

#endif
