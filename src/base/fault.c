#include "base/fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Process wide like the environment it comes from; set once. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *wanted; /* NULL: none */
static unsigned long pass;
static atomic_ulong passed;

static void look(void)
{
    const char *text = getenv("WEIR_FAULT");
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    if (colon == NULL)
        return;
    wanted = text;
    pass = strtoul(colon + 1, NULL, 10);
}

bool fault_hit(const char *what, const char *step)
{
    pthread_once(&once, look);
    size_t n = strlen(what), m = strlen(step);
    if (wanted == NULL || strncmp(wanted, what, n) != 0 || wanted[n] != '.' ||
        strncmp(wanted + n + 1, step, m) != 0 || wanted[n + 1 + m] != ':')
        return false;
    return atomic_fetch_add(&passed, 1) + 1 == pass;
}

void fault_end(void)
{
    _exit(FAULT_STATUS);
}

void fault_point(const char *what, const char *step)
{
    if (fault_hit(what, step))
        fault_end();
}
