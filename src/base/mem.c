#include "base/mem.h"

#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_FREE  (4 << 20) /* bytes at the end of the heap that stay with the process */
#define MAP_BEYOND (1 << 20) /* an allocation so large gets pages of its own */

static atomic_size_t live;
static atomic_ulong countdown; /* 0: off */
static atomic_bool failed;

void mem_tune(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    mallopt(M_MMAP_THRESHOLD, MAP_BEYOND);
#endif
}

static bool must_fail(void)
{
    if (atomic_load_explicit(&countdown, memory_order_relaxed) == 0)
        return false;
    if (atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed) != 1)
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *counted(void *p)
{
    if (p != NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

void *mem_alloc(size_t size)
{
    return must_fail() ? NULL : counted(malloc(size != 0 ? size : 1));
}

void *mem_zalloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(calloc(count != 0 ? count : 1, size != 0 ? size : 1));
}

void *mem_realloc(void *p, size_t size)
{
    if (p == NULL)
        return mem_alloc(size);
    return must_fail() ? NULL : realloc(p, size != 0 ? size : 1);
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void mem_free(void *p)
{
    if (p == NULL)
        return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(p);
}

size_t mem_live(void)
{
    return atomic_load(&live);
}

void mem_fail_at(unsigned long nth)
{
    atomic_store(&failed, false);
    atomic_store(&countdown, nth);
}

bool mem_failed(void)
{
    return atomic_load(&failed);
}
