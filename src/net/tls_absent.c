/* The TLS module where weir is built without OpenSSL: tls_check refuses its use, and so there is never a context. */
#include "base/err.h"
#include "net/tls.h"

struct tls_context *tls_context_new(enum tls_side side, const struct tls_settings *s, struct err *e)
{
    (void)side;
    (void)s;
    err_set(e, ERR_INVALID, "TLS is not built in");
    return NULL;
}

int tls_context_refresh(struct tls_context *c, struct err *e)
{
    (void)c;
    (void)e;
    return 0;
}

void tls_context_free(struct tls_context **c)
{
    *c = NULL;
}

struct tls *tls_new(struct tls_context *c, int fd, const char *name, struct err *e)
{
    (void)c;
    (void)fd;
    (void)name;
    err_set(e, ERR_INVALID, "TLS is not built in");
    return NULL;
}

void tls_free(struct tls **t)
{
    *t = NULL;
}

int tls_handshake(struct tls *t)
{
    (void)t;
    return -1;
}

bool tls_confirmed(const struct tls *t)
{
    (void)t;
    return true;
}

ssize_t tls_recv(struct tls *t, void *to, size_t max)
{
    (void)t;
    (void)to;
    (void)max;
    return -1;
}

bool tls_has_more(const struct tls *t)
{
    (void)t;
    return false;
}

ssize_t tls_send(struct tls *t, const struct iovec *pieces, int count)
{
    (void)t;
    (void)pieces;
    (void)count;
    return -1;
}

int tls_flush(struct tls *t)
{
    (void)t;
    return -1;
}

bool tls_wants_write(const struct tls *t)
{
    (void)t;
    return false;
}

uint64_t tls_delivered(struct tls *t, uint64_t queued)
{
    (void)t;
    (void)queued;
    return 0;
}

void tls_close(struct tls *t)
{
    (void)t;
}

const char *tls_error(const struct tls *t)
{
    (void)t;
    return "TLS is not built in";
}

void tls_describe(const struct tls *t, char *out, size_t size)
{
    (void)t;
    if (size > 0)
        out[0] = '\0';
}
