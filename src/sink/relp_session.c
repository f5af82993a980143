#include "config.h"

#include "sink/relp_session.h"

#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/log.h"
#include "stage/stage.h"

#define CLOSE_WAIT 2.0 /* seconds that the peer has to answer the close in the end */
#define LOOK_EVERY 1.0 /* seconds between looks at whether the peer is still there, while answers are waited for */
#define READ_SIZE  ((size_t)16 << 10)

/* As librelp, which calls what it speaks version 0. */
#define OFFERS "relp_version=0\nrelp_software=weir," PACKAGE_VERSION "\ncommands=syslog"

_Static_assert(sizeof OFFERS + RELP_HEAD_MAX <= RELP_SAID_MAX, "the frame that opens a session is longer");

/* ---- the timer ----------------------------------------------------------------------------------- */

static void timer_in(struct relp_session *t, double seconds)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    ev_timer_set(&t->timer, seconds, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->timer);
}

static double now(const struct relp_session *t)
{
    return ev_now(loop_ev(t->env->loop));
}

/* Look whether the peer is still there, and not later than when its time for an answer is over. */
static void look_soon(struct relp_session *t)
{
    double left = t->heard + t->set->answer_timeout - now(t);
    timer_in(t, left < 0 ? 0 : left < LOOK_EVERY ? left : LOOK_EVERY);
}

/* ---- the session --------------------------------------------------------------------------------- */

static void lost(struct relp_session *t, const char *why)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    t->state = RELP_DOWN;
    t->again = false;
    relp_window_rewind(&t->window);
    link_lost(&t->link, why);
}

static void say(struct relp_session *t, const char *command, const char *data)
{
    size_t len = strlen(data);
    size_t n = relp_frame_head(t->said, t->state == RELP_OPENING ? 1 : relp_window_txnr(&t->window), command, len);
    memcpy(t->said + n, data, len);
    t->said[n + len] = '\n';
    t->said_len = n + len + 1;
    t->said_at = 0;
}

/* The end: nothing is waited for any more. */
static void finish(struct relp_session *t)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    if (t->link.state == LINK_UP)
        link_finish(&t->link);
    link_close(&t->link);
    t->state = RELP_DOWN;
    t->ending = false;
    t->closed(t);
}

/* An orderly end: when everything was answered, close the session, and wait (not without bound) for the answer to that. */
static void finish_if_done(struct relp_session *t)
{
    if (!t->ending || t->state == RELP_CLOSING || !relp_window_is_empty(&t->window))
        return;
    if (t->state != RELP_OPEN) {
        finish(t);
        return;
    }
    t->state = RELP_CLOSING;
    say(t, "close", "");
    timer_in(t, CLOSE_WAIT);
}

/* Send what there is. 1: when the connection takes more; 0: nothing to do before an answer or a record comes; -1: it is lost. */
static int send_all(struct relp_session *t)
{
    while (t->said_at < t->said_len) {
        struct iovec rest = {t->said + t->said_at, t->said_len - t->said_at};
        ssize_t n = link_send(&t->link, &rest, 1);
        if (n <= 0)
            return n < 0 ? -1 : 1;
        t->said_at += (size_t)n;
    }
    if (t->state != RELP_OPEN || t->again)
        return 0;
    bool waits = t->window.open > 0;
    int more = relp_window_send(&t->window, &t->link);
    if (!waits && t->window.open > 0) {
        t->heard = now(t);
        look_soon(t);
    }
    return more;
}

void relp_session_pump(struct relp_session *t)
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
    if (relp_window_is_sent(&t->window))
        t->sent(t);
}

static void on_up(struct link *l)
{
    struct relp_session *t = LIST_ENTRY(l, struct relp_session, link);
    t->state = RELP_OPENING;
    relp_frame_reset(&t->frame);
    say(t, "open", OFFERS);
    timer_in(t, t->set->link.connect_timeout);
    relp_session_pump(t);
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void tell_refused(struct relp_session *t, const char *error)
{
    uint64_t before = 0;
    char more[64];
    if (!quiet_may(&t->quiet, &before))
        return;
    quiet_words(before, more, sizeof more);
    log_warn(t->env->scope, "the peer refuses a record for good: %s: %s%s", error,
             t->env->dead_letter != NULL ? "a dead letter" : "dropped", more);
}

static void opened(struct relp_session *t, const struct relp_answer *a)
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
        t->state = RELP_OPEN;
    }
}

