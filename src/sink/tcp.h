/*
 * tcp: what the parts of the tcp sink share.
 *
 * tcp.c       the descriptor and the stream: what is sent, what is acknowledged, what is sent again
 * tcp_link.c  one connection at a time: resolve, connect, back off, close
 */
#ifndef WEIR_SINK_TCP_H
#define WEIR_SINK_TCP_H

#include <ev.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/work.h"

struct lookup;
struct stage_env;

enum link_state {
    LINK_DOWN,       /* nothing under way */
    LINK_RESOLVING,  /* getaddrinfo on the worker */
    LINK_CONNECTING,
    LINK_UP,
    LINK_WAITING,    /* until the backoff is over */
};

struct link_options {
    char *address;
    double connect_timeout, user_timeout;
    bool keepalive;
};

/* A connection that is made again until link_close. */
struct link {
    struct stage_env *env;
    const struct link_options *options;
    enum link_state state;
    int fd;
    ev_io io;
    ev_timer timer;     /* of the connection attempt or the backoff */
    unsigned failures;  /* in a row */
    bool complained;
    uint64_t random;    /* state of the jitter */
    struct lookup *lookup; /* under way, or NULL */

    /* The owner's; called from the loop. `up` when there is a connection, `ready` with EV_READ and EV_WRITE while it lasts. */
    void (*up)(struct link *l);
    void (*ready)(struct link *l, int events);
};

void link_init(struct link *l, struct stage_env *env, const struct link_options *options);

/* Make a connection, now; nothing when that is under way. */
void link_open(struct link *l);

/* What is wanted while it is up: EV_READ, EV_WRITE or both. */
void link_want(struct link *l, int events);

/* The connection is lost for the reason ${why}: close it and make another after the backoff. */
void link_lost(struct link *l, const char *why);

/* Try again at once instead of sitting the backoff out. */
void link_hurry(struct link *l);

/* Close for good; nothing is called any more. */
void link_close(struct link *l);

#endif
