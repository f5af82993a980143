/*
 * datagrams: the stream of a source that receives datagrams, each of which is a record.
 *
 * Nobody can be told to wait: when the pipeline takes nothing more, the kernel's receive buffer fills, and what comes then is lost. The kernel counts
 * it (SK_MEMINFO_DROPS of SO_MEMINFO); that is asked for once a second while anything comes, and in the end, so that every lost datagram is in
 * the books. Senders over a local socket do wait. Used by udp, unix and syslog.
 */
#ifndef WEIR_SOURCE_DATAGRAMS_H
#define WEIR_SOURCE_DATAGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/option.h"
#include "source/listen.h"

struct err;
struct stage_env;
struct stream;

struct datagrams_options {
    uint64_t max_bytes;      /* of a datagram; what is longer is cut */
    uint64_t receive_buffer; /* of the kernel; 0: as it comes. UDP only */
    bool tidy;               /* for syslog: an empty datagram is no record */
};

/* The row of an option table for the member ${o} of ${owner} that goes into receive_buffer. */
#define DATAGRAMS_BUFFER_OPTION(owner, o)                                                           \
    {.key = "receive_buffer", .type = OPTION_SIZE, .offset = offsetof(owner, o),                    \
     .fallback = "0", .max = 1 << 30,                                                              \
     .words = "Bytes that the kernel may hold of what was not read yet: bridges bursts. Above "    \
              "net.core.rmem_max only with CAP_NET_ADMIN; a warning tells when the kernel gives "  \
              "less. 0: net.core.rmem_default."}

/* The stream of a source that receives ${at} (whose strings outlive it). ${o} is copied. Its stop hook is intake_drain. NULL and ${e}. */
struct stream *datagrams_open(struct stage_env *env, const struct listen_at *at,
                              const struct datagrams_options *o, struct err *e);

#endif
