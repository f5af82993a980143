/*
 * substitute: ${…} in string values.
 *
 *   ${NAME}             the environment variable NAME; unset is an error
 *   ${NAME:-default}    the same; default when NAME is unset or empty, as in the shell
 *   ${file:/path}       the content of a file of at most 64 KiB, without the newline at its end
 *   $${                 a literal ${
 * NAME is made of letters, digits and _ and starts with no digit. What was put in is never looked at again. It must
 * be UTF-8 without NUL, as everything in a configuration.
 */
#ifndef WEIR_CONFIG_SUBSTITUTE_H
#define WEIR_CONFIG_SUBSTITUTE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;

struct substituted {
    bool any;    /* something was replaced, if only $${ */
    bool secret; /* from a file, or from a variable whose name speaks of a password, secret, token, key or credential */
};

/* Append ${text} of ${len} bytes with everything replaced to ${out}. -1: ${e} says why and *${where} is the offset of the
 * faulty ${…} in ${text}; an allocation that failed shows in out->failed. */
int substitute(const char *text, size_t len, struct buf *out, struct substituted *what,
               size_t *where, struct err *e);

#endif
