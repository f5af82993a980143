/*
 * relp_window: the records that were handed over and not answered yet, as RELP transactions.
 *
 * A wire with a line feed behind each record is a row of frames without their heads: data and trailer. Heads are written when they
 * are sent, because a transaction's number is that of the session: it begins anew with each connection, and then everything that was not
 * answered is sent again. Answers may come in any order; a record that was answered is not sent again, and when all of a wire are,
 * its tickets are delivered. As many transactions as the window has are open at a time, from the oldest one without an answer on.
 */
#ifndef WEIR_SINK_RELP_WINDOW_H
#define WEIR_SINK_RELP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct batch;
struct link;
struct relp_slot;
struct stage_env;
struct wire;

struct relp_window {
    struct stage_env *env;
    struct list parcels; /* wires, with a mark for each record */
    struct list *next;   /* in which the first record stands that has to be sent; the list's head: none */
    size_t index;        /* which one that is */
    size_t at;           /* how many bytes of its frame the connection has taken */
    struct relp_slot *slots; /* a ring of `size`, by the transaction's count in the session */
    size_t size, open;   /* transactions without an answer, of `size` at most */
    uint64_t oldest, sent; /* counts: the first of those, the next one; 0 was that of the session itself */
    bool refused, accepted;  /* in this session, some record */
    bool careful; /* the last one accepted none: one at a time, so that a peer that refuses everything is given as few as can be to refuse */
};

#define RELP_ATTEMPTS_MAX 200
#define RELP_TOO_LONG     "longer than max_record_bytes"

/* What an answer did. */
enum relp_effect {
    RELP_UNKNOWN,   /* nothing waits for it: never sent, or answered before */
    RELP_DELIVERED,
    RELP_AGAIN,     /* the record has to be sent again, in another session */
    RELP_REFUSED,   /* for good: a dead letter, or dropped, and counted so */
    RELP_NOMEM,     /* for good, but there is no memory for the letter: nothing happened */
};

/* ${size} > 0 transactions. -1: no memory. */
int relp_window_init(struct relp_window *w, struct stage_env *env, size_t size);

/* ${wire} (newline framing), behind the others. Records longer than ${max} bytes are refused; *${longs} how many. With dead letters, ${records} are those of the
 * wire, in a batch without tickets (else NULL). -1: no memory. Both are consumed always. */
int relp_window_add(struct relp_window *w, struct wire *wire, struct batch *records, uint64_t max, size_t *longs);

/* Is there nothing left at all? */
bool relp_window_is_empty(const struct relp_window *w);

/* Is there nothing that the connection has not taken? */
bool relp_window_is_sent(const struct relp_window *w);

/* Send as many as the window and ${l} take. 1: when ${l} takes more; 0: nothing to do before an answer or a further record comes; -1 and l->why: it
 * is lost. Call it at each answer, not only when half of the window is free: what is sent carries the acknowledgement that the peer's Nagle
 * algorithm (RFC 896) waits for before it sends the next one; without it that comes 40 ms later. */
int relp_window_send(struct relp_window *w, struct link *l);

/* The transaction ${txnr} was answered: with 200, if ${error} is NULL, or with these words, which is final the ${attempts}th time (0: never). */
enum relp_effect relp_window_answer(struct relp_window *w, uint32_t txnr, const char *error, unsigned attempts);

/* The transaction number of the next frame. */
uint32_t relp_window_txnr(const struct relp_window *w);

/* The session is over: prepare for the next one. */
void relp_window_rewind(struct relp_window *w);

/* Give everything up as not delivered, and free. */
void relp_window_clear(struct relp_window *w);

#endif
