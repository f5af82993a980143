#include "source/connections.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/feed.h"
#include "source/intake.h"
#include "source/quiet.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define ACCEPT_MOST  64   /* connections accepted in one go */
#define ACCEPT_DELAY 1.0  /* seconds until trying again when there is no descriptor, or no memory */
#define PACE         10   /* reads a second of a connection with a bound on its speed, at least */
#define PACE_MIN     ((size_t)1024)

struct connections {
    struct intake intake;
    const struct connections_options *set;
    struct listen_at at;
    struct listen listen;
    ev_io io;             /* the listening socket */
    ev_timer again;       /* accepting, after a failure */
    struct list all, ready; /* ready: with something to read, or to be closed */
    int64_t count;
    uint64_t serial;
    struct step turn;
    struct quiet quiet;
    bool tidy, full;
};

struct connection {
    struct connections *owner;
    struct list node, ready;
    int fd;
    ev_io io;
    ev_timer timer;    /* until it may be read again, or has been idle for too long */
    struct feed feed;
    char name[LISTEN_NAME_MAX];
    double active;     /* when something came last */
    double free_at;    /* when it may be read again */
    int left;          /* when stopping: bytes that it may still be read */
    bool paced;        /* the timer waits for free_at */
    bool over;         /* to be closed with its next turn */
};

static struct ev_loop *loop_of(const struct connections *s)
{
    return loop_ev(s->intake.env->loop);
}

static const char *scope_of(const struct connections *s)
{
    return s->intake.env->scope;
}

static void schedule(struct intake *in)
{
    struct connections *s = LIST_ENTRY(in, struct connections, intake);
    if (in->wanted && !in->over && !list_empty(&s->ready))
        loop_next(in->env->loop, &s->turn);
}

/* ---- a connection -------------------------------------------------------------------------------- */

/* It gets a turn. */
static void make_ready(struct connection *c)
{
    struct connections *s = c->owner;
    ev_io_stop(loop_of(s), &c->io);
    if (list_empty(&c->ready))
        list_push(&s->ready, &c->ready);
    if (s->intake.wanted && !s->intake.over)
        loop_defer(s->intake.env->loop, &s->turn);
}

static void on_readable(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    make_ready(w->data);
}

static void timer_in(struct connection *c, double seconds)
{
    struct ev_loop *ev = loop_of(c->owner);
    ev_now_update(ev);
    ev_timer_stop(ev, &c->timer);
    ev_timer_set(&c->timer, seconds > 0.001 ? seconds : 0.001, 0.);
    ev_timer_start(ev, &c->timer);
}

/* Nothing there now: wait until the kernel has more. */
static void watch(struct connection *c)
{
    struct connections *s = c->owner;
    if (s->intake.draining) {
        make_ready(c);
        return;
    }
    ev_io_start(loop_of(s), &c->io);
    if (s->set->idle_timeout > 0 && !ev_is_active(&c->timer))
        timer_in(c, s->set->idle_timeout);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct connection *c = w->data;
    struct connections *s = c->owner;
    double idle = loop_now() - c->active;
    if (c->paced) {
        c->paced = false;
        watch(c);
    } else if (!list_empty(&c->ready) || idle < s->set->idle_timeout) {
        timer_in(c, list_empty(&c->ready) ? s->set->idle_timeout - idle : s->set->idle_timeout);
    } else {
        log_info(scope_of(s), "%s: nothing came for longer than idle_timeout: closed", c->name);
        c->over = true;
        make_ready(c);
    }
}

static void accept_again(struct connections *s)
{
    if (!s->intake.draining && s->listen.fd >= 0 && !ev_is_active(&s->again))
        ev_io_start(loop_of(s), &s->io);
}

static void close_connection(struct connection *c)
{
    struct connections *s = c->owner;
    log_debug(scope_of(s), "%s: closed", c->name);
    ev_io_stop(loop_of(s), &c->io);
    ev_timer_stop(loop_of(s), &c->timer);
    list_remove(&c->node);
    list_remove(&c->ready);
    feed_clear(&c->feed, &s->intake);
    close(c->fd);
    mem_free(c);
    s->count--;
    s->full = false;
    accept_again(s);
}

/* ---- reading ------------------------------------------------------------------------------------- */

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

/* ${len} bytes were read: when may the next be? */
static void go_on(struct connection *c, size_t len, bool all)
{
    struct connections *s = c->owner;
    double speed = (double)s->set->max_bytes_per_second, now = c->active;
    if (s->intake.draining) {
        c->left -= (int)len;
        make_ready(c);
        return;
    }
    if (speed > 0) {
        c->free_at = (c->free_at > now ? c->free_at : now) + (double)len / speed;
        c->paced = true;
        timer_in(c, c->free_at - now);
        return;
    }
    if (all)
        watch(c);
    else
        make_ready(c);
}