static void answered(struct relp_session *t, const struct relp_answer *a)
{
    char error[RELP_WORDS_MAX + 20];
    snprintf(error, sizeof error, "%d %s", a->code, a->words);
    switch (relp_window_answer(&t->window, t->frame.txnr, a->code == 200 ? NULL : error, (unsigned)t->set->attempts)) {
    case RELP_UNKNOWN: lost(t, "the peer answers what it was not sent"); return;
    case RELP_NOMEM:
        ev_timer_stop(loop_ev(t->env->loop), &t->timer);
        link_close(&t->link);
        t->state = RELP_DOWN;
        t->failed(t);
        return;
    case RELP_DELIVERED: link_worked(&t->link); break;
    case RELP_REFUSED: tell_refused(t, error); break;
    case RELP_AGAIN:
        t->again = true;
        snprintf(t->refusal, sizeof t->refusal, "the peer refuses a record, which is sent again: %s", error);
        break;
    }
    t->heard = now(t);
    if (t->window.open == 0)
        ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    if (t->again && t->window.open == 0)
        lost(t, t->refusal);
}

/* A whole frame of the peer. */
static void hear(struct relp_session *t)
{
    struct relp_answer a;
    if (t->frame.txnr == 0 && strcmp(t->frame.command, "serverclose") == 0) {
        if (t->state == RELP_CLOSING)
            finish(t);
        else
            lost(t, "the peer closes the session");
    } else if (strcmp(t->frame.command, "rsp") == 0 && t->state == RELP_CLOSING) {
        finish(t); /* librelp's has no code */
    } else if (strcmp(t->frame.command, "rsp") != 0 || !relp_frame_answer(&t->frame, &a)) {
        lost(t, "the peer sends what is no answer");
    } else if (t->state == RELP_OPENING) {
        opened(t, &a);
    } else {
        answered(t, &a);
    }
}

/* Take the ${len} bytes that came. */
static void listen_to(struct relp_session *t, const char *data, size_t len)
{
    size_t used;
    for (size_t at = 0; at < len && t->state != RELP_DOWN; at += used) {
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
    struct relp_session *t = LIST_ENTRY(l, struct relp_session, link);
    char text[READ_SIZE];
    enum link_heard heard = LINK_NOTHING;
    size_t got = 1;
    while ((events & EV_READ) && heard == LINK_NOTHING && got > 0) {
        heard = link_read(l, text, sizeof text, &got);
        listen_to(t, text, got);
        if (t->state == RELP_DOWN)
            break; /* lost, or finished */
        if (!link_has_more(l))
            got = 0;
    }
    if (heard != LINK_NOTHING && t->state == RELP_CLOSING)
        finish(t);
    else if (heard != LINK_NOTHING && t->state != RELP_DOWN)
        lost(t, l->why);
    relp_session_pump(t);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct relp_session *t = w->data;
    switch (t->state) {
    case RELP_OPENING: lost(t, "no answer to open within connect_timeout: does the peer speak RELP?"); break;
    case RELP_CLOSING: finish(t); return;
    case RELP_OPEN:
        if (link_is_dead(&t->link))
            lost(t, "no acknowledgement for longer than user_timeout");
        else if (now(t) - t->heard >= t->set->answer_timeout)
            lost(t, "no answer within answer_timeout");
        else
            look_soon(t);
        break;
    case RELP_DOWN: break; /* it does not run */
    }
    finish_if_done(t);
}

/* ---- for the owner -------------------------------------------------------------------------------- */

int relp_session_init(struct relp_session *t, struct stage_env *env, const struct relp_settings *set)
{
    t->env = env;
    t->set = set;
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    link_init(&t->link, env, &set->link);
    t->link.up = on_up;
    t->link.ready = on_ready;
    return relp_window_init(&t->window, env, (size_t)set->window);
}

void relp_session_end(struct relp_session *t)
{
    t->ending = true;
    link_hurry(&t->link);
    relp_session_pump(t);
}

void relp_session_clear(struct relp_session *t)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    link_close(&t->link);
    relp_window_clear(&t->window);
}
