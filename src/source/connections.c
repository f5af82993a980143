#include "source/connections.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "source/connection.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define ACCEPT_MOST  64  /* connections accepted in one go */
#define ACCEPT_DELAY 1.0 /* seconds until trying again when there is no descriptor, or no memory */

static struct ev_loop *loop_of(const struct connections *s)
{
    return loop_ev(s->intake.env->loop);
}

static const char *scope_of(const struct connections *s)
{
    return s->intake.env->scope;
}

/* ---- turns ---------------------------------------------------------------------------------------- */

static void schedule(struct intake *in)
{
    struct connections *s = LIST_ENTRY(in, struct connections, intake);
    if (in->wanted && !in->over && !list_empty(&s->ready))
        loop_next(in->env->loop, &s->turn);
}

static void end_if_drained(struct connections *s)
{
    if (s->intake.draining && list_empty(&s->all))
        intake_end(&s->intake);
}

static void run_turn(struct step *step)
{
    struct connections *s = LIST_ENTRY(step, struct connections, turn);
    if (!s->intake.wanted || s->intake.over)
        return;
    struct list *node = list_shift(&s->ready);
    if (node != NULL)
        connection_read(LIST_ENTRY(node, struct connection, ready));
    if (!intake_waits(&s->intake))
        schedule(&s->intake);
    end_if_drained(s);
}

/* ---- accepting ------------------------------------------------------------------------------------ */

static void accept_again(struct connections *s)
{
    if (s->listen.fd >= 0 && !ev_is_active(&s->again))
        ev_io_start(loop_of(s), &s->io);
}

void connections_gone(struct connections *s)
{
    s->count--;
    s->full = false;
    accept_again(s);
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

/* A certificate that was renewed is used from now on; one that was renewed by half is not, until it is whole. */
static void refresh(struct connections *s)
{
    struct err e = {0};
    uint64_t before;
    if (s->tls == NULL || tls_context_refresh(s->tls, &e) == 0 || !quiet_may(&s->quiet, &before))
        return;
    log_warn(scope_of(s), "%s (going on with the certificate that was read before)", e.text);
}

/* Take one from the backlog. False: enough for now. */
static bool accept_one(struct connections *s)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    if (is_full(s))
        return false;
    int fd = accept4(s->listen.fd, (struct sockaddr *)(void *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        refresh(s);
        if (connection_new(s, fd, &sa, len))
            return true;
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

static void stop_listening(struct connections *s)
{
    ev_io_stop(loop_of(s), &s->io);
    ev_timer_stop(loop_of(s), &s->again);
    listen_close(&s->listen);
}

/* ---- the stream ----------------------------------------------------------------------------------- */

static void connections_construct(struct stream *stream, void *self)
{
    struct connections *s = self;
    struct err e = {0};
    if (s->intake.env->dry) {
        log_warn(scope_of(s), "dry-run listens nowhere: give it records with --input");
        stream_construct_done(stream, NULL);
        return;
    }
    if (s->set->tls.on)
        s->tls = tls_context_new(TLS_SERVER, &s->set->tls, &e);
    if (!err_is(&e) && listen_open(&s->listen, &s->at, &e) == 0) {
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
}

/* Accept nothing more, read what the kernel has received already. */
static void drain(struct intake *in)
{
    struct connections *s = LIST_ENTRY(in, struct connections, intake);
    while (s->listen.fd >= 0 && accept_one(s))
        ; /* those in the backlog may have sent something, and hung up */
    stop_listening(s);
    LIST_EACH(node, &s->all)
        connection_drain(LIST_ENTRY(node, struct connection, node));
    end_if_drained(s);
}

static void connections_destroy(struct stream *stream, void *self, const struct err *e)
{
    struct connections *s = self;
    intake_close(&s->intake);
    stop_listening(s);
    loop_cancel(s->intake.env->loop, &s->turn);
    while (!list_empty(&s->all))
        connection_close(LIST_ENTRY(s->all.next, struct connection, node));
    stream_destroy_done(stream, e);
}

static void connections_free(void *self)
{
    struct connections *s = self;
    tls_context_free(&s->tls);
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
    s->at = *at;
    s->tidy = tidy;
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