static void fail_nomem(struct connections *s)
{
    struct err e = {0};
    err_nomem(&e);
    intake_fail(&s->intake, &e);
}

/* ${len} bytes came; ${last}: they are the last ones. ${all}: all that the kernel had. */
static void take(struct connection *c, size_t len, bool last, bool all)
{
    struct connections *s = c->owner;
    switch (feed_take(&c->feed, &s->intake, len, last)) {
    case FEED_ON:
        if (last)
            close_connection(c);
        else
            go_on(c, len, all);
        break;
    case FEED_BAD: close_connection(c); break;
    case FEED_NOMEM: fail_nomem(s); break;
    }
}

static void lost(struct connection *c, int error)
{
    struct connections *s = c->owner;
    uint64_t before;
    char more[64];
    if (quiet_may(&s->quiet, &before)) {
        quiet_words(before, more, sizeof more);
        log_warn(scope_of(s), "%s: connection lost: %s%s", c->name, strerror(error), more);
    }
    take(c, 0, true, true);
}

/* One read. */
static void read_connection(struct connection *c)
{
    struct connections *s = c->owner;
    size_t room;
    char *to = feed_space(&c->feed, &s->intake, &room);
    if (to == NULL) {
        list_before(s->ready.next, &c->ready); /* its turn again, when there is room */
        return;
    }
    room = allowed(c, room);
    ssize_t n = c->over || room == 0 ? 0 : recv(c->fd, to, room, MSG_DONTWAIT);
    if (n >= 0) {
        c->active = loop_now();
        take(c, (size_t)n, n == 0, (size_t)n < room);
    } else if (errno == EAGAIN && !s->intake.draining) {
        watch(c);
    } else if (errno == EINTR) {
        make_ready(c);
    } else if (errno == EAGAIN) {
        take(c, 0, true, true);
    } else {
        lost(c, errno);
    }
}

static void run_turn(struct step *step)
{
    struct connections *s = LIST_ENTRY(step, struct connections, turn);
    if (!s->intake.wanted || s->intake.over)
        return;
    struct list *node = list_shift(&s->ready);
    if (node != NULL) {
        read_connection(LIST_ENTRY(node, struct connection, ready));
        if (!intake_waits(&s->intake))
            schedule(&s->intake);
    }
    if (s->intake.draining && list_empty(&s->all))
        intake_end(&s->intake);
}

/* ---- accepting ----------------------------------------------------------------------------------- */

