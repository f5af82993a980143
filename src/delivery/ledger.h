/*
 * ledger: what of one source file has been delivered.
 *
 * A ledger holds the tickets of a file in read order. The acknowledged offset advances over the contiguous delivered prefix
 * and over nothing else: a ticket that failed stays, and everything behind it is sent again after a restart. Each ticket
 * carries the mark (hash of the last bytes it covers) that proves, after a restart, that the
 * offset still means the same bytes.
 *
 * Where outputs are cut back to the checkpoint (delivery/cut.h) a ledger counts what is uncovered: tickets of which something is in an
 * output while the acknowledged offset is not behind them. Of one that was let go, all that are out count: their bytes are not
 * in the source any more.
 *
 * The owner is the source. When it lets go (ledger_release) tickets may still be out; the ledger lives until the last has
 * ended and then calls nobody.
 */
#ifndef WEIR_DELIVERY_LEDGER_H
#define WEIR_DELIVERY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/ticket.h"

/* Bytes before an offset that its mark covers, at most. */
#define MARK_BYTES 64

/* Proof of content: the CRC-32 of the `len` bytes before an offset; len 0 proves nothing. */
struct mark {
    uint32_t len, crc;
};

/* The mark of the last min(${len}, MARK_BYTES) bytes of ${text}. */
struct mark mark_of(const void *text, size_t len);
bool mark_equal(struct mark a, struct mark b);

struct ledger;

/* A ledger whose acknowledged offset is ${offset} with ${mark}. ${advanced} is called whenever it moved, from
 * wherever a ticket ends; it must not release the ledger. NULL: no memory. */
struct ledger *ledger_new(uint64_t offset, struct mark mark, void (*advanced)(void *arg), void *arg);

/* Count what is uncovered in *${uncovered}, which many ledgers share and which outlives their last ticket. NULL: do not. */
void ledger_count(struct ledger *l, size_t *uncovered);

/* The owner lets go of *${l} and clears it. */
void ledger_release(struct ledger **l);

/* A ticket for the bytes from the end of the one before to ${end}, with no holder yet: add it to a ticket set, or end
 * it at once with ledger_skip. NULL: no memory. */
struct ticket *ledger_ticket(struct ledger *l, uint64_t end, struct mark mark);

/* Count the bytes up to ${end} as delivered: nothing of them is to be sent. -1: no memory. */
int ledger_skip(struct ledger *l, uint64_t end, struct mark mark);

/* Give back a ticket of this ledger that never got a holder: the newest one only. */
void ledger_undo(struct ticket *t);

/* Everything before this was delivered. */
uint64_t ledger_acked(const struct ledger *l);
struct mark ledger_mark(const struct ledger *l);

/* Are tickets out? */
bool ledger_busy(const struct ledger *l);

#endif
