/* The life of a connection: see tcp_link.h. */
#include "sink/tcp_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "sink/tcp_lookup.h"
#include "stage/stage.h"

/* How long a TLS 1.3 server that has asked for our certificate has to refuse it: so long, or so many times what the handshake took. */
#define CONFIRM_LEAST 1.0
#define CONFIRM_TIMES 4

static struct ev_loop *loop_of(const struct link *l)
{
    return loop_ev(l->env->loop);
}

void link_places(const struct link_options *o, struct buf *out)
{
    for (size_t i = 0; i < o->addresses.count; i++)
        buf_fmt(out, "%s%s", i > 0 ? ", " : "", o->addresses.items[i]);
}

const char *link_address(const struct link *l)
{
    return l->options->addresses.items[l->choice.at];
}

static void timer_in(struct link *l, double seconds)
{
    ev_now_update(loop_of(l));
    ev_timer_stop(loop_of(l), &l->timer);
    ev_timer_set(&l->timer, seconds, 0.);
    ev_timer_start(loop_of(l), &l->timer);
}

static void close_fd(struct link *l)
{
    ev_io_stop(loop_of(l), &l->io);
    ev_timer_stop(loop_of(l), &l->timer);
    tls_free(&l->tls);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* ---- failure ------------------------------------------------------------------------------------- */

/* This attempt, or this connection, is over: wait and try again. */
static void back_off(struct link *l, const char *why)
{
    bool news = choice_is_news(&l->choice, why);
    const char *address = link_address(l);
    double wait = choice_failed(&l->choice, *l->env->hurry);
    if (news)
        log_warn(l->env->scope, "%s: %s (trying again until it works)", address, why);
    else
        log_debug(l->env->scope, "%s: %s; next attempt in %.1f s", address, why, wait);
    close_fd(l);
    l->state = LINK_WAITING;
    timer_in(l, wait);
}

static void attempt_failed(struct link *l, int error)
{
    char why[200];
    snprintf(why, sizeof why, "cannot connect: %s", strerror(error));
    back_off(l, why);
}

/* ---- up ------------------------------------------------------------------------------------------ */

static void watch(struct link *l, int events)
{
    ev_io_stop(loop_of(l), &l->io);
    ev_io_set(&l->io, l->fd, events);
    if (events != 0)
        ev_io_start(loop_of(l), &l->io);
}

void link_watch(struct link *l, bool more)
{
    more |= l->tls != NULL && tls_wants_write(l->tls);
    int events = EV_READ | (more ? EV_WRITE : 0);
    if (!ev_is_active(&l->io) || (l->io.events & (EV_READ | EV_WRITE)) != events)
        watch(l, events);
}

static void connected(struct link *l)
{
    char how[100] = "";
    bool again = choice_connected(&l->choice);
    ev_timer_stop(loop_of(l), &l->timer);
    if (l->tls != NULL) {
        strcpy(how, " with ");
        tls_describe(l->tls, how + 6, sizeof how - 6);
    }
    log_info(l->env->scope, "connected to %s%s%s", link_address(l), again ? " again" : "", how);
    l->taken = 0;
    l->state = LINK_UP;
    link_watch(l, false);
    l->up(l);
}

/* ---- TLS ----------------------------------------------------------------------------------------- */

static void confirm(struct link *l)
{
    if (link_receive(l) != LINK_NOTHING)
        back_off(l, l->why);
    else if (tls_confirmed(l->tls))
        connected(l);
    else
        link_watch(l, false);
}

static void shake(struct link *l)
{
    int rc = tls_handshake(l->tls);
    if (rc < 0) {
        back_off(l, tls_error(l->tls));
        return;
    }
    link_watch(l, false);
    if (rc == 0)
        return;
    l->state = LINK_CONFIRMING;
    double took = (ev_now(loop_of(l)) - l->began) * CONFIRM_TIMES;
    timer_in(l, took > CONFIRM_LEAST ? took : CONFIRM_LEAST);
    confirm(l);
}

/* The context when there is none yet, or with the files as they are now. */
static int prepare_context(struct link *l, struct err *e)
{
    struct err stale = {0};
    if (l->context == NULL) {
        if (!l->options->tls.verify)
            log_warn(l->env->scope, "the peer's certificate is not checked (tls.verify is false): whoever answers is sent to");
        l->context = tls_context_new(TLS_CLIENT, &l->options->tls, e);
        return l->context != NULL ? 0 : -1;
    }
    if (tls_context_refresh(l->context, &stale) != 0)
        log_warn(l->env->scope, "%s: going on with the certificates that were read before", stale.text);
    return 0;
}

static void start_tls(struct link *l)
{
    struct err e = {0};
    char *host = lookup_host(link_address(l));
    if (host == NULL)
        err_nomem(&e);
    else if (prepare_context(l, &e) == 0)
        l->tls = tls_new(l->context, l->fd, host, &e);
    mem_free(host);
    if (l->tls == NULL) {
        back_off(l, e.text);
        return;
    }
    l->state = LINK_SHAKING;
    l->began = ev_now(loop_of(l));
    shake(l);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static void set_options(struct link *l)
{
    int on = 1, idle = 60, interval = 10, count = 6;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!l->options->keepalive)
        return;
    setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void start_connect(struct link *l, const struct addrinfo *found)
{
    unsigned n = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
        n++;
    for (unsigned pick = l->choice.turn % n; pick > 0; pick--)
        found = found->ai_next;
    l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        attempt_failed(l, errno);
        return;
    }
    set_options(l);
    if (connect(l->fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
        attempt_failed(l, errno);
        return;
    }
    l->state = LINK_CONNECTING;
    timer_in(l, l->options->connect_timeout);
    watch(l, EV_WRITE);
}

static void on_found(void *arg, const struct addrinfo *found, const char *why)
{
    struct link *l = arg;
    l->lookup = NULL;
    if (found != NULL)
        start_connect(l, found);
    else
        back_off(l, why);
}

void link_open(struct link *l)
{
    if (l->state != LINK_DOWN)
        return;
    l->state = LINK_RESOLVING;
    struct lookup *u = lookup_start(l->env->work, link_address(l), on_found, l);
    if (u != NULL)
        l->lookup = u;
}

static void on_connect(struct link *l)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        attempt_failed(l, error);
    else if (l->options->tls.on)
        start_tls(l);
    else
        connected(l);
}

/* ---- events -------------------------------------------------------------------------------------- */

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    struct link *l = w->data;
    switch (l->state) {
    case LINK_CONNECTING: on_connect(l); break;
    case LINK_SHAKING: shake(l); break;
    case LINK_CONFIRMING: confirm(l); break;
    case LINK_UP: l->ready(l, events); break;
    case LINK_DOWN:
    case LINK_RESOLVING:
    case LINK_WAITING: break; /* there is no fd */
    }
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct link *l = w->data;
    switch (l->state) {
    case LINK_CONNECTING: attempt_failed(l, ETIMEDOUT); break;
    case LINK_SHAKING: back_off(l, "no TLS handshake within connect_timeout: does the peer speak TLS?"); break;
    case LINK_CONFIRMING: connected(l); break;
    case LINK_WAITING:
        l->state = LINK_DOWN;
        link_open(l);
        break;
    case LINK_DOWN:
    case LINK_RESOLVING:
    case LINK_UP: break; /* the timer does not run */
    }
}

/* ---- for the owner ------------------------------------------------------------------------------- */

void link_init(struct link *l, struct stage_env *env, const struct link_options *options)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    l->env = env;
    l->options = options;
    l->state = LINK_DOWN;
    l->fd = -1;
    choice_init(&l->choice, (enum choice_balance)options->balance, options->addresses.count,
                (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)l ^ (uint64_t)getpid() << 32);
    ev_io_init(&l->io, on_io, -1, EV_READ);
    ev_timer_init(&l->timer, on_timer, 0., 0.);
    l->io.data = l->timer.data = l;
}

void link_lost(struct link *l, const char *why)
{
    back_off(l, why);
}

void link_worked(struct link *l)
{
    choice_worked(&l->choice);
}

void link_hurry(struct link *l)
{
    if (l->state == LINK_WAITING)
        timer_in(l, 0);
}

void link_close(struct link *l)
{
    lookup_cancel(&l->lookup);
    close_fd(l);
    tls_context_free(&l->context);
    l->state = LINK_DOWN;
}