static void name_connection(struct connection *c, const struct sockaddr_storage *sa, socklen_t len)
{
    struct ucred who;
    socklen_t size = sizeof who;
    listen_name(sa, len, c->name);
    if (c->name[0] == '\0' && getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
        snprintf(c->name, sizeof c->name, "pid:%d", (int)who.pid);
}

static void set_keepalive(const struct connection *c)
{
    int on = 1, idle = 60, interval = 10, count = 6;
    setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* ${fd} is a new connection. -1: no memory. */
static int add_connection(struct connections *s, int fd, const struct sockaddr_storage *sa, socklen_t len)
{
    const struct stage_env *env = s->intake.env;
    char log[LISTEN_NAME_MAX + 32];
    struct connection *c = mem_zalloc(1, sizeof *c);
    if (c == NULL)
        return -1;
    c->owner = s;
    c->fd = fd;
    name_connection(c, sa, len);
    snprintf(log, sizeof log, "%s#%" PRIu64, c->name, ++s->serial); /* an address may come again */
    struct origin *origin = origin_new_peer(c->name, log, env->host, env->name, env->pipeline);
    if (origin == NULL) {
        mem_free(c);
        return -1;
    }
    feed_init(&c->feed, &s->set->frames, s->tidy, origin, c->name, &s->quiet);
    origin_unref(origin);
    if (s->set->keepalive && s->at.kind == LISTEN_TCP)
        set_keepalive(c);
    ev_io_init(&c->io, on_readable, fd, EV_READ);
    ev_timer_init(&c->timer, on_timer, 0., 0.);
    c->io.data = c->timer.data = c;
    c->active = loop_now();
    list_init(&c->ready);
    list_push(&s->all, &c->node);
    s->count++;
    log_debug(scope_of(s), "%s: connected", c->name);
    watch(c);
    return 0;
}

/* Not now. */
static void accept_later(struct connections *s, const char *why)
{
    uint64_t before;
    char more[64];
    if (quiet_may(&s->quiet, &before)) {
        quiet_words(before, more, sizeof more);
        log_warn(scope_of(s), "cannot accept a connection: %s (trying again)%s", why, more);
    }
    ev_io_stop(loop_of(s), &s->io);
    ev_now_update(loop_of(s));
    ev_timer_set(&s->again, ACCEPT_DELAY, 0.);
    ev_timer_start(loop_of(s), &s->again);
}

static bool is_full(struct connections *s)
{
    if (s->count < s->set->max_connections)
        return false;
    if (!s->full)
        log_warn(scope_of(s), "max_connections %" PRId64 " reached: others wait until one ends", s->set->max_connections);
    s->full = true;
    ev_io_stop(loop_of(s), &s->io);
    return true;
}

/* Take one from the backlog. False: enough for now. */
static bool accept_one(struct connections *s)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    if (is_full(s))
        return false;
    int fd = accept4(s->listen.fd, (struct sockaddr *)(void *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && add_connection(s, fd, &sa, len) == 0)
        return true;
    if (fd >= 0) {
        close(fd);
        accept_later(s, "out of memory");
        return false;
    }
    if (errno == EINTR || errno == ECONNABORTED)
        return true;
    if (errno != EAGAIN)
        accept_later(s, strerror(errno));
    return false;
}

static void on_accept(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    for (int i = 0; i < ACCEPT_MOST && accept_one(w->data); i++)
        ;
}

static void on_again(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    accept_again(w->data);
}

/* ---- the stream ---------------------------------------------------------------------------------- */

static void connections_construct(struct stream *stream, void *self)
{
    struct connections *s = self;
    struct err e = {0};
    if (s->intake.env->dry) {
        log_warn(scope_of(s), "dry-run listens nowhere: give it records with --input");
    } else if (listen_open(&s->listen, &s->at, &e) == 0) {
        log_info(scope_of(s), "listening on %s", s->at.where);
        ev_io_set(&s->io, s->listen.fd, EV_READ);
        ev_io_start(loop_of(s), &s->io);
    }
    stream_construct_done(stream, &e);
}

static void connections_read(struct stream *stream, void *self)
{
    (void)stream;
    struct connections *s = self;
    if (s->intake.env->dry)
        intake_end(&s->intake);
    else
        intake_want(&s->intake);
    if (s->intake.draining && list_empty(&s->all))
        intake_end(&s->intake);
}

static void stop_listening(struct connections *s)
{
    ev_io_stop(loop_of(s), &s->io);
    ev_timer_stop(loop_of(s), &s->again);
    listen_close(&s->listen);
}

/* Accept nothing more, read what the kernel has received already. */
static void drain(struct intake *in)
{
    struct connections *s = LIST_ENTRY(in, struct connections, intake);
    in->draining = false;
    while (s->listen.fd >= 0 && accept_one(s))
        ; /* those in the backlog may have sent something, and hung up */
    in->draining = true;
    stop_listening(s);
    LIST_EACH(node, &s->all) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (ioctl(c->fd, FIONREAD, &c->left) != 0)
            c->left = 0;
        ev_timer_stop(loop_of(s), &c->timer);
        c->paced = false;
        make_ready(c);
    }
    if (list_empty(&s->all))
        intake_end(in);
}

static void connections_destroy(struct stream *stream, void *self, const struct err *e)
{
    struct connections *s = self;
    intake_close(&s->intake);
    stop_listening(s);
    loop_cancel(s->intake.env->loop, &s->turn);
    LIST_EACH(node, &s->all)
        close_connection(LIST_ENTRY(node, struct connection, node));
    stream_destroy_done(stream, e);
}

static void connections_free(void *self)
{
    struct connections *s = self;
    intake_clear(&s->intake);
    mem_free(s);
}

static const struct stream_ops ops = {
    .type = "connections",
    .construct = connections_construct,
    .read = connections_read,
    .destroy = connections_destroy,
    .free = connections_free,
};

struct stream *connections_open(struct stage_env *env, const struct listen_at *at,
                                const struct connections_options *o, bool tidy, struct err *e)
{
    struct connections *s = mem_zalloc(1, sizeof *s);
    if (s == NULL) {
        err_nomem(e);
        return NULL;
    }
    s->set = o;
    s->tidy = tidy;
    s->at = *at;
    s->listen.fd = -1;
    list_init(&s->all);
    list_init(&s->ready);
    step_init(&s->turn, run_turn, 0);
    ev_io_init(&s->io, on_accept, -1, EV_READ);
    ev_timer_init(&s->again, on_again, 0., 0.);
    s->io.data = s->again.data = s;
    intake_init(&s->intake, env, schedule, drain);
    struct stream_opts so = stage_stream_opts(env);
    struct stream *stream = s->intake.stream = stream_readable_new(&ops, s, &so, e);
    if (stream == NULL)
        connections_free(s);
    return stream;
}
