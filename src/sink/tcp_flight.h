/*
 * tcp_flight: the records that were handed over and are not delivered yet.
 *
 * Wires stand in one list in the order they came; those before `next` have been taken by the connection as a whole, the others have still
 * to be sent. Positions count the bytes of the present connection; when it is lost, everything from the first record that
 * was not delivered is sent again over the next one.
 */
#ifndef WEIR_SINK_TCP_FLIGHT_H
#define WEIR_SINK_TCP_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct link;
struct stage_stats;
struct wire;

struct flight {
    struct list wires;
    struct list *next;    /* the first wire that is not wholly sent; the list's head: none */
    uint64_t sent, acked; /* bytes of this connection */
    struct stage_stats *stats;
};

void flight_init(struct flight *f, struct stage_stats *stats);

/* ${w} is the flight's now, behind the others. */
void flight_add(struct flight *f, struct wire *w);

bool flight_is_empty(const struct flight *f);

/* Is there nothing that the connection has not taken? */
bool flight_is_sent(const struct flight *f);

/* Send as much as ${l} takes. -1 and l->why: it is lost. */
int flight_send(struct flight *f, struct link *l);

/* The first ${acked} bytes of the connection are delivered: let go of the wires that end there. Returns whether that was any more than
 * before. */
bool flight_reach(struct flight *f, uint64_t acked);

/* The connection is gone: prepare for the next one. */
void flight_rewind(struct flight *f);

/* Give everything up as not delivered. */
void flight_clear(struct flight *f);

#endif
