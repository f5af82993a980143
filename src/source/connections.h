/*
 * connections: the stream of a source that takes connections, and all that is bounded about them.
 *
 * Connections take turns, one read each. A connection that sends faster than the pipeline takes is not read, so that its peer has to wait; one that
 * does nothing costs a descriptor and a few hundred bytes. Used by tcp, unix and syslog.
 */
#ifndef WEIR_SOURCE_CONNECTIONS_H
#define WEIR_SOURCE_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/option.h"
#include "net/tls.h"
#include "source/frames.h"
#include "source/listen.h"

struct err;
struct stage_env;
struct stream;

struct connections_options {
    struct frames_options frames;
    int64_t max_connections;
    double idle_timeout;           /* 0: none */
    uint64_t max_bytes_per_second; /* of one connection; 0: no bound */
    bool keepalive;                /* TCP only */
    struct tls_settings tls;       /* TCP only */
};

/* Rows of an option table for settings that have a struct connections_options as member ${o} of ${owner}. */
#define CONNECTIONS_OPTIONS(owner, o)                                                               \
    {.key = "max_connections", .type = OPTION_INT, .offset = offsetof(owner, o.max_connections),    \
     .fallback = "1000", .min = 1, .max = 1000000,                                                 \
     .words = "How many connections there may be at a time. Further ones are not accepted: they "  \
              "wait in the kernel until another ends, which is logged once."},                     \
    {.key = "idle_timeout", .type = OPTION_DURATION, .offset = offsetof(owner, o.idle_timeout),     \
     .fallback = "0", .max = 2592000000,                                                           \
     .words = "Close a connection on which nothing has come for so long; 0: never."},              \
    {.key = "max_bytes_per_second", .type = OPTION_SIZE,                                           \
     .offset = offsetof(owner, o.max_bytes_per_second), .fallback = "0",                            \
     .words = "How fast one connection is read: who sends faster has to wait; 0: as fast as the "  \
              "pipeline takes it."}

/* And the rows of those over TCP. */
#define CONNECTIONS_TCP_OPTIONS(owner, o)                                                          \
    {.key = "keepalive", .type = OPTION_BOOL, .offset = offsetof(owner, o.keepalive),              \
     .fallback = "true",                                                                           \
     .words = "Over TCP: probe a silent connection after a minute, so that a vanished peer is "    \
              "noticed."},                                                                         \
    {.key = "tls", .type = OPTION_OBJECT, .offset = offsetof(owner, o.tls),                        \
     .given = offsetof(owner, o.tls.on), .fields = tls_server_options,                             \
     .words = "Over TCP: take encrypted connections only, with this certificate. A peer has ten "  \
              "seconds for the handshake."}

/* The stream of a source that listens ${at} (whose strings outlive it); ${tidy}: see frames.h. Its stop hook is intake_drain. NULL and ${e}. */
struct stream *connections_open(struct stage_env *env, const struct listen_at *at,
                                const struct connections_options *o, bool tidy, struct err *e);

#endif
