/*
 * The tcp sink: sends records over a connection and keeps them until the peer's kernel has acknowledged them.
 *
 * Wires stand in one list in the order they came; those before `next` are wholly in the kernel's hands, the others have still
 * to be sent. Positions count the bytes of the present connection. SIOCOUTQ says how many of them are not acknowledged yet; when a
 * connection is lost everything from the first record that was not is sent again.
 */
#include "sink/tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/wire.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define PIECES_MAX    64
#define ACK_FIRST     0.001 /* seconds between looks at what was acknowledged: doubles while nothing comes */
#define ACK_MOST      0.256
#define FIN_WAIT      2.0   /* seconds that the peer has to close in the end */

enum { ACK_KERNEL, ACK_NONE };

struct tcp_settings {
    struct link_options link;
    int framing, ack, encoding;
};

struct tcp {
    struct stream *stream;
    struct stage_env *env;
    const struct tcp_settings *set;
    struct link link;
    struct list wires;
    struct list *next;     /* the first wire that is not wholly sent; the list's head: none */
    uint64_t sent, acked;  /* bytes of this connection */
    ev_timer ack_timer;
    double ack_wait;
    bool writing;          /* a write hook waits until its wire is sent */
    enum { TCP_OPEN, TCP_ENDING, TCP_FIN } phase;
};

static const char *const framings[] = {"newline", "octet_counting", NULL};
static const char *const absent_framings[] = {"length_prefix", NULL};
static const char *const acks[] = {"kernel", "none", NULL};
static const char *const encodings[] = {"auto", "json", "text", NULL};

#define AT(field) offsetof(struct tcp_settings, field)
static const struct option options[] = {
    {.key = "address", .type = OPTION_ADDRESS, .offset = AT(link.address), .required = true,
     .words = "Where to send to: \"host:port\" or \"[v6]:port\". A name is looked up at each connection, and each address "
              "it has gets its turn."},
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. Not used for bytes."},
    {.key = "framing", .type = OPTION_CHOICE, .offset = AT(framing), .fallback = "\"newline\"",
     .choices = framings, .absent = absent_framings,
     .words = "newline: a line feed behind each record; octet_counting: its length and a space before it (RFC 6587). "
              "Bytes are sent as they are."},
    {.key = "ack", .type = OPTION_CHOICE, .offset = AT(ack), .fallback = "\"kernel\"",
     .choices = acks,
     .words = "When a record counts as delivered: kernel: when the peer's kernel has acknowledged it; none: when it was "
              "written to the socket."},
    {.key = "connect_timeout", .type = OPTION_DURATION, .offset = AT(link.connect_timeout),
     .fallback = "\"5s\"", .min = 10, .max = 600000,
     .words = "How long one attempt to connect may take."},
    {.key = "user_timeout", .type = OPTION_DURATION, .offset = AT(link.user_timeout),
     .fallback = "\"30s\"", .max = 86400000,
     .words = "A connection on which sent data is not acknowledged for so long, although it was sent again, is given up and made anew; 0: "
              "as the kernel decides. A peer that is only slow to read is waited for, without end."},
    {.key = "keepalive", .type = OPTION_BOOL, .offset = AT(link.keepalive), .fallback = "true",
     .words = "Probe a silent connection after a minute, so that a vanished peer is noticed."},
    {.key = "tls", .type = OPTION_ABSENT, .words = "TLS"},
    {0},
};

static struct wire *wire_at(struct list *node)
{
    return LIST_ENTRY(node, struct wire, node);
}

/* ---- acknowledgement --------------------------------------------------------------------------- */

static void delivered(struct tcp *t, struct wire *w)
{
    t->env->stats->records_out += w->records;
    t->env->stats->bytes_out += w->bytes;
    wire_delivered(&w);
}

/* Let go of the wires that end at or before the acknowledged position. */
static void settle(struct tcp *t)
{
    while (t->wires.next != t->next) {
        struct wire *w = wire_at(t->wires.next);
        if (w->start + (int64_t)w->bytes > (int64_t)t->acked)
            break;
        delivered(t, w);
    }
}

/* Ask the kernel what the peer's has acknowledged. Returns whether that was any more. */
static bool look(struct tcp *t)
{
    int queued = 0;
    uint64_t acked = t->sent;
    if (t->set->ack == ACK_KERNEL) {
        if (ioctl(t->link.fd, SIOCOUTQ, &queued) != 0)
            return false;
        acked = t->sent - (uint64_t)queued;
    }
    if (acked <= t->acked)
        return false;
    t->acked = acked;
    t->link.failures = 0;
    settle(t);
    return true;
}

