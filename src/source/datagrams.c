#include "source/datagrams.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/lines.h"
#include "source/intake.h"
#include "source/peers.h"
#include "base/quiet.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define BATCH_MAX  64                   /* datagrams of one recvmmsg(2) */
#define SPACE      ((size_t)512 << 10)  /* that a read should have, if that is no more than a share of the memory */
#define SHARE      8
#define UDP_MOST   ((size_t)64 << 10)   /* no datagram is longer */
#define UNIX_MOST  ((size_t)256 << 10)  /* nor here, as the kernel comes (net.core.wmem_default) */
#define BOOKS      256                  /* bytes that the kernel counts for a datagram besides, at least */
#define LOOK_EVERY 1.0                  /* seconds between questions for what was lost */

struct datagrams {
    struct intake intake;
    struct datagrams_options set;
    struct listen_at at;
    struct listen listen;
    ev_io io;
    ev_timer look;        /* runs while something comes, or cannot be read */
    struct step turn;
    struct quiet quiet;
    uint64_t received;    /* bytes, a terminator for each record included: metadata @offset */
    uint32_t lost;        /* as the kernel counts */
    bool active;          /* something came since the last look */
    size_t left;          /* when stopping: bytes that are still read at most */
    struct mmsghdr msgs[BATCH_MAX];
    struct iovec places[BATCH_MAX];
    struct sockaddr_storage from[BATCH_MAX];
    struct peers peers;
};

static struct ev_loop *loop_of(const struct datagrams *s)
{
    return loop_ev(s->intake.env->loop);
}

static const char *scope_of(const struct datagrams *s)
{
    return s->intake.env->scope;
}

/* ---- what is lost -------------------------------------------------------------------------------- */

