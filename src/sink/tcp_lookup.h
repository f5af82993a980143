/*
 * tcp_lookup: from an address of the configuration to those of the network, beside the loop.
 */
#ifndef WEIR_SINK_TCP_LOOKUP_H
#define WEIR_SINK_TCP_LOOKUP_H

#include <netdb.h>

struct lookup;
struct work;

/* Look ${address} up and call back, from the loop: ${found}, which is valid during the call, or NULL and ${why}. An address in figures
 * needs no thread and calls back before this returns; then, and when there is no memory (${why} says so), the answer is NULL. */
struct lookup *lookup_start(struct work *work, const char *address,
                            void (*done)(void *arg, const struct addrinfo *found, const char *why), void *arg);

/* Nobody waits for *${u} any more; clears it. NULL is allowed. */
void lookup_cancel(struct lookup **u);

/* The host of ${address}, without brackets, as a string of mem_alloc; NULL: no memory. */
char *lookup_host(const char *address);

#endif
