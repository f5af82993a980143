/*
 * tcp_link: one connection at a time to one of several addresses, made again and again until link_close, with or without TLS.
 *
 * tcp_link.c  its life: look an address up (which one: tcp_choice.h), connect, shake hands, back off
 * tcp_talk.c  its bytes: what is sent, what of it the peer's kernel has, what comes back. Whether there is TLS is known to these two only:
 *             positions and counts are those of the plaintext.
 */
#ifndef WEIR_SINK_TCP_LINK_H
#define WEIR_SINK_TCP_LINK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "config/option.h"
#include "net/tls.h"
#include "sink/tcp_choice.h"

struct lookup;
struct stage_env;

enum link_state {
    LINK_DOWN,       /* nothing under way */
    LINK_RESOLVING,  /* getaddrinfo on the worker */
    LINK_CONNECTING,
    LINK_SHAKING,    /* the TLS handshake */
    LINK_CONFIRMING, /* it is done, but the peer may refuse our certificate still: tls_confirmed */
    LINK_UP,
    LINK_WAITING,    /* until the backoff is over */
};

struct link_options {
    struct strings addresses; /* at least one */
    int balance;              /* enum choice_balance */
    double connect_timeout, user_timeout;
    bool keepalive;
    struct tls_settings tls;
};

struct link {
    struct stage_env *env;
    const struct link_options *options;
    enum link_state state;
    int fd;
    ev_io io;
    ev_timer timer;     /* of the connection attempt or the backoff */
    double began;       /* when the handshake did */
    struct choice choice;
    struct lookup *lookup; /* under way, or NULL */
    struct tls_context *context; /* NULL: not needed yet */
    struct tls *tls;       /* NULL: plain */
    uint64_t taken;        /* bytes that link_send took since it is up */
    char why[512];         /* why link_send, link_flush or link_receive failed */

    /* The owner's; called from the loop. `up` when there is a connection, `ready` with EV_READ and EV_WRITE while it lasts. */
    void (*up)(struct link *l);
    void (*ready)(struct link *l, int events);
};

void link_init(struct link *l, struct stage_env *env, const struct link_options *options);

/* The address that is in use, or tried next. */
const char *link_address(const struct link *l);

/* Make a connection, now; nothing when that is under way. */
void link_open(struct link *l);

/* The connection is lost for the reason ${why}: close it and make another after the backoff. */
void link_lost(struct link *l, const char *why);

/* The connection has delivered something: it is a good one. */
void link_worked(struct link *l);

/* Try again at once instead of sitting the backoff out. */
void link_hurry(struct link *l);

/* Close for good; nothing is called any more. */
void link_close(struct link *l);

/* Wait for EV_READ, and for EV_WRITE too if there is ${more} to send or something waits inside. */
void link_watch(struct link *l, bool more);

/* Returns how many bytes of ${pieces} were taken, 0 when it is full, -1 and l->why when it is lost. */
ssize_t link_send(struct link *l, const struct iovec *pieces, int count);

/* Send what was taken and waits inside. -1 and l->why: it is lost. */
int link_flush(struct link *l);

/* How many bytes of those taken the peer's kernel has acknowledged; with ${own}, how many the own kernel has. */
uint64_t link_delivered(struct link *l, bool own);

/* Throw away what the peer says. LINK_ENDED: it hangs up in an orderly way; LINK_BROKEN: otherwise, see l->why. */
enum link_heard { LINK_NOTHING, LINK_ENDED, LINK_BROKEN } link_receive(struct link *l);

/* Sent, sent again, and no sign of life for longer than user_timeout: not a slow reader (whose kernel answers) but a dead one. */
bool link_is_dead(const struct link *l);

/* Tell the peer that nothing more is coming. */
void link_finish(struct link *l);

#endif
