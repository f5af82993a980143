#include "source/connection.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "record/record.h"
#include "source/connections.h"
#include "stage/stage.h"

#define PACE        10                /* reads a second of a connection with a bound on its speed, at least */
#define PACE_MIN    ((size_t)1024)
#define HANDSHAKE   10.0              /* seconds that a peer has for it */
#define TLS_AHEAD   (64 << 10)        /* bytes that a session may have taken from the kernel already */

static struct ev_loop *loop_of(const struct connection *c)
{
    return loop_ev(c->owner->intake.env->loop);
}

static const char *scope_of(const struct connection *c)
{
    return c->owner->intake.env->scope;
}

/* What a peer did, for the log, as often as is bearable. */
static void complain(struct connection *c, const char *what, const char *why)
{
    uint64_t before;
    char more[64];
    if (!quiet_may(&c->owner->quiet, &before))
        return;
    quiet_words(before, more, sizeof more);
    log_warn(scope_of(c), "%s: %s: %s%s", c->name, what, why, more);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

/* It gets a turn. */
static void make_ready(struct connection *c)
{
    struct connections *s = c->owner;
    ev_io_stop(loop_of(c), &c->io);
    if (list_empty(&c->ready))
        list_push(&s->ready, &c->ready);
    if (s->intake.wanted && !s->intake.over)
        loop_defer(s->intake.env->loop, &s->turn);
}

static void timer_in(struct connection *c, double seconds)
{
    ev_now_update(loop_of(c));
    ev_timer_stop(loop_of(c), &c->timer);
    ev_timer_set(&c->timer, seconds > 0.001 ? seconds : 0.001, 0.);
    ev_timer_start(loop_of(c), &c->timer);
}

static void watch_fd(struct connection *c)
{
    int events = c->tls != NULL && tls_wants_write(c->tls) ? EV_READ | EV_WRITE : EV_READ;
    if ((c->io.events & (EV_READ | EV_WRITE)) != events) {
        ev_io_stop(loop_of(c), &c->io);
        ev_io_set(&c->io, c->fd, events);
    }
    ev_io_start(loop_of(c), &c->io);
}

/* Nothing there now: wait until the kernel has more. */
static void watch(struct connection *c)
{
    double most = c->owner->set->idle_timeout;
    if (c->owner->intake.draining) {
        make_ready(c);
        return;
    }
    watch_fd(c);
    if (most > 0 && !ev_is_active(&c->timer))
        timer_in(c, most);
}

static void shake_hands(struct connection *c)
{
    switch (tls_handshake(c->tls)) {
    case 1:
        c->shaking = false;
        c->active = loop_now();
        ev_timer_stop(loop_of(c), &c->timer);
        make_ready(c);
        break;
    case 0: watch_fd(c); break;
    default:
        complain(c, "no TLS connection", tls_error(c->tls));
        connection_close(c);
    }
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    struct connection *c = w->data;
    if (c->shaking)
        shake_hands(c);
    else
        make_ready(c);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct connection *c = w->data;
    double most = c->owner->set->idle_timeout, idle = loop_now() - c->active;
    int waits = 0;
    if (c->shaking) {
        complain(c, "no TLS connection", "the peer takes too long");
        connection_close(c);
    } else if (c->paced) {
        c->paced = false;
        if (c->tls != NULL && tls_has_more(c->tls))
            make_ready(c); /* decrypted already: the kernel will not tell */
        else
            watch(c);
    } else if (!list_empty(&c->ready)) {
        timer_in(c, most); /* it is we who let it wait */
    } else if (idle < most) {
        timer_in(c, most - idle);
    } else if (ioctl(c->fd, FIONREAD, &waits) == 0 && waits > 0) {
        make_ready(c); /* just now */
    } else {
        log_info(scope_of(c), "%s: nothing came for longer than idle_timeout: closed", c->name);
        c->over = true;
        make_ready(c);
    }
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* As recv(2). */
static ssize_t receive(struct connection *c, char *to, size_t room)
{
    if (c->over || room == 0)
        return 0;
    if (c->tls == NULL)
        return recv(c->fd, to, room, MSG_DONTWAIT);
    if (tls_wants_write(c->tls) && tls_flush(c->tls) != 0) {
        errno = EPROTO;
        return -1;
    }
    return tls_recv(c->tls, to, room);
}

/* How much of ${room} may be read at once. */
static size_t allowed(const struct connection *c, size_t room)
{
    const struct connections *s = c->owner;
    size_t pace = (size_t)(s->set->max_bytes_per_second / PACE);
    if (s->intake.draining)
        return (size_t)c->left < room ? (size_t)c->left : room;
    if (s->set->max_bytes_per_second == 0)
        return room;
    if (pace < PACE_MIN)
        pace = PACE_MIN;
    return pace < room ? pace : room;
}

/* ${len} bytes were read: when may the next be? ${all}: those were all that there are. */
static void go_on(struct connection *c, size_t len, bool all)
{
    const struct connections *s = c->owner;
    double speed = (double)s->set->max_bytes_per_second;
    if (s->intake.draining) {
        c->left -= (int)len;
        make_ready(c);
    } else if (speed > 0) {
        c->free_at = (c->free_at > c->active ? c->free_at : c->active) + (double)len / speed;
        c->paced = true;
        timer_in(c, c->free_at - c->active);
    } else if (all) {
        watch(c);
    } else {
        make_ready(c);
    }
}

/* ${len} bytes came; ${last}: they are the last ones. */
static void take(struct connection *c, size_t len, bool last, bool all)
{
    struct intake *in = &c->owner->intake;
    struct err e = {0};
    switch (feed_take(&c->feed, in, len, last)) {
    case FEED_ON:
        if (last)
            connection_close(c);
        else
            go_on(c, len, all);
        break;
    case FEED_BAD: connection_close(c); break;
    case FEED_NOMEM:
        err_nomem(&e);
        intake_fail(in, &e);
    }
}

void connection_read(struct connection *c)
{
    struct connections *s = c->owner;
    size_t room;
    char *to = feed_space(&c->feed, &s->intake, &room);
    if (to == NULL) {
        list_before(s->ready.next, &c->ready); /* its turn again, when there is room */
        return;
    }
    room = allowed(c, room);
    ssize_t n = receive(c, to, room);
    if (n >= 0) {
        c->active = loop_now();
        take(c, (size_t)n, n == 0, (size_t)n < room && (c->tls == NULL || !tls_has_more(c->tls)));
    } else if (errno == EAGAIN && !s->intake.draining) {
        watch(c);
    } else if (errno == EINTR) {
        make_ready(c);
    } else {
        if (errno != EAGAIN)
            complain(c, "connection lost", c->tls != NULL ? tls_error(c->tls) : strerror(errno));
        take(c, 0, true, true);
    }
}

/* ---- from the beginning to the end ---------------------------------------------------------------- */

static void name_connection(struct connection *c, const struct sockaddr_storage *sa, socklen_t len)
{
    struct ucred who;
    socklen_t size = sizeof who;
    listen_name(sa, len, c->name);
    if (c->name[0] == '\0' && getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
        snprintf(c->name, sizeof c->name, "pid:%d", (int)who.pid);
}

static struct origin *new_origin(const struct connection *c)
{
    const struct stage_env *env = c->owner->intake.env;
    char log[LISTEN_NAME_MAX + 32];
    snprintf(log, sizeof log, "%s#%" PRIu64, c->name, ++c->owner->serial); /* an address may come again */
    return origin_new_peer(c->name, log, env->host, env->name, env->pipeline);
}

static void set_keepalive(int fd)
{
    int on = 1, idle = 60, interval = 10, count = 6;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void start(struct connection *c)
{
    struct connections *s = c->owner;
    if (s->set->keepalive && s->at.kind == LISTEN_TCP)
        set_keepalive(c->fd);
    ev_io_init(&c->io, on_io, c->fd, EV_READ);
    ev_timer_init(&c->timer, on_timer, 0., 0.);
    c->io.data = c->timer.data = c;
    c->active = loop_now();
    list_init(&c->ready);
    list_push(&s->all, &c->node);
    s->count++;
    log_debug(scope_of(c), "%s: connected", c->name);
    c->shaking = c->tls != NULL;
    if (c->shaking) {
        timer_in(c, HANDSHAKE);
        watch_fd(c);
    } else {
        watch(c);
    }
}

bool connection_new(struct connections *s, int fd, const struct sockaddr_storage *sa, socklen_t len)
{
    struct connection *c = mem_zalloc(1, sizeof *c);
    if (c == NULL)
        return false;
    c->owner = s;
    c->fd = fd;
    name_connection(c, sa, len);
    struct origin *origin = new_origin(c);
    if (s->tls != NULL)
        c->tls = tls_new(s->tls, fd, NULL, NULL);
    if (origin == NULL || (s->tls != NULL && c->tls == NULL)) {
        origin_unref(origin);
        tls_free(&c->tls);
        mem_free(c);
        return false;
    }
    feed_init(&c->feed, &s->set->frames, s->tidy, origin, c->name, &s->quiet);
    origin_unref(origin);
    start(c);
    return true;
}

void connection_drain(struct connection *c)
{
    if (ioctl(c->fd, FIONREAD, &c->left) != 0)
        c->left = 0;
    if (c->tls != NULL)
        c->left += TLS_AHEAD;
    ev_timer_stop(loop_of(c), &c->timer);
    c->paced = false;
    c->over = c->over || c->shaking;
    make_ready(c);
}

void connection_close(struct connection *c)
{
    struct connections *s = c->owner;
    log_debug(scope_of(c), "%s: closed", c->name);
    ev_io_stop(loop_of(c), &c->io);
    ev_timer_stop(loop_of(c), &c->timer);
    list_remove(&c->node);
    list_remove(&c->ready);
    feed_clear(&c->feed, &s->intake);
    if (c->tls != NULL)
        tls_close(c->tls);
    tls_free(&c->tls);
    close(c->fd);
    mem_free(c);
    connections_gone(s);
}
