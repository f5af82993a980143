/*
 * The tcp sink: sends records over a connection and keeps them until the peer's kernel has acknowledged them.
 *
 * tcp_flight.h  which records those are
 * tcp_link.h    the connection
 *
 * Here both meet: SIOCOUTQ says how much is not acknowledged yet, and a timer asks.
 */
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/wire.h"
#include "sink/tcp_flight.h"
#include "sink/tcp_link.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define ACK_FIRST 0.001 /* seconds between looks at what was acknowledged: doubles while nothing comes */
#define ACK_MOST  0.256
#define FIN_WAIT  2.0   /* seconds that the peer has to close in the end */

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
    struct flight flight;
    ev_timer ack_timer;
    double ack_wait;
    bool writing;          /* a write hook waits until its wire is sent */
    enum { TCP_OPEN, TCP_ENDING, TCP_FIN } phase;
};

static const char *const framings[] = {
    [WIRE_NEWLINE] = "newline",
    [WIRE_OCTET_COUNTING] = "octet_counting",
    [WIRE_LENGTH_PREFIX] = "length_prefix",
    NULL,
};
static const char *const acks[] = {"kernel", "none", NULL};
static const char *const encodings[] = {"auto", "json", "text", NULL};

#define AT(field) offsetof(struct tcp_settings, field)
static const struct option options[] = {
    LINK_ADDRESS_OPTIONS(struct tcp_settings, link),
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. Not used for bytes."},
    {.key = "framing", .type = OPTION_CHOICE, .offset = AT(framing), .fallback = "\"newline\"",
     .choices = framings,
     .words = "newline: a line feed behind each record; octet_counting: its length and a space before it (RFC 6587); length_prefix: its "
              "length before it, as 4 bytes, most significant first. Bytes are sent as they are."},
    {.key = "ack", .type = OPTION_CHOICE, .offset = AT(ack), .fallback = "\"kernel\"",
     .choices = acks,
     .words = "When a record counts as delivered: kernel: when the peer's kernel has acknowledged it; none: when it was "
              "written to the socket."},
    LINK_OPTIONS(struct tcp_settings, link),
    {0},
};

/* ---- acknowledgement --------------------------------------------------------------------------- */

/* Ask the kernel what the peer's has acknowledged. Returns whether that was any more. */
static bool look(struct tcp *t)
{
    if (!flight_reach(&t->flight, link_delivered(&t->link, t->set->ack == ACK_NONE)))
        return false;
    link_worked(&t->link);
    return true;
}

static void ack_soon(struct tcp *t)
{
    if (ev_is_active(&t->ack_timer) || t->flight.acked == t->flight.sent)
        return;
    ev_timer_set(&t->ack_timer, t->ack_wait, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->ack_timer);
}

/* ---- sending ----------------------------------------------------------------------------------- */

static void lost(struct tcp *t, const char *why)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->ack_timer);
    flight_rewind(&t->flight);
    link_lost(&t->link, why);
}

static void finish_if_done(struct tcp *t)
{
    if (t->phase != TCP_ENDING || !flight_is_empty(&t->flight))
        return;
    t->phase = TCP_FIN;
    if (t->link.state != LINK_UP) {
        stream_final_done(t->stream, NULL);
        return;
    }
    /* An orderly end: tell the peer, and wait (not without bound) until it has read everything and closes too. */
    link_finish(&t->link);
    ev_timer_stop(loop_ev(t->env->loop), &t->ack_timer);
    ev_timer_set(&t->ack_timer, FIN_WAIT, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->ack_timer);
}

static void pump(struct tcp *t)
{
    if (t->link.state != LINK_UP)
        return;
    if (flight_send(&t->flight, &t->link) != 0 || link_flush(&t->link) != 0) {
        lost(t, t->link.why);
        return;
    }
    bool all = flight_is_sent(&t->flight);
    if (look(t))
        t->ack_wait = ACK_FIRST;
    ack_soon(t);
    link_watch(&t->link, !all);
    if (!all)
        return;
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
    if (events & EV_READ) {
        enum link_heard heard = link_receive(l);
        if (heard != LINK_NOTHING && t->phase == TCP_FIN) {
            stream_final_done(t->stream, NULL);
            link_close(l);
            return;
        }
        if (heard == LINK_ENDED)
            look(t);
        if (heard != LINK_NOTHING) {
            lost(t, l->why);
            finish_if_done(t);
            return;
        }
        link_watch(l, !flight_is_sent(&t->flight)); /* TLS may have had to answer */
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
    if (t->flight.acked < t->flight.sent && link_is_dead(&t->link)) {
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
    flight_add(&t->flight, w);
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
    flight_clear(&t->flight);
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
    flight_init(&t->flight, env->stats);
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

static void check(const void *settings, struct config_report *report)
{
    const struct tcp_settings *set = settings;
    tls_check(TLS_CLIENT, &set->link.tls, report);
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
    link_places(&set->link, place);
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
        "sight; protocols with answers do not have this gap. With TLS it is the encrypted bytes that are acknowledged, and a record "
        "counts when the TLS record with its last byte was.\n\n"
        "A lost connection is made again after 0.1 s, then after up to 10 s, with jitter, without end. Names are looked up "
        "beside the pipeline, which goes on meanwhile. A peer that is only slow to read is waited for, without end.",
    .example = "{ \"type\": \"tcp\", \"address\": \"127.0.0.1:5170\", \"framing\": \"newline\" }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = sizeof(struct tcp_settings),
    .check = check,
    .open = open_stage,
    .stop = stop,
    .preview = preview,
};
