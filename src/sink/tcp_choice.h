/*
 * tcp_choice: which of several addresses a connection is made to next, when, and what is told of failures.
 *
 * failover: the first in the list that works; a connection is kept until it is lost, and then the search begins with the first
 * again (with the next one if the lost connection had delivered nothing, so that a peer which hangs up at once does not hide those behind
 * it). round_robin: each new connection takes the next one, beginning anywhere, so that many agents spread. A name may stand for
 * several network addresses: each round takes the next of them. The wait comes after a round through all addresses: 0.1 s, doubling up to
 * 10 s, each multiplied by a random factor from 0.5 to 1.
 */
#ifndef WEIR_SINK_TCP_CHOICE_H
#define WEIR_SINK_TCP_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum choice_balance { CHOICE_FAILOVER, CHOICE_ROUND_ROBIN };
extern const char *const choice_balances[]; /* their names, and NULL */

#define CHOICE_SAID 8 /* different reasons that one outage is told for at most */

struct choice {
    enum choice_balance balance;
    size_t count;      /* of the addresses */
    size_t at;         /* which of them */
    unsigned turn;     /* which of those that a name has, modulo their number */
    unsigned failures; /* in a row */
    bool worked;       /* the present connection has delivered something */
    uint64_t said[CHOICE_SAID]; /* hashes of address and reason */
    unsigned said_count;
    uint64_t random; /* state of the jitter */
};

/* ${c} of ${count} > 0 addresses; ${seed}: of the jitter, and of where round_robin begins. */
void choice_init(struct choice *c, enum choice_balance balance, size_t count, uint64_t seed);

/* The attempt or connection has failed: choose the next one. Returns the seconds to wait before it; ${hurry}: not for long. */
double choice_failed(struct choice *c, bool hurry);

/* Shall the failure be told, that is the first with this address and reason since the last connection? */
bool choice_is_news(struct choice *c, const char *why);

/* There is a connection. Returns whether it comes after a failure. */
bool choice_connected(struct choice *c);

/* It has delivered something: it is a good one. */
void choice_worked(struct choice *c);

#endif
