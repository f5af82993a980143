/*
 * The relp sink: sends each record as a RELP transaction and keeps it until the peer has answered.
 *
 * relp_frame.h    what goes over the connection
 * relp_window.h   which records wait for what
 * tcp_link.h      the connection
 * relp_session.h  where they meet
 */
#include <inttypes.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/quiet.h"
#include "record/batch.h"
#include "record/wire.h"
#include "sink/relp_session.h"
#include "stage/stage.h"
#include "stream/stream.h"

struct relp {
    struct stream *stream;
    struct stage_env *env;
    const struct relp_settings *set;
    struct relp_session session;
    bool writing; /* a write hook waits until its records are sent */
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
     .words = "How often a record is sent that the peer answers with an error before it counts as refused for good (dead_letter), and is counted and "
              "logged; 0: without end."},
    {.key = "max_record_bytes", .type = OPTION_SIZE, .offset = AT(max_record_bytes), .fallback = "\"128KiB\"", .min = 1, .max = RELP_LENGTH_MAX,
     .words = "A longer record is not sent: it is refused (dead_letter), counted and logged. The default is what RELP allows; a peer may take more, or less."},
    LINK_OPTIONS(struct relp_settings, link),
    {0},
};

/* ---- the stream ---------------------------------------------------------------------------------- */

static void on_sent(struct relp_session *session)
{
    struct relp *t = LIST_ENTRY(session, struct relp, session);
    if (!t->writing)
        return;
    t->writing = false;
    stream_write_done(t->stream, NULL);
}

static void on_closed(struct relp_session *session)
{
    stream_final_done(LIST_ENTRY(session, struct relp, session)->stream, NULL);
}

static void on_failed(struct relp_session *session)
{
    struct err e = {0};
    err_nomem(&e);
    stream_destroy(LIST_ENTRY(session, struct relp, session)->stream, &e);
}

static void relp_construct(struct stream *s, void *self)
{
    struct relp *t = self;
    link_open(&t->session.link);
    stream_construct_done(s, NULL);
}

static void tell_long(struct relp *t, size_t count)
{
    uint64_t before = 0;
    if (count > 0 && quiet_may(&t->session.quiet, &before))
        log_warn(t->env->scope, "records longer than max_record_bytes %" PRIu64 ": %zu %s", t->set->max_record_bytes, count,
                 t->env->dead_letter != NULL ? "dead letters" : "dropped");
}

/* The records of ${c} once more, without its tickets. NULL: no memory. */
static struct batch *copy_records(struct chunk *c)
{
    struct batch *from = chunk_batch(c), *b = batch_beside(from);
    for (size_t i = 0; b != NULL && i < from->count; i++) {
        struct record *r = batch_add(b);
        if (r == NULL) {
            struct chunk *dead = &b->chunk;
            chunk_free(&dead);
            return NULL;
        }
        *r = from->records[i];
    }
    if (b != NULL)
        batch_weigh(b);
    return b;
}

/* Let the window have what ${c} holds. -1: no memory. */
static int take(struct relp *t, struct chunk *c, size_t *longs)
{
    bool letters = t->env->dead_letter != NULL;
    struct batch *records = letters ? copy_records(c) : NULL;
    if (letters && records == NULL) {
        chunk_free(&c);
        return -1;
    }
    struct wire *w = wire_new(t->env->pool, c, (enum render_encoding)t->set->encoding, WIRE_NEWLINE);
    if (w == NULL) {
        struct chunk *dead = letters ? &records->chunk : NULL;
        chunk_free(&dead);
        return -1;
    }
    t->env->stats->bytes_in += w->bytes;
    return relp_window_add(&t->session.window, w, records, t->set->max_record_bytes, longs);
}

static void relp_write(struct stream *s, void *self, struct chunk *c)
{
    struct relp *t = self;
    struct err e = {0};
    size_t longs = 0;
    t->env->stats->records_in += chunk_records(c);
    if (take(t, c, &longs) != 0) {
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    tell_long(t, longs);
    t->writing = true;
    relp_session_pump(&t->session);
    if (relp_window_is_sent(&t->session.window))
        on_sent(&t->session); /* there is no connection, but none of it is to be sent */
}

static void relp_final(struct stream *s, void *self)
{
    (void)s;
    struct relp *t = self;
    relp_session_end(&t->session);
}

static void relp_destroy(struct stream *s, void *self, const struct err *e)
{
    struct relp *t = self;
    relp_session_clear(&t->session);
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
    t->session.sent = on_sent;
    t->session.closed = on_closed;
    t->session.failed = on_failed;
    struct stream_opts o = stage_stream_opts(env);
    if (relp_session_init(&t->session, env, t->set) != 0)
        err_nomem(e);
    else
        t->stream = stream_writable_new(&ops, t, &o, e);
    struct stream *stream = t->stream;
    if (stream == NULL) {
        relp_session_clear(&t->session);
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
    link_hurry(&t->session.link);
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

static const char *refuses(const void *settings, const struct record *r)
{
    const struct relp_settings *set = settings;
    struct buf text = {0};
    render_record(&text, r, (enum render_encoding)set->encoding);
    bool long_one = text.len > set->max_record_bytes;
    buf_clear(&text);
    return long_one ? RELP_TOO_LONG : NULL;
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
        "What is refused for good, and a record longer than max_record_bytes, goes to dead_letter or, without that, is dropped. rsyslog cuts what is longer than its own global(maxMessageSize=\"8k\") and answers "
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
    .refuses = refuses,
};
