/*
 * A session: see tls.h.
 *
 * OpenSSL reads from the socket by itself and writes into `out`, from where it goes to the socket. So the position of each
 * byte of ciphertext is known, which is what tls_delivered needs, and a write never stops half-way inside OpenSSL.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/tls_state.h"

#define RECORD_MOST ((size_t)16 << 10) /* plaintext of one TLS record */
#define OUT_MOST    ((size_t)64 << 10) /* no more is encrypted while so much waits for the socket */

/* ---- the BIO behind which `out` is --------------------------------------------------------------- */

static int sink_write(BIO *b, const char *data, int len)
{
    struct tls *t = BIO_get_data(b);
    if (!buf_reserve(&t->out, (size_t)len))
        return -1;
    buf_add(&t->out, data, (size_t)len);
    return len;
}

static long sink_ctrl(BIO *b, int command, long number, void *p)
{
    (void)b;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH;
}

static int sink_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

BIO_METHOD *tls_sink_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weir");
    if (m == NULL)
        return NULL;
    BIO_meth_set_write(m, sink_write);
    BIO_meth_set_ctrl(m, sink_ctrl);
    BIO_meth_set_create(m, sink_create);
    return m;
}

/* ---- life -------------------------------------------------------------------------------------- */

static bool is_ip(const char *name)
{
    unsigned char ip[16];
    return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* Whom the certificate has to be for. SNI takes names only (RFC 6066, 3). */
static bool set_name(struct tls *t, const char *name)
{
    const struct tls_settings *s = t->context->settings;
    if (s->server_name != NULL)
        name = s->server_name;
    t->name = mem_strdup(name);
    if (t->name == NULL)
        return false;
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (is_ip(name))
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 && SSL_set_tlsext_host_name(t->ssl, name) == 1;
}

static bool set_bios(struct tls *t)
{
    BIO *in = BIO_new_socket(t->fd, BIO_NOCLOSE), *out = BIO_new(t->context->sink);
    if (in == NULL || out == NULL) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    BIO_set_data(out, t);
    SSL_set_bio(t->ssl, in, out);
    return true;
}

struct tls *tls_new(struct tls_context *c, int fd, const char *name, struct err *e)
{
    ERR_clear_error();
    struct tls *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->context = c;
    t->fd = fd;
    t->ssl = SSL_new(c->ssl);
    if (t->ssl == NULL || !set_bios(t) || (c->side == TLS_CLIENT && !set_name(t, name))) {
        err_nomem(e);
        tls_free(&t);
        return NULL;
    }
    SSL_set_app_data(t->ssl, t);
    if (c->side == TLS_CLIENT)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls **t)
{
    struct tls *dead = *t;
    *t = NULL;
    if (dead == NULL)
        return;
    SSL_free(dead->ssl);
    buf_clear(&dead->out);
    mem_free(dead->name);
    mem_free(dead);
}

/* ---- out --------------------------------------------------------------------------------------- */

bool tls_wants_write(const struct tls *t)
{
    return t->out.len > t->out_at;
}

int tls_flush(struct tls *t)
{
    while (tls_wants_write(t)) {
        ssize_t n = send(t->fd, t->out.data + t->out_at, t->out.len - t->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
            return 0;
        if (n < 0)
            return err_sys(&t->err, errno, "cannot send");
        t->sent += (uint64_t)n;
        t->out_at += (size_t)n;
    }
    t->out.len = t->out_at = 0;
    return 0;
}

/* A call of OpenSSL did not succeed: has it failed, or does it wait? */
static int look(struct tls *t, int rc)
{
    int sys = errno, ssl_error = SSL_get_error(t->ssl, rc);
    t->shaken |= SSL_is_init_finished(t->ssl);
    tls_flush(t); /* an alert tells the peer too */
    if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE)
        return err_is(&t->err) ? -1 : 0;
    if (t->out.failed)
        return err_nomem(&t->err);
    tls_reason_set(t, ssl_error, sys);
    return -1;
}

int tls_handshake(struct tls *t)
{
    if (err_is(&t->err))
        return -1;
    ERR_clear_error();
    errno = 0;
    int rc = t->shaken ? 1 : SSL_do_handshake(t->ssl);
    if (rc != 1)
        return look(t, rc);
    t->shaken = true;
    return tls_flush(t) != 0 ? -1 : 1;
}

/* One TLS record of at most ${len} bytes, and its mark. */
static int encrypt(struct tls *t, const char *data, size_t len)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_write(t->ssl, data, (int)len);
    if (rc <= 0)
        return look(t, rc) == 0 ? 0 : -1;
    t->plain += (uint64_t)rc;
    tls_marks_add(&t->marks, t->plain, t->sent + (t->out.len - t->out_at));
    return rc;
}

ssize_t tls_send(struct tls *t, const struct iovec *pieces, int count)
{
    size_t taken = 0;
    if (err_is(&t->err))
        return -1;
    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < pieces[i].iov_len;) {
            if (t->out.len - t->out_at >= OUT_MOST && tls_flush(t) != 0)
                return -1;
            if (t->out.len - t->out_at >= OUT_MOST)
                return (ssize_t)taken;
            size_t left = pieces[i].iov_len - at;
            int n = encrypt(t, (const char *)pieces[i].iov_base + at, left < RECORD_MOST ? left : RECORD_MOST);
            if (n <= 0)
                return n < 0 ? -1 : (ssize_t)taken;
            at += (size_t)n;
            taken += (size_t)n;
        }
    }
    return tls_flush(t) != 0 ? -1 : (ssize_t)taken;
}

uint64_t tls_delivered(struct tls *t, uint64_t queued)
{
    return tls_marks_reach(&t->marks, t->sent > queued ? t->sent - queued : 0);
}

void tls_close(struct tls *t)
{
    if (err_is(&t->err) || !t->shaken)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    tls_flush(t);
}

/* ---- in ---------------------------------------------------------------------------------------- */

ssize_t tls_recv(struct tls *t, void *to, size_t max)
{
    if (err_is(&t->err)) {
        errno = EPROTO;
        return -1;
    }
    ERR_clear_error();
    errno = 0;
    int rc = SSL_read(t->ssl, to, max > INT32_MAX ? INT32_MAX : (int)max);
    t->dry = rc <= 0;
    if (rc > 0) {
        t->shaken = t->heard = true;
        tls_flush(t); /* a failure shows at the next call */
        return rc;
    }
    if (t->shaken && SSL_get_error(t->ssl, rc) == SSL_ERROR_ZERO_RETURN) {
        tls_flush(t);
        return 0;
    }
    errno = look(t, rc) == 0 ? EAGAIN : EPROTO;
    return -1;
}

bool tls_has_more(const struct tls *t)
{
    return !t->dry && SSL_has_pending(t->ssl);
}

/* ---- what there is to know ----------------------------------------------------------------------- */

bool tls_confirmed(const struct tls *t)
{
    return !t->asked || t->heard || SSL_version(t->ssl) < TLS1_3_VERSION;
}

const char *tls_error(const struct tls *t)
{
    return t->err.text;
}

void tls_describe(const struct tls *t, char *out, size_t size)
{
    snprintf(out, size, "%s, %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
}
