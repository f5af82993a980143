#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_clear(struct err *e)
{
    e->code = ERR_NONE;
    e->sys = 0;
    e->text[0] = '\0';
}

bool err_is(const struct err *e)
{
    return e != NULL && e->code != ERR_NONE;
}

static void fill(struct err *e, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void fill(struct err *e, int code, const char *fmt, va_list ap)
{
    e->code = code;
    e->sys = 0;
    vsnprintf(e->text, sizeof e->text, fmt, ap);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e == NULL || e->code != ERR_NONE)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
    if (e == NULL || e->code != ERR_NONE)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    fill(e, ERR_SYSTEM, fmt, ap);
    va_end(ap);
    e->sys = errnum;
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(errnum));
    return -1;
}

int err_nomem(struct err *e)
{
    return err_set(e, ERR_NOMEM, "out of memory");
}
