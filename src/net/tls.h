/*
 * tls: TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over a connected, non-blocking socket, by OpenSSL.
 *
 * A stage that speaks TLS has `struct tls_settings` among its settings, an OPTION_OBJECT row with one of the two tables (and `given`
 * = its `on`), and calls tls_check from its check hook. It keeps one context, which outlives its sessions, and one
 * session a connection:
 *
 *     context = tls_context_new(TLS_SERVER, &set->tls, &e)     when it begins to listen; for each connection then
 *     tls_context_refresh(context, &e)                         renewed certificates are used from now on
 *     tls = tls_new(context, fd, NULL, &e)
 *     on EV_READ or EV_WRITE: tls_handshake, later tls_recv and tls_send, which return as recv(2) and send(2) do
 *     wait for EV_READ, and for EV_WRITE as long as tls_wants_write
 *     tls_close, tls_free, close(fd)
 *
 * Nothing blocks and nobody is called back. Memory: about 50 KiB a session, of which what waits for the socket is bounded by 96 KiB.
 * A session does not own its fd. No renegotiation; a KeyUpdate, a session ticket or an alert of the peer is handled in tls_recv, so read
 * also where nothing is expected.
 *
 * An end without close_notify counts as an end: framing must tell what is not whole (RFC 8446, 6.1 leaves that to the application).
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "config/option.h"

struct config_report;
struct err;
struct tls;
struct tls_context;

enum tls_side { TLS_CLIENT, TLS_SERVER };

struct tls_settings {
    bool on;            /* "tls" is written */
    bool verify;        /* client: the server's certificate */
    bool verify_client; /* server: the client has to have a certificate of ca_file */
    int min_version;    /* 0: 1.2, 1: 1.3 */
    char *ca_file;      /* NULL: the system's store */
    char *server_name;  /* client; NULL: the name tls_new is given */
    char *cert_file, *key_file, *key_password; /* NULL: none */
};

/* Tables of the object "tls", by side. */
extern const struct option tls_client_options[], tls_server_options[];

/* What one option alone does not show, told at the option "tls" of the stage; nothing when it is off. Without OpenSSL: that it is not built
 * in. */
void tls_check(enum tls_side side, const struct tls_settings *s, struct config_report *report);

/* Read the files of ${s}, which outlives the context. NULL and ${e}: one cannot be read, or is not what it has to be. */
struct tls_context *tls_context_new(enum tls_side side, const struct tls_settings *s, struct err *e);

/* Read the files again if one has changed; sessions that exist go on as they are. -1 and ${e}: they cannot be used, and the context stays
 * as it was (half a renewal is not the end of the service). Cheap: three stat(2). */
int tls_context_refresh(struct tls_context *c, struct err *e);

void tls_context_free(struct tls_context **c);

/* A session on ${fd}. ${name}: client: the host that was asked for, a name or an IP address, which the certificate has to be for unless
 * server_name is set; server: NULL. NULL and ${e}: no memory. */
struct tls *tls_new(struct tls_context *c, int fd, const char *name, struct err *e);

/* Free *${t} and clear it; sends nothing. */
void tls_free(struct tls **t);

/* Go on with the handshake. 1: done; 0: it waits for the socket; -1: it failed, see tls_error. Needed only by whoever wants to know: tls_recv does
 * it too. */
int tls_handshake(struct tls *t);

/* Client: does the peer know all it needs to accept us? In TLS 1.3 a server refuses a client certificate only after the client's handshake is done;
 * what was sent by then is lost. So where it asked for one, false until it has sent anything; a peer may never do that, so
 * wait with a bound. */
bool tls_confirmed(const struct tls *t);

/* Plaintext, as recv(2): > 0 bytes; 0: the peer has ended; -1 with errno EAGAIN: nothing now; -1 with another errno: see tls_error. Read until EAGAIN
 * or, when stopping before, go on without waiting for the fd if tls_has_more. */
ssize_t tls_recv(struct tls *t, void *to, size_t max);
bool tls_has_more(const struct tls *t);

/* Encrypt and send. Returns how many bytes of ${pieces} were taken, 0 when the socket is full; -1: see tls_error. What was taken need not be sent
 * again, but may wait for the socket: tls_wants_write. After the handshake only. */
ssize_t tls_send(struct tls *t, const struct iovec *pieces, int count);

/* Send what waits for the socket. -1: see tls_error. */
int tls_flush(struct tls *t);
bool tls_wants_write(const struct tls *t);

/* How many of the plaintext bytes taken the peer's kernel has in full, when ${queued} bytes of the socket are not acknowledged (SIOCOUTQ; 0: what the own
 * kernel has). Never too many; up to one record of TLS (16 KiB), seldom more, too few. */
uint64_t tls_delivered(struct tls *t, uint64_t queued);

/* Tell the peer that nothing more is coming (close_notify). */
void tls_close(struct tls *t);

/* Why it failed, in words for the log; "" while it has not. */
const char *tls_error(const struct tls *t);

/* "TLSv1.3, TLS_AES_256_GCM_SHA384" */
void tls_describe(const struct tls *t, char *out, size_t size);

#endif
