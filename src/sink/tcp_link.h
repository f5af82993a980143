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

struct buf;
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

/* Rows of an option table for settings that have a struct link_options as member ${o} of ${owner}: where to, and how. */
#define LINK_ADDRESS_OPTIONS(owner, o)                                                             \
    {.key = "address", .type = OPTION_ADDRESSES, .offset = offsetof(owner, o.addresses),           \
     .required = true, .min = 1,                                                                   \
     .words = "Where to send to: \"host:port\" or \"[v6]:port\", or a list of them, of which one is "  \
              "connected to at a time. A name is looked up at each connection, and each address "  \
              "it has gets its turn."},                                                            \
    {.key = "balance", .type = OPTION_CHOICE, .offset = offsetof(owner, o.balance),                \
     .fallback = "\"failover\"", .choices = choice_balances,                                       \
     .words = "Of several addresses: failover: the first in the list that works; the connection "  \
              "is kept until it is lost, and then the first is tried first again. round_robin: "   \
              "each new connection takes the next one, beginning with any, so that many agents "   \
              "spread over all."}

#define LINK_OPTIONS(owner, o)                                                                     \
    {.key = "connect_timeout", .type = OPTION_DURATION, .offset = offsetof(owner, o.connect_timeout), \
     .fallback = "\"5s\"", .min = 10, .max = 600000,                                               \
     .words = "How long one attempt to connect may take, the TLS handshake included."},            \
    {.key = "user_timeout", .type = OPTION_DURATION, .offset = offsetof(owner, o.user_timeout),    \
     .fallback = "\"30s\"", .max = 86400000,                                                       \
     .words = "A connection on which the peer's kernel has not acknowledged sent data for so "     \
              "long, although it was sent again, is given up and made anew; 0: as the kernel "     \
              "decides."},                                                                         \
    {.key = "keepalive", .type = OPTION_BOOL, .offset = offsetof(owner, o.keepalive),              \
     .fallback = "true",                                                                           \
     .words = "Probe a silent connection after a minute, so that a vanished peer is noticed."},    \
    {.key = "tls", .type = OPTION_OBJECT, .offset = offsetof(owner, o.tls),                        \
     .given = offsetof(owner, o.tls.on), .fields = tls_client_options,                             \
     .words = "Encrypt with TLS, and send only to a peer whose certificate is trusted. {} is "     \
              "enough when its authority is one that the system trusts."}

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

/* Append all addresses to ${out}, for a preview. */
void link_places(const struct link_options *o, struct buf *out);

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

/* What came besides bytes. LINK_ENDED: the peer hangs up in an orderly way; LINK_BROKEN: otherwise, see l->why. */
enum link_heard { LINK_NOTHING, LINK_ENDED, LINK_BROKEN };

/* Take up to ${size} bytes that the peer has said; *${got} of them, 0: no more now. */
enum link_heard link_read(struct link *l, char *to, size_t size, size_t *got);

/* Is there more to read for which the socket will not become readable? */
bool link_has_more(const struct link *l);

/* Throw away what the peer says. */
enum link_heard link_receive(struct link *l);

/* Sent, sent again, and no sign of life for longer than user_timeout: not a slow reader (whose kernel answers) but a dead one. */
bool link_is_dead(const struct link *l);

/* Tell the peer that nothing more is coming. */
void link_finish(struct link *l);

#endif
