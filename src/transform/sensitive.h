/*
 * sensitive: finds what should not be in a log: addresses, card numbers, tokens.
 *
 * Each kind is searched for by the byte that it cannot be without (an @, a dot, a colon), and then looked at in both directions. Text is any bytes;
 * nothing is allocated; the time is linear in the text.
 */
#ifndef WEIR_TRANSFORM_SENSITIVE_H
#define WEIR_TRANSFORM_SENSITIVE_H

#include <stdbool.h>
#include <stddef.h>

enum sensitive_kind {
    SENSITIVE_EMAIL,  /* local@domain.tld */
    SENSITIVE_IPV4,   /* four numbers to 255, not part of a longer row of numbers */
    SENSITIVE_IPV6,   /* as RFC 4291 writes them */
    SENSITIVE_CARD,   /* 13 to 19 digits that begin with 2 to 6, in one or in groups as on a card, whose check digit (Luhn) is right */
    SENSITIVE_BEARER, /* the credentials behind Bearer and Basic, what a key such as token= or "password": is given, JSON web tokens */
    SENSITIVE_KINDS
};

/* "email", "ipv4", "ipv6", "card", "bearer", NULL. */
extern const char *const sensitive_names[SENSITIVE_KINDS + 1];

/* The first one that begins at byte ${from} of ${s} or later: [*${start}, *${end}). False: there is none. */
bool sensitive_find(enum sensitive_kind kind, const char *s, size_t len, size_t from, size_t *start, size_t *end);

#endif
