/*
 * tls_state: what the parts of the TLS module share.
 *
 * tls.c          a session: bytes in, bytes out
 * tls_context.c  what sessions have in common: certificates, keys, trust
 * tls_reason.c   why something failed, in words
 */
#ifndef WEIR_NET_TLS_STATE_H
#define WEIR_NET_TLS_STATE_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/tls.h"
#include "net/tls_marks.h"

struct tls_context {
    enum tls_side side;
    const struct tls_settings *settings;
    SSL_CTX *ssl;
    BIO_METHOD *sink; /* the BIO that sessions write to */
    struct tls_stamp {
        uint64_t inode, size;
        int64_t seconds, nanoseconds;
    } stamps[3]; /* ca_file, cert_file, key_file as they were read; zero: none, or not there */
};

struct tls {
    struct tls_context *context;
    SSL *ssl;
    char *name; /* what the certificate has to be for; NULL: not checked */
    int fd;
    bool shaken;          /* the handshake is done (OpenSSL forgets that at a failure) */
    bool dry;             /* the last read found nothing */
    bool asked;           /* client: for a certificate */
    bool heard;           /* client: anything behind the handshake */
    struct buf out;       /* ciphertext for the socket, from out_at on */
    size_t out_at;
    uint64_t sent, plain; /* ciphertext that the socket took; plaintext taken */
    struct tls_marks marks;
    struct err err; /* set: nothing works any more */
};

/* A BIO that appends to the `out` of its session, its app data. NULL: no memory. */
BIO_METHOD *tls_sink_new(void);

/* For SSL_CTX_set_verify: leaves the reason why a certificate is refused in the session's err. */
int tls_reason_verify(int ok, X509_STORE_CTX *store);

/* Turn what OpenSSL's error queue says about a failed call on ${t} into its err. ${sys}: errno behind the call. */
void tls_reason_set(struct tls *t, int ssl_error, int sys);

#endif
