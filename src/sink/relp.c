/*
 * The relp sink: sends each record as a RELP transaction and keeps it until the peer has answered.
 *
 * relp_frame.h   what goes over the connection
 * relp_window.h  which records wait for what
 * tcp_link.h     the connection
 *
 * Here they meet: a session is opened on each connection, and closed in the end.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/quiet.h"
#include "record/batch.h"
#include "record/wire.h"
#include "sink/relp_frame.h"
#include "sink/relp_window.h"
#include "sink/tcp_link.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define CLOSE_WAIT 2.0 /* seconds that the peer has to answer the close in the end */
#define LOOK_EVERY 1.0 /* seconds between looks at whether the peer is still there, while answers are waited for */
#define READ_SIZE  ((size_t)16 << 10)

/* As librelp, which calls what it speaks version 0. */
#define OFFERS "relp_version=0\nrelp_software=weir," PACKAGE_VERSION "\ncommands=syslog"

struct relp_settings {
    struct link_options link;
    int encoding;
    int64_t window, attempts;
    uint64_t max_record_bytes;
    double answer_timeout;
};

struct relp {
    struct stream *stream;
    struct stage_env *env;
    const struct relp_settings *set;
    struct link link;
    struct relp_window window;
    struct relp_frame frame; /* of the peer, under way */
    enum { SESSION_NONE, SESSION_OPENING, SESSION_OPEN, SESSION_CLOSING } session;
    char said[sizeof OFFERS + RELP_HEAD_MAX]; /* the frame that opens or closes it */
    size_t said_len, said_at;
    ev_timer timer;     /* while anything is waited for from the peer */
    double heard;       /* when it last answered, or had nothing to answer */
    bool again;         /* it has refused a record: as soon as all others are answered, it is sent again in a new session */
    char refusal[RELP_WORDS_MAX + 60]; /* with these words */
    bool writing;       /* a write hook waits until its records are sent */
    bool ending;        /* no more are coming */
    struct quiet quiet; /* about refused records */
};

static const char *const encodings[] = {"auto", "json", "text", NULL};

#define AT(field) offsetof(struct relp_settings, field)
static const struct option options[] = {
    LINK_ADDRESS_OPTIONS(struct relp_settings, link),
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone."},
    {.key = "window", .type = OPTION_INT, .offset = AT(window), .fallback = "128", .min = 1, .max = 65536,
     .words = "How many records may be sent without an answer. They are what may arrive twice after a lost connection."},
    {.key = "answer_timeout", .type = OPTION_DURATION, .offset = AT(answer_timeout), .fallback = "\"90s\"", .min = 10, .max = 86400000,
     .words = "A peer that answers nothing for so long, although something waits for its answer, is given up, and the connection made anew. "
              "The answer that opens a session has connect_timeout."},
    {.key = "attempts", .type = OPTION_INT, .offset = AT(attempts), .fallback = "5", .max = RELP_ATTEMPTS_MAX,
     .words = "How often a record is sent that the peer answers with an error before it counts as refused for good and is dropped, counted and "
              "logged; 0: without end."},
    {.key = "max_record_bytes", .type = OPTION_SIZE, .offset = AT(max_record_bytes), .fallback = "\"128KiB\"", .min = 1, .max = RELP_LENGTH_MAX,
     .words = "A longer record is not sent but dropped, counted and logged. The default is what RELP allows; a peer may take more, or less."},
    LINK_OPTIONS(struct relp_settings, link),
    {0},
};

/* ---- the timer ----------------------------------------------------------------------------------- */

static void timer_in(struct relp *t, double seconds)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    ev_timer_set(&t->timer, seconds, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->timer);
}

static double now(const struct relp *t)
{
    return ev_now(loop_ev(t->env->loop));
}

/* Look whether the peer is still there, and not later than when its time for an answer is over. */
static void look_soon(struct relp *t)
{
    double left = t->heard + t->set->answer_timeout - now(t);
    timer_in(t, left < 0 ? 0 : left < LOOK_EVERY ? left : LOOK_EVERY);
}

/* ---- the session --------------------------------------------------------------------------------- */

static void lost(struct relp *t, const char *why)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    t->session = SESSION_NONE;
    t->again = false;
    relp_window_rewind(&t->window);
    link_lost(&t->link, why);
}