static void ack_soon(struct tcp *t)
{
    struct ev_loop *ev = loop_ev(t->env->loop);
    if (ev_is_active(&t->ack_timer) || t->acked == t->sent)
        return;
    ev_timer_set(&t->ack_timer, t->ack_wait, 0.);
    ev_timer_start(ev, &t->ack_timer);
}

/* Sent, sent again, and no sign of life: not a slow reader (whose kernel answers) but a dead one. */
static bool is_dead(const struct tcp *t)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    double most = t->set->link.user_timeout;
    if (most <= 0 || getsockopt(t->link.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false;
    return info.tcpi_unacked > 0 && info.tcpi_retransmits > 0 &&
           info.tcpi_last_ack_recv > most * 1000;
}

/* ---- sending ----------------------------------------------------------------------------------- */

/* The connection is gone: from the first record that was not acknowledged on, everything has to be sent again. */
static void lost(struct tcp *t, const char *why)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->ack_timer);
    settle(t);
    if (!list_empty(&t->wires)) {
        struct wire *w = wire_at(t->wires.next);
        if (w->sent > 0)
            w->sent = wire_boundary(w, (size_t)((int64_t)t->acked - w->start));
        w->start = -(int64_t)w->sent;
        for (struct list *n = t->wires.next->next; n != &t->wires; n = n->next)
            wire_at(n)->sent = 0;
    }
    t->next = t->wires.next;
    t->sent = t->acked = 0;
    link_lost(&t->link, why);
}

static void finish_if_done(struct tcp *t)
{
    if (t->phase != TCP_ENDING || !list_empty(&t->wires))
        return;
    t->phase = TCP_FIN;
    if (t->link.state != LINK_UP) {
        stream_final_done(t->stream, NULL);
        return;
    }
    /* An orderly end: tell the peer, and wait (not without bound) until it has read everything and closes too. */
    shutdown(t->link.fd, SHUT_WR);
    ev_timer_stop(loop_ev(t->env->loop), &t->ack_timer);
    ev_timer_set(&t->ack_timer, FIN_WAIT, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->ack_timer);
}

