/*
 * relp_session: a RELP session on each connection, one after the other: opened, used for the records of a window, and closed in the end.
 *
 *     RELP_DOWN ─ connected → RELP_OPENING ─ offers accepted → RELP_OPEN ─ everything answered, relp_session_end → RELP_CLOSING
 *
 * From each of them back to RELP_DOWN when the connection is lost: because it broke, or because of what the peer says, or does not say in time.
 * Then everything that was not answered is sent again in the next session.
 */
#ifndef WEIR_SINK_RELP_SESSION_H
#define WEIR_SINK_RELP_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/quiet.h"
#include "sink/relp_frame.h"
#include "sink/relp_window.h"
#include "sink/tcp_link.h"

#define RELP_SAID_MAX 160

struct stage_env;

struct relp_settings {
    struct link_options link;
    int encoding;
    int64_t window, attempts;
    uint64_t max_record_bytes;
    double answer_timeout;
};

struct relp_session {
    struct stage_env *env;
    const struct relp_settings *set;
    struct link link;
    struct relp_window window;
    struct relp_frame frame; /* of the peer, under way */
    enum relp_state { RELP_DOWN, RELP_OPENING, RELP_OPEN, RELP_CLOSING } state;
    char said[RELP_SAID_MAX]; /* the frame that opens or closes it */
    size_t said_len, said_at;
    ev_timer timer; /* while anything is waited for from the peer */
    double heard;   /* when it last answered, or had nothing to answer */
    bool again;     /* it has refused a record: as soon as all others are answered, it is sent again in a new session */
    char refusal[RELP_WORDS_MAX + 80]; /* with these words */
    bool ending;        /* no more are coming */
    struct quiet quiet; /* about refused records */

    /* The owner's; from the loop, or from inside relp_session_pump and _end. `sent` whenever nothing waits to be sent, `closed` once, after
     * relp_session_end. */
    void (*sent)(struct relp_session *t);
    void (*closed)(struct relp_session *t);
    void (*failed)(struct relp_session *t); /* there is no memory; nothing more is called */
};

/* In zeroed memory. -1: no memory. */
int relp_session_init(struct relp_session *t, struct stage_env *env, const struct relp_settings *set);

/* Send what the window holds, as far as that goes. */
void relp_session_pump(struct relp_session *t);

/* No more records are coming: when all are answered, close. */
void relp_session_end(struct relp_session *t);

/* Give everything up; nothing is called any more. Also after relp_session_init has failed. */
void relp_session_clear(struct relp_session *t);

#endif