static void say(struct relp *t, const char *command, const char *data)
{
    size_t len = strlen(data);
    size_t n = relp_frame_head(t->said, t->session == SESSION_OPENING ? 1 : relp_window_txnr(&t->window), command, len);
    memcpy(t->said + n, data, len);
    t->said[n + len] = '\n';
    t->said_len = n + len + 1;
    t->said_at = 0;
}

/* The end: nothing is waited for any more. */
static void finish(struct relp *t)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    if (t->link.state == LINK_UP)
        link_finish(&t->link);
    link_close(&t->link);
    t->session = SESSION_NONE;
    t->ending = false;
    stream_final_done(t->stream, NULL);
}

/* An orderly end: when everything was answered, close the session, and wait (not without bound) for the answer to that. */
static void finish_if_done(struct relp *t)
{
    if (!t->ending || t->session == SESSION_CLOSING || !relp_window_is_empty(&t->window))
        return;
    if (t->session != SESSION_OPEN) {
        finish(t);
        return;
    }
    t->session = SESSION_CLOSING;
    say(t, "close", "");
    timer_in(t, CLOSE_WAIT);
}

/* Send what there is. 1: when the connection takes more; 0: nothing to do before an answer or a record comes; -1: it is lost. */
static int send_all(struct relp *t)
{
    while (t->said_at < t->said_len) {
        struct iovec rest = {t->said + t->said_at, t->said_len - t->said_at};
        ssize_t n = link_send(&t->link, &rest, 1);
        if (n <= 0)
            return n < 0 ? -1 : 1;
        t->said_at += (size_t)n;
    }
    if (t->session != SESSION_OPEN || t->again)
        return 0;
    bool waits = t->window.open > 0;
    int more = relp_window_send(&t->window, &t->link);
    if (!waits && t->window.open > 0) {
        t->heard = now(t);
        look_soon(t);
    }
    return more;
}

static void pump(struct relp *t)
{
    finish_if_done(t);
    if (t->link.state != LINK_UP)
        return;
    int more = send_all(t);
    if (more < 0 || link_flush(&t->link) != 0) {
        lost(t, t->link.why);
        finish_if_done(t);
        return;
    }
    link_watch(&t->link, more > 0);
    if (!t->writing || !relp_window_is_sent(&t->window))
        return;
    t->writing = false;
    stream_write_done(t->stream, NULL);
}

