/* The bytes of a connection: see tcp_link.h. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sink/tcp_link.h"

#define SCRATCH    ((size_t)16 << 10) /* one record of TLS */
#define READS_MOST 64 /* in one go, from a peer that talks without end */

static int fail(struct link *l, const char *why)
{
    snprintf(l->why, sizeof l->why, "%s", why);
    return -1;
}

static ssize_t send_plain(struct link *l, const struct iovec *pieces, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count};
    ssize_t n;
    do
        n = sendmsg(l->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : fail(l, strerror(errno));
}

ssize_t link_send(struct link *l, const struct iovec *pieces, int count)
{
    ssize_t n = l->tls == NULL ? send_plain(l, pieces, count) : tls_send(l->tls, pieces, count);
    if (n > 0)
        l->taken += (uint64_t)n;
    return n < 0 && l->tls != NULL ? fail(l, tls_error(l->tls)) : n;
}

int link_flush(struct link *l)
{
    return l->tls != NULL && tls_flush(l->tls) != 0 ? fail(l, tls_error(l->tls)) : 0;
}

uint64_t link_delivered(struct link *l, bool own)
{
    int queued = 0;
    if (!own && ioctl(l->fd, SIOCOUTQ, &queued) != 0)
        return 0;
    return l->tls != NULL ? tls_delivered(l->tls, (uint64_t)queued) : l->taken - (uint64_t)queued;
}

static enum link_heard heard(struct link *l, ssize_t n)
{
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return LINK_NOTHING;
    fail(l, n == 0 ? "the peer closed the connection" : l->tls != NULL ? tls_error(l->tls) : strerror(errno));
    return n == 0 ? LINK_ENDED : LINK_BROKEN;
}

enum link_heard link_read(struct link *l, char *to, size_t size, size_t *got)
{
    ssize_t n = l->tls == NULL ? recv(l->fd, to, size, MSG_DONTWAIT) : tls_recv(l->tls, to, size);
    *got = n > 0 ? (size_t)n : 0;
    return heard(l, n);
}

bool link_has_more(const struct link *l)
{
    return l->tls != NULL && tls_has_more(l->tls);
}

enum link_heard link_receive(struct link *l)
{
    char scratch[SCRATCH];
    enum link_heard what;
    size_t got;
    int reads = 0;
    do
        what = link_read(l, scratch, sizeof scratch, &got);
    while (got > 0 && l->tls != NULL && ++reads < READS_MOST);
    return what;
}

bool link_is_dead(const struct link *l)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    double most = l->options->user_timeout;
    if (most <= 0 || getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false;
    return info.tcpi_unacked > 0 && info.tcpi_retransmits > 0 && info.tcpi_last_ack_recv > most * 1000;
}

void link_finish(struct link *l)
{
    if (l->tls != NULL)
        tls_close(l->tls);
    shutdown(l->fd, SHUT_WR);
}
