/*
 * mem: the heap, with a switch that makes allocations fail.
 *
 * Every allocation of weir goes through here. A failed one returns NULL and is handled: the caller reports
 * ERR_NOMEM and nothing is lost. Tests use mem_fail_at to prove that, for each allocation in turn, and
 * mem_live to prove that nothing stays behind. Safe from any thread.
 */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Once, at start: let the heap keep a few MiB that are free. As it comes, glibc gives the kernel back what one chunk
 * held (128 KiB are enough for that) and faults it in again for the next. */
void mem_tune(void);

/* ${size} bytes, not initialised; NULL when there is no memory. Free with mem_free. */
void *mem_alloc(size_t size) __attribute__((malloc, warn_unused_result));

/* ${count} * ${size} bytes of zero; NULL when there is no memory or the product overflows. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* Resize ${p} (may be NULL) to ${size} > 0 bytes. On failure NULL, and ${p} stays valid. */
void *mem_realloc(void *p, size_t size) __attribute__((warn_unused_result));

/* A copy of the string ${s}, or of the first ${n} bytes at ${s} with a NUL behind them. */
char *mem_strdup(const char *s) __attribute__((malloc, warn_unused_result));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, warn_unused_result));

/* Give ${p} back; NULL is allowed. */
void mem_free(void *p);

/* For tests: how many allocations have not been freed. */
size_t mem_live(void);

/* For tests: let the ${nth} allocation from now (1 is the next) fail, once; 0 switches it off. */
void mem_fail_at(unsigned long nth);

/* For tests: has the failure that mem_fail_at ordered happened? */
bool mem_failed(void);

#endif