static void on_up(struct link *l)
{
    struct relp *t = LIST_ENTRY(l, struct relp, link);
    t->session = SESSION_OPENING;
    relp_frame_reset(&t->frame);
    say(t, "open", OFFERS);
    timer_in(t, t->set->link.connect_timeout);
    pump(t);
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void tell_refused(struct relp *t, const struct relp_answer *a)
{
    uint64_t before = 0;
    char more[64];
    if (!quiet_may(&t->quiet, &before))
        return;
    quiet_words(before, more, sizeof more);
    log_warn(t->env->scope, "the peer refuses a record for good: %d %s: dropped%s", a->code, a->words, more);
}

static void opened(struct relp *t, const struct relp_answer *a)
{
    char why[RELP_WORDS_MAX + 60];
    const char *missing = a->code == 200 ? relp_frame_refusal(a->rest) : NULL;
    if (t->frame.txnr != 1) {
        lost(t, "the peer answers what it was not sent");
    } else if (a->code != 200) {
        snprintf(why, sizeof why, "the peer refuses a RELP session: %d %s", a->code, a->words);
        lost(t, why);
    } else if (missing != NULL) {
        snprintf(why, sizeof why, "the peer does not offer %s", missing);
        lost(t, why);
    } else {
        ev_timer_stop(loop_ev(t->env->loop), &t->timer);
        t->session = SESSION_OPEN;
    }
}

static void answered(struct relp *t, const struct relp_answer *a)
{
    switch (relp_window_answer(&t->window, t->frame.txnr, a->code == 200, (unsigned)t->set->attempts)) {
    case RELP_UNKNOWN: lost(t, "the peer answers what it was not sent"); return;
    case RELP_DELIVERED: link_worked(&t->link); break;
    case RELP_REFUSED: tell_refused(t, a); break;
    case RELP_AGAIN:
        t->again = true;
        snprintf(t->refusal, sizeof t->refusal, "the peer refuses a record, which is sent again: %d %s", a->code, a->words);
        break;
    }
    t->heard = now(t);
    if (t->window.open == 0)
        ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    if (t->again && t->window.open == 0)
        lost(t, t->refusal);
}

/* A whole frame of the peer. */
static void hear(struct relp *t)
{
    struct relp_answer a;
    if (t->frame.txnr == 0 && strcmp(t->frame.command, "serverclose") == 0) {
        if (t->session == SESSION_CLOSING)
            finish(t);
        else
            lost(t, "the peer closes the session");
    } else if (strcmp(t->frame.command, "rsp") == 0 && t->session == SESSION_CLOSING) {
        finish(t); /* librelp's has no code */
    } else if (strcmp(t->frame.command, "rsp") != 0 || !relp_frame_answer(&t->frame, &a)) {
        lost(t, "the peer sends what is no answer");
    } else if (t->session == SESSION_OPENING) {
        opened(t, &a);
    } else {
        answered(t, &a);
    }
}

/* Take the ${len} bytes that came. */
static void listen_to(struct relp *t, const char *data, size_t len)
{
    size_t used;
    for (size_t at = 0; at < len && t->session != SESSION_NONE; at += used) {
        switch (relp_frame_read(&t->frame, data + at, len - at, &used)) {
        case RELP_MORE: break;
        case RELP_WHOLE: hear(t); break;
        case RELP_BAD: {
            char why[100];
            snprintf(why, sizeof why, "the peer does not speak RELP: %s", t->frame.bad);
            lost(t, why);
            break;
        }
        }
    }
}

static void on_ready(struct link *l, int events)
{
    struct relp *t = LIST_ENTRY(l, struct relp, link);
    char text[READ_SIZE];
    enum link_heard heard = LINK_NOTHING;
    size_t got = 1;
    while ((events & EV_READ) && heard == LINK_NOTHING && got > 0) {
        heard = link_read(l, text, sizeof text, &got);
        listen_to(t, text, got);
        if (t->session == SESSION_NONE)
            break; /* lost, or finished */
        if (!link_has_more(l))
            got = 0;
    }
    if (heard != LINK_NOTHING && t->session == SESSION_CLOSING)
        finish(t);
    else if (heard != LINK_NOTHING && t->session != SESSION_NONE)
        lost(t, l->why);
    pump(t);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct relp *t = w->data;
    switch (t->session) {
    case SESSION_OPENING: lost(t, "no answer to open within connect_timeout: does the peer speak RELP?"); break;
    case SESSION_CLOSING: finish(t); return;
    case SESSION_OPEN:
        if (link_is_dead(&t->link))
            lost(t, "no acknowledgement for longer than user_timeout");
        else if (now(t) - t->heard >= t->set->answer_timeout)
            lost(t, "no answer within answer_timeout");
        else
            look_soon(t);
        break;
    case SESSION_NONE: break; /* it does not run */
    }
    finish_if_done(t);
}

/* ---- the stream ---------------------------------------------------------------------------------- */

static void relp_construct(struct stream *s, void *self)
{
    struct relp *t = self;
    link_open(&t->link);
    stream_construct_done(s, NULL);
}

static void relp_write(struct stream *s, void *self, struct chunk *c)
{
    struct relp *t = self;
    struct err e = {0};
    size_t longs = 0;
    t->env->stats->records_in += chunk_records(c);
    struct wire *w = wire_new(t->env->pool, c, (enum render_encoding)t->set->encoding, WIRE_NEWLINE);
    if (w != NULL)
        t->env->stats->bytes_in += w->bytes;
    if (w == NULL || relp_window_add(&t->window, w, t->set->max_record_bytes, &longs) != 0) {
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    uint64_t before = 0;
    if (longs > 0 && quiet_may(&t->quiet, &before))
        log_warn(t->env->scope, "records longer than max_record_bytes %" PRIu64 ": %zu dropped", t->set->max_record_bytes, longs);
    t->writing = true;
    pump(t);
    if (t->writing && relp_window_is_sent(&t->window)) { /* none of it is to be sent */
        t->writing = false;
        stream_write_done(s, NULL);
    }
}

static void relp_final(struct stream *s, void *self)
{
    (void)s;
    struct relp *t = self;
    t->ending = true;
    link_hurry(&t->link);
    pump(t);
}

static void relp_destroy(struct stream *s, void *self, const struct err *e)
{
    struct relp *t = self;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    link_close(&t->link);
    relp_window_clear(&t->window);
    stream_destroy_done(s, e);
}

static const struct stream_ops ops = {
    .type = "relp",
    .construct = relp_construct,
    .write = relp_write,
    .final = relp_final,
    .destroy = relp_destroy,
    .free = mem_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct relp *t = mem_zalloc(1, sizeof *t);
    if (t == NULL) {
        err_nomem(e);
        return NULL;
    }
    t->env = env;
    t->set = settings;
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    link_init(&t->link, env, &t->set->link);
    t->link.up = on_up;
    t->link.ready = on_ready;
    struct stream_opts o = stage_stream_opts(env);
    if (relp_window_init(&t->window, env, (size_t)t->set->window) != 0)
        err_nomem(e);
    else
        t->stream = stream_writable_new(&ops, t, &o, e);
    struct stream *stream = t->stream;
    if (stream == NULL) {
        relp_window_clear(&t->window);
        mem_free(t);
    }
    return stream;
}

static void check(const void *settings, struct config_report *report)
{
    const struct relp_settings *set = settings;
    tls_check(TLS_CLIENT, &set->link.tls, report);
}

static void stop(struct stream *s)
{
    struct relp *t = stream_self(s);
    link_hurry(&t->link);
}

/* The frames as they would be on a fresh connection, where 1 is the transaction that opens the session. */
static int preview(const void *settings, const struct stage_env *env, struct chunk *c, struct buf *out, struct buf *place)
{
    const struct relp_settings *set = settings;
    struct buf text = {0};
    uint32_t txnr = 1;
    (void)env;
    link_places(&set->link, place);
    const struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count; i++) {
        char head[RELP_HEAD_MAX];
        text.len = 0;
        render_record(&text, &b->records[i], (enum render_encoding)set->encoding);
        if (text.len > set->max_record_bytes)
            continue;
        buf_add(out, head, relp_frame_head(head, ++txnr, "syslog", text.len));
        buf_add(out, text.data, text.len);
        buf_char(out, '\n');
    }
    bool failed = text.failed || out->failed;
    buf_clear(&text);
    return failed ? -1 : 0;
}

const struct stage stage_relp = {
    .kind = STAGE_SINK,
    .type = "relp",
    .summary = "Sends records to a syslog server by RELP, which answers each.",
    .description =
        "RELP is the Reliable Event Logging Protocol of rsyslog (imrelp) and others. Each record is a transaction of its own, whatever is in it, line "
        "feeds too. Delivered means: the peer has answered it with 200. When the connection is lost, or the peer does not answer within "
        "answer_timeout, what was not answered is sent again over the next one: a record may arrive twice, none is left out, also when the peer "
        "crashes. What the peer has done before it answers is its own to say: rsyslog has put the record into its queue.\n\n"
        "An answer other than 200 is no fault of the connection, and RELP does not tell whether it is meant for good (rsyslog gives none to a "
        "record; its own sender throws such a record away). So the record is sent again, in a new session after the backoff, "
        "when everything that was under way is answered; the fifth time (`attempts`) it counts as refused. A peer that answers nothing but errors is "
        "tried with one record at a time, at longer and longer intervals up to 10 s, so that a trouble that passes costs few records or none.\n\n"
        "A record longer than max_record_bytes is dropped. rsyslog cuts what is longer than its own global(maxMessageSize=\"8k\") and answers "
        "200 all the same: set that to as much as max_record_bytes.\n\n"
        "In the end everything is answered, then the session is closed. Connections, their loss and TLS are those of tcp.",
    .example = "{ \"type\": \"relp\", \"address\": \"127.0.0.1:2514\" }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = sizeof(struct relp_settings),
    .check = check,
    .open = open_stage,
    .stop = stop,
    .preview = preview,
};
