/* A TCP connection that is made again and again: see tcp.h. */
#include "sink/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/address.h"
#include "stage/stage.h"

/* Backoff: doubles from the first to the second, each multiplied by a random factor from 0.5 to 1. */
#define BACKOFF_FIRST 0.1
#define BACKOFF_MOST  10.0
#define BACKOFF_HURRY 0.2 /* while shutting down */

/* A look-up outlives its link when that is closed meanwhile. */
struct lookup {
    struct job job;
    struct link *link; /* NULL: closed */
    char *host;
    char port[8];
    struct addrinfo *found;
    int code; /* of getaddrinfo */
};

static struct ev_loop *loop_of(const struct link *l)
{
    return loop_ev(l->env->loop);
}

static double jitter(struct link *l)
{
    l->random = l->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return 0.5 + (double)(l->random >> 33) / (double)(UINT64_C(1) << 32);
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
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* This attempt, or this connection, is over: wait and try again. */
static void back_off(struct link *l, const char *why)
{
    double wait = BACKOFF_FIRST * (double)(1u << (l->failures < 10 ? l->failures : 10));
    if (wait > BACKOFF_MOST)
        wait = BACKOFF_MOST;
    if (*l->env->hurry)
        wait = BACKOFF_HURRY;
    wait *= jitter(l);
    close_fd(l);
    l->failures++;
    if (!l->complained)
        log_warn(l->env->scope, "%s: %s (trying again until it works)", l->options->address, why);
    else
        log_debug(l->env->scope, "%s: %s; next attempt in %.1f s", l->options->address, why, wait);
    l->complained = true;
    l->state = LINK_WAITING;
    timer_in(l, wait);
}

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

static void watch(struct link *l, int events)
{
    ev_io_stop(loop_of(l), &l->io);
    ev_io_set(&l->io, l->fd, events);
    if (events != 0)
        ev_io_start(loop_of(l), &l->io);
}

static void connected(struct link *l)
{
    ev_timer_stop(loop_of(l), &l->timer);
    l->state = LINK_UP;
    if (l->complained || l->failures > 0)
        log_info(l->env->scope, "connected to %s again", l->options->address);
    else
        log_info(l->env->scope, "connected to %s", l->options->address);
    l->complained = false;
    watch(l, EV_READ);
    l->up(l);
}

static void attempt_failed(struct link *l, int error)
{
    char why[200];
    snprintf(why, sizeof why, "cannot connect: %s", strerror(error));
    back_off(l, why);
}

static void start_connect(struct link *l, const struct addrinfo *found)
{
    unsigned n = 0;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
        n++;
    unsigned pick = l->failures % n; /* each address gets its turn */
    for (; pick > 0; pick--)
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

static void lookup_run(struct job *j)
{
    struct lookup *u = LIST_ENTRY(j, struct lookup, job);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    u->code = getaddrinfo(u->host, u->port, &hints, &u->found);
}

static void lookup_free(struct lookup *u)
{
    if (u->found != NULL)
        freeaddrinfo(u->found);
    mem_free(u->host);
    mem_free(u);
}

static struct lookup *lookup_new(const char *text)
{
    struct address address;
    struct lookup *u = mem_zalloc(1, sizeof *u);
    if (u == NULL)
        return NULL;
    if (address_parse(text, &address)) {
        u->host = mem_strndup(address.host, address.host_len);
        snprintf(u->port, sizeof u->port, "%u", address.port);
    }
    if (u->host == NULL) {
        mem_free(u);
        return NULL;
    }
    return u;
}

static void lookup_done(struct job *j)
{
    struct lookup *u = LIST_ENTRY(j, struct lookup, job);
    struct link *l = u->link;
    if (l != NULL && l->state == LINK_RESOLVING) {
        if (u->code == 0 && u->found != NULL) {
            start_connect(l, u->found);
        } else {
            char why[200];
            snprintf(why, sizeof why, "cannot resolve the name: %s",
                     u->code != 0 ? gai_strerror(u->code) : "look-up was not made");
            back_off(l, why);
        }
        l->lookup = NULL;
    }
    lookup_free(u);
}

/* An address in figures needs no look-up and no thread. */
static bool lookup_numeric(struct lookup *u)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    return getaddrinfo(u->host, u->port, &hints, &u->found) == 0;
}

void link_open(struct link *l)
{
    if (l->state != LINK_DOWN)
        return;
    struct lookup *u = lookup_new(l->options->address);
    if (u == NULL) {
        back_off(l, "out of memory");
        return;
    }
    if (lookup_numeric(u)) {
        start_connect(l, u->found);
        lookup_free(u);
        return;
    }
    l->state = LINK_RESOLVING;
    l->lookup = u;
    u->link = l;
    u->job = (struct job){.run = lookup_run, .done = lookup_done};
    work_start(l->env->work, &u->job);
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    struct link *l = w->data;
    if (l->state == LINK_UP) {
        l->ready(l, events);
        return;
    }
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        attempt_failed(l, error);
    else
        connected(l);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct link *l = w->data;
    if (l->state == LINK_CONNECTING) {
        attempt_failed(l, ETIMEDOUT);
    } else if (l->state == LINK_WAITING) {
        l->state = LINK_DOWN;
        link_open(l);
    }
}

void link_init(struct link *l, struct stage_env *env, const struct link_options *options)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    l->env = env;
    l->options = options;
    l->state = LINK_DOWN;
    l->fd = -1;
    l->random = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)l ^ (uint64_t)getpid() << 32;
    ev_io_init(&l->io, on_io, -1, EV_READ);
    ev_timer_init(&l->timer, on_timer, 0., 0.);
    l->io.data = l->timer.data = l;
}

void link_want(struct link *l, int events)
{
    if (l->state == LINK_UP && (l->io.events & (EV_READ | EV_WRITE)) != events)
        watch(l, events);
}

void link_lost(struct link *l, const char *why)
{
    back_off(l, why);
}

void link_hurry(struct link *l)
{
    if (l->state == LINK_WAITING)
        timer_in(l, 0);
}

void link_close(struct link *l)
{
    if (l->lookup != NULL)
        l->lookup->link = NULL;
    l->lookup = NULL;
    close_fd(l);
    l->state = LINK_DOWN;
}
