/*
 * connection: what the parts of a source that takes connections share.
 *
 * connections.c  the stream, the listening socket: who is let in
 * connection.c   one connection: its turns, its clock, its end
 */
#ifndef WEIR_SOURCE_CONNECTION_H
#define WEIR_SOURCE_CONNECTION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "source/feed.h"
#include "source/intake.h"
#include "source/listen.h"
#include "base/quiet.h"

struct connections_options;
struct tls;
struct tls_context;

struct connections {
    struct intake intake;
    const struct connections_options *set;
    struct listen_at at;
    struct listen listen;
    struct tls_context *tls; /* NULL: none */
    ev_io io;                /* the listening socket */
    ev_timer again;          /* accepting, after a failure */
    struct list all, ready;  /* ready: with something to read, or to be closed */
    int64_t count;
    uint64_t serial;
    struct step turn;
    struct quiet quiet;
    bool tidy; /* see frames.h */
    bool full; /* said that it is */
};

/* It is either shaking hands (no turns), watched or ready, or paced: then its timer says when it is watched again. */
struct connection {
    struct connections *owner;
    struct list node, ready;
    int fd;
    struct tls *tls; /* NULL: plain */
    ev_io io;
    ev_timer timer; /* until it has to have shaken hands, may be read again, or has been idle for too long */
    struct feed feed;
    char name[LISTEN_NAME_MAX];
    double active;  /* when something came last */
    double free_at; /* when it may be read again */
    int left;       /* when draining: bytes that it may still be read */
    bool shaking;
    bool paced;
    bool over; /* to be closed with its next turn */
};

/* ${fd} has been accepted from ${sa}: a connection of ${s}. False: no memory, ${fd} stays the caller's. */
bool connection_new(struct connections *s, int fd, const struct sockaddr_storage *sa, socklen_t len);

/* Its turn: one read. May close it; may fail the stream. */
void connection_read(struct connection *c);

/* Read what the kernel has now, and then close it. */
void connection_drain(struct connection *c);

/* Close and free it. */
void connection_close(struct connection *c);

/* For connection.c: one has gone, there is room for another. */
void connections_gone(struct connections *s);

#endif
