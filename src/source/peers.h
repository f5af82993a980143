/*
 * peers: the origins of those who sent lately, for sources that hear from many without connections.
 *
 * A fixed number of places, found by hash: a newcomer takes the place of whoever had it.
 */
#ifndef WEIR_SOURCE_PEERS_H
#define WEIR_SOURCE_PEERS_H

#include <sys/socket.h>

#define PEERS 256

struct origin;
struct stage_env;

/* Zero bytes are an empty table. */
struct peers {
    struct origin *places[PEERS];
};

/* The origin of what ${sa} sends; the table's, until the next call. NULL: no memory. */
struct origin *peers_origin(struct peers *p, const struct stage_env *env, const struct sockaddr_storage *sa, socklen_t len);

void peers_clear(struct peers *p);

#endif