/* Give the kernel as much of ${w} as it takes. 1: all; 0: it is full; -1: the connection is lost. */
static int send_wire(struct tcp *t, struct wire *w)
{
    struct iovec pieces[PIECES_MAX];
    while (w->sent < w->bytes) {
        struct msghdr msg = {.msg_iov = pieces};
        msg.msg_iovlen = (size_t)wire_pieces(w, w->sent, pieces, PIECES_MAX);
        ssize_t n = sendmsg(t->link.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
            return 0;
        if (n < 0) {
            lost(t, strerror(errno));
            return -1;
        }
        w->sent += (size_t)n;
        t->sent += (uint64_t)n;
    }
    return 1;
}

static void pump(struct tcp *t)
{
    if (t->link.state != LINK_UP)
        return;
    while (t->next != &t->wires) {
        struct wire *w = wire_at(t->next);
        w->start = (int64_t)t->sent - (int64_t)w->sent; /* before 0: the connection begins inside it */
        int rc = send_wire(t, w);
        if (rc < 0)
            return;
        if (rc == 0) {
            link_want(&t->link, EV_READ | EV_WRITE);
            break;
        }
        t->next = t->next->next;
    }
    bool all = t->next == &t->wires;
    if (look(t))
        t->ack_wait = ACK_FIRST;
    ack_soon(t);
    if (!all)
        return;
    link_want(&t->link, EV_READ);
    if (t->writing) {
        t->writing = false;
        stream_write_done(t->stream, NULL);
    }
    finish_if_done(t);
}

static void on_up(struct link *l)
{
    struct tcp *t = LIST_ENTRY(l, struct tcp, link);
    t->ack_wait = ACK_FIRST;
    pump(t);
}

/* Nothing is expected from the peer: what it says is thrown away, what matters is when it hangs up. */
static void on_ready(struct link *l, int events)
{
    struct tcp *t = LIST_ENTRY(l, struct tcp, link);
    char scratch[4096];
    if (events & EV_READ) {
        ssize_t n = recv(l->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        bool closed = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
        if (closed && t->phase == TCP_FIN) {
            stream_final_done(t->stream, NULL);
            link_close(l);
            return;
        }
        if (closed) {
            if (n == 0)
                look(t);
            lost(t, n == 0 ? "the peer closed the connection" : strerror(errno));
            finish_if_done(t);
            return;
        }
    }
    if (events & EV_WRITE)
        pump(t);
}

static void on_ack_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct tcp *t = w->data;
    if (t->phase == TCP_FIN) {
        stream_final_done(t->stream, NULL);
        link_close(&t->link);
        return;
    }
    if (t->link.state != LINK_UP)
        return;
    if (look(t))
        t->ack_wait = ACK_FIRST;
    else if (t->ack_wait < ACK_MOST)
        t->ack_wait *= 2;
    if (t->acked < t->sent && is_dead(t)) {
        lost(t, "no acknowledgement for longer than user_timeout");
        return;
    }
    ack_soon(t);
    finish_if_done(t);
}

/* ---- the stream -------------------------------------------------------------------------------- */

static void tcp_construct(struct stream *s, void *self)
{
    struct tcp *t = self;
    link_open(&t->link);
    stream_construct_done(s, NULL);
}

static void tcp_write(struct stream *s, void *self, struct chunk *c)
{
    struct tcp *t = self;
    t->env->stats->records_in += chunk_records(c);
    struct wire *w = wire_new(t->env->pool, c, (enum render_encoding)t->set->encoding,
                              (enum wire_framing)t->set->framing);
    if (w == NULL) {
        struct err e = {0};
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    t->env->stats->bytes_in += w->bytes;
    list_push(&t->wires, &w->node);
    if (t->next == &t->wires)
        t->next = &w->node;
    t->writing = true;
    pump(t);
}

static void tcp_final(struct stream *s, void *self)
{
    (void)s;
    struct tcp *t = self;
    t->phase = TCP_ENDING;
    link_hurry(&t->link);
    finish_if_done(t);
}

static void tcp_destroy(struct stream *s, void *self, const struct err *e)
{
    struct tcp *t = self;
    ev_timer_stop(loop_ev(t->env->loop), &t->ack_timer);
    link_close(&t->link);
    while (!list_empty(&t->wires)) {
        struct wire *w = wire_at(t->wires.next);
        wire_free(&w);
    }
    t->next = &t->wires;
    stream_destroy_done(s, e);
}

static const struct stream_ops ops = {
    .type = "tcp",
    .construct = tcp_construct,
    .write = tcp_write,
    .final = tcp_final,
    .destroy = tcp_destroy,
    .free = mem_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct tcp *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->env = env;
    t->set = settings;
    list_init(&t->wires);
    t->next = &t->wires;
    ev_timer_init(&t->ack_timer, on_ack_timer, 0., 0.);
    t->ack_timer.data = t;
    link_init(&t->link, env, &t->set->link);
    t->link.up = on_up;
    t->link.ready = on_ready;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = t->stream = stream_writable_new(&ops, t, &o, e);
    if (stream == NULL)
        mem_free(t);
    return stream;
}

static void stop(struct stream *s)
{
    struct tcp *t = stream_self(s);
    link_hurry(&t->link);
}

static int preview(const void *settings, const struct stage_env *env, struct chunk *c,
                   struct buf *out, struct buf *place)
{
    (void)env;
    const struct tcp_settings *set = settings;
    buf_str(place, set->link.address);
    return wire_preview(c, (enum render_encoding)set->encoding, (enum wire_framing)set->framing, out);
}

const struct stage stage_tcp = {
    .kind = STAGE_SINK,
    .type = "tcp",
    .summary = "Sends records over a TCP connection.",
    .description =
        "Delivered means: the peer's kernel has acknowledged the bytes (SIOCOUTQ). Until then they are kept, and when the "
        "connection is lost, sending goes on with the first record that was not acknowledged: a record may arrive twice, but "
        "none is left out. What the peer's kernel has taken and the peer's program has not read when it crashes is beyond TCP's "
        "sight; protocols with answers do not have this gap.\n\n"
        "A lost connection is made again after 0.1 s, then after up to 10 s, with jitter, without end. Names are looked up "
        "beside the pipeline, which goes on meanwhile.",
    .example = "{ \"type\": \"tcp\", \"address\": \"127.0.0.1:5170\", \"framing\": \"newline\" }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = sizeof(struct tcp_settings),
    .open = open_stage,
    .stop = stop,
    .preview = preview,
};
