/*
 * sensitive_token: SENSITIVE_BEARER. Private to sensitive.c.
 */
#ifndef WEIR_TRANSFORM_SENSITIVE_TOKEN_H
#define WEIR_TRANSFORM_SENSITIVE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* As sensitive_find. */
bool sensitive_token_find(const char *s, size_t len, size_t from, size_t *start, size_t *end);

#endif
