/*
 * tls_marks: which position of the plaintext belongs to which of the ciphertext.
 *
 * A mark says: when the peer has that much ciphertext, it has that much plaintext. The number of marks is fixed. When there is no room for
 * another, every second one goes: that is safe, because what a missing mark would have shown is shown by the next one, only later.
 */
#ifndef WEIR_NET_TLS_MARKS_H
#define WEIR_NET_TLS_MARKS_H

#include <stdint.h>

#define TLS_MARKS 512

struct tls_mark {
    uint64_t plain, cipher;
};

struct tls_marks {
    unsigned first, count; /* a ring */
    uint64_t delivered;    /* plaintext */
    struct tls_mark ring[TLS_MARKS];
};

/* ${cipher} bytes hold the first ${plain} bytes; both grow from call to call. */
void tls_marks_add(struct tls_marks *m, uint64_t plain, uint64_t cipher);

/* The peer has ${cipher} bytes. Returns how many of the plaintext that are, at least. */
uint64_t tls_marks_reach(struct tls_marks *m, uint64_t cipher);

#endif