/* Ask the kernel how many datagrams it had no room for. */
static void count_lost(struct datagrams *s)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (s->at.kind != LISTEN_UDP || s->listen.fd < 0 ||
        getsockopt(s->listen.fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
        return;
    uint32_t n = info[SK_MEMINFO_DROPS] - s->lost;
    if (n == 0)
        return;
    s->lost += n;
    s->active = true;
    stage_dropped(s->intake.env, "receive buffer overflow", n);
    log_warn(scope_of(s), "%" PRIu32 " datagrams lost: the receive buffer of the kernel was full", n);
}

static void look_later(struct datagrams *s)
{
    if (s->at.kind != LISTEN_UDP || ev_is_active(&s->look))
        return;
    ev_now_update(loop_of(s));
    ev_timer_set(&s->look, LOOK_EVERY, 0.);
    ev_timer_start(loop_of(s), &s->look);
}

/* Once more as long as something happens, or the kernel has to hold what cannot be read. */
static void on_look(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct datagrams *s = w->data;
    bool again = s->active || !ev_is_active(&s->io);
    s->active = false;
    count_lost(s);
    if (again || s->active)
        look_later(s);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void schedule(struct intake *in)
{
    struct datagrams *s = LIST_ENTRY(in, struct datagrams, intake);
    if (!in->wanted || in->over || s->listen.fd < 0)
        return;
    if (s->intake.draining)
        loop_next(in->env->loop, &s->turn);
    else
        ev_io_start(loop_of(s), &s->io);
}

/* Room in a slab for a few datagrams, each with a terminator. */
static char *space(struct datagrams *s, size_t *room)
{
    size_t one = (size_t)s->set.max_bytes + 1, share = pool_limit(s->intake.env->pool) / SHARE;
    size_t want = share < SPACE ? share : SPACE;
    struct slab *slab = s->intake.slab;
    if (slab != NULL && slab->refs > 1 && slab->size - s->intake.fill >= one)
        want = one; /* the rest of this one first */
    return intake_space(&s->intake, want > one ? want : one, room);
}

/* Ask the kernel for what it has, at ${to}. How many came; -1 with errno. */
static int receive(struct datagrams *s, char *to, size_t room)
{
    size_t one = (size_t)s->set.max_bytes + 1, n = room / one;
    if (n > BATCH_MAX)
        n = BATCH_MAX;
    for (size_t i = 0; i < n; i++) {
        s->places[i] = (struct iovec){to + i * one, one - 1};
        s->msgs[i].msg_hdr = (struct msghdr){.msg_name = &s->from[i], .msg_namelen = sizeof s->from[i],
                                             .msg_iov = &s->places[i], .msg_iovlen = 1};
    }
    return recvmmsg(s->listen.fd, s->msgs, (unsigned)n, MSG_DONTWAIT, NULL);
}

static void was_cut(struct datagrams *s, const char *peer)
{
    uint64_t before;
    char more[64];
    s->intake.env->stats->truncated++;
    if (!quiet_may(&s->quiet, &before))
        return;
    quiet_words(before, more, sizeof more);
    log_warn(scope_of(s), "%s: datagram is longer than max_datagram_bytes %" PRIu64 ": truncated%s",
             peer != NULL ? peer : "unnamed peer", s->set.max_bytes, more);
}

/* Datagram ${i} becomes a record at ${to}, with a terminator of ours, so that neighbours can be sent as one piece. How many bytes it
 * takes there; -1: no memory. */
static ssize_t add_record(struct datagrams *s, struct batch *b, unsigned i, char *to)
{
    size_t len = s->msgs[i].msg_len;
    memmove(to, s->places[i].iov_base, len);
    bool cut = (s->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    size_t text = len > 0 && !cut && to[len - 1] == '\n' ? len - 1 : len;
    if (text == 0 && s->set.tidy)
        return 0;
    to[text] = '\n';
    if (lines_add_rest(b, to, text, false) != 0)
        return -1;
    struct record *r = &b->records[b->count - 1];
    r->flags |= RECORD_ENDED;
    if (cut) {
        r->flags |= RECORD_TRUNCATED;
        was_cut(s, b->body->origin->peer);
    }
    return (ssize_t)text + 1;
}

static struct origin *origin_of(struct datagrams *s, unsigned i)
{
    return peers_origin(&s->peers, s->intake.env, &s->from[i], s->msgs[i].msg_hdr.msg_namelen);
}

static bool same_sender(const struct datagrams *s, unsigned i, unsigned k)
{
    socklen_t len = s->msgs[i].msg_hdr.msg_namelen;
    return len == s->msgs[k].msg_hdr.msg_namelen && memcmp(&s->from[i], &s->from[k], len) == 0;
}

/* The run of datagrams from ${first} on that have one sender goes on as a batch. The first after it; -1: no memory. */
static int hand_on(struct datagrams *s, unsigned first, unsigned n)
{
    struct origin *o = origin_of(s, first);
    struct batch *b = o != NULL ? batch_new(s->intake.env->pool, s->intake.slab, o) : NULL;
    char *start = s->intake.slab->data + s->intake.fill, *to = start;
    unsigned i = first;
    if (b == NULL)
        return -1;
    b->body->base_text = start;
    b->body->base_offset = s->received;
    batch_read_now(b);
    for (; i < n && same_sender(s, first, i); i++) {
        ssize_t len = add_record(s, b, i, to);
        if (len < 0) {
            struct chunk *c = &b->chunk;
            chunk_free(&c);
            return -1;
        }
        to += len;
    }
    s->received += (uint64_t)(to - start);
    intake_push(&s->intake, b, (size_t)(to - start));
    return (int)i;
}

static void fail(struct datagrams *s, int error)
{
    struct err e = {0};
    if (error == 0)
        err_nomem(&e);
    else
        err_sys(&e, error, "cannot receive from %s", s->at.where);
    intake_fail(&s->intake, &e);
}

static void take(struct datagrams *s, unsigned n)
{
    int i = 0;
    while (i >= 0 && i < (int)n) {
        for (int k = i; k < (int)n && s->intake.draining; k++)
            s->left -= s->msgs[k].msg_len + BOOKS < s->left ? s->msgs[k].msg_len + BOOKS : s->left;
        i = hand_on(s, (unsigned)i, n);
    }
    if (i < 0)
        fail(s, 0);
}

static void end(struct datagrams *s)
{
    count_lost(s);
    ev_timer_stop(loop_of(s), &s->look);
    listen_close(&s->listen);
    intake_end(&s->intake);
}

static void run_turn(struct step *step)
{
    struct datagrams *s = LIST_ENTRY(step, struct datagrams, turn);
    size_t room;
    if (!s->intake.wanted || s->intake.over)
        return;
    ev_io_stop(loop_of(s), &s->io);
    char *to = space(s, &room);
    if (to == NULL) {
        look_later(s);
        return; /* schedule follows */
    }
    int n = receive(s, to, room);
    s->active = true;
    look_later(s);
    if (n > 0)
        take(s, (unsigned)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
        fail(s, errno);
    if (s->intake.draining && !s->intake.over && (n <= 0 || s->left == 0))
        end(s);
    schedule(&s->intake);
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    struct datagrams *s = w->data;
    loop_defer(s->intake.env->loop, &s->turn);
}

/* ---- the stream ---------------------------------------------------------------------------------- */

/* The kernel says twice what it gives: it counts its own books too. */
static void set_buffer(struct datagrams *s)
{
    int want = (int)s->set.receive_buffer, have = 0;
    socklen_t len = sizeof have;
    if (want == 0)
        return;
    if (setsockopt(s->listen.fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof want) != 0)
        setsockopt(s->listen.fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof want);
    if (getsockopt(s->listen.fd, SOL_SOCKET, SO_RCVBUF, &have, &len) == 0 && have / 2 < want)
        log_warn(scope_of(s), "receive_buffer: the kernel gives %d bytes, not %d (see net.core.rmem_max)", have / 2, want);
}

static void datagrams_construct(struct stream *stream, void *self)
{
    struct datagrams *s = self;
    struct err e = {0};
    if (s->intake.env->dry) {
        log_warn(scope_of(s), "dry-run listens nowhere: give it records with --input");
    } else if (listen_open(&s->listen, &s->at, &e) == 0) {
        set_buffer(s);
        log_info(scope_of(s), "listening on %s", s->at.where);
        ev_io_set(&s->io, s->listen.fd, EV_READ);
    }
    stream_construct_done(stream, &e);
}

static void datagrams_read(struct stream *stream, void *self)
{
    (void)stream;
    struct datagrams *s = self;
    if (s->intake.env->dry)
        intake_end(&s->intake);
    else
        intake_want(&s->intake);
}

static void drain(struct intake *in)
{
    struct datagrams *s = LIST_ENTRY(in, struct datagrams, intake);
    int most = 0;
    socklen_t len = sizeof most;
    if (s->listen.fd < 0) {
        intake_end(in);
        return;
    }
    getsockopt(s->listen.fd, SOL_SOCKET, SO_RCVBUF, &most, &len);
    s->left = (size_t)most; /* what the kernel may hold now, at most: who goes on sending cannot keep us */
    ev_io_stop(loop_of(s), &s->io);
    schedule(in);
}

static void datagrams_destroy(struct stream *stream, void *self, const struct err *e)
{
    struct datagrams *s = self;
    intake_close(&s->intake);
    ev_io_stop(loop_of(s), &s->io);
    ev_timer_stop(loop_of(s), &s->look);
    loop_cancel(s->intake.env->loop, &s->turn);
    count_lost(s);
    listen_close(&s->listen);
    stream_destroy_done(stream, e);
}

static void datagrams_free(void *self)
{
    struct datagrams *s = self;
    peers_clear(&s->peers);
    intake_clear(&s->intake);
    mem_free(s);
}

static const struct stream_ops ops = {
    .type = "datagrams",
    .construct = datagrams_construct,
    .read = datagrams_read,
    .destroy = datagrams_destroy,
    .free = datagrams_free,
};

struct stream *datagrams_open(struct stage_env *env, const struct listen_at *at,
                              const struct datagrams_options *o, struct err *e)
{
    struct datagrams *s = mem_zalloc(1, sizeof *s);
    if (s == NULL) {
        err_nomem(e);
        return NULL;
    }
    s->set = *o;
    size_t most = at->kind == LISTEN_UDP ? UDP_MOST : UNIX_MOST;
    if (s->set.max_bytes > most)
        s->set.max_bytes = most;
    s->at = *at;
    s->listen.fd = -1;
    step_init(&s->turn, run_turn, 0);
    ev_io_init(&s->io, on_io, -1, EV_READ);
    ev_timer_init(&s->look, on_look, 0., 0.);
    s->io.data = s->look.data = s;
    intake_init(&s->intake, env, schedule, drain);
    struct stream_opts so = stage_stream_opts(env);
    struct stream *stream = s->intake.stream = stream_readable_new(&ops, s, &so, e);
    if (stream == NULL)
        datagrams_free(s);
    return stream;
}
