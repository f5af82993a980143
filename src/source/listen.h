/*
 * listen: sockets that sources receive on.
 *
 * Addresses are in figures, so that nothing has to be looked up. A socket file that is left over from a program that is gone is replaced,
 * one on which somebody listens is not; it is created with its permissions, never with wider ones, and removed when it is closed.
 */
#ifndef WEIR_SOURCE_LISTEN_H
#define WEIR_SOURCE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct config_report;
struct err;

enum listen_kind { LISTEN_TCP, LISTEN_UDP, LISTEN_UNIX_STREAM, LISTEN_UNIX_DATAGRAM };

struct listen_at {
    enum listen_kind kind;
    const char *where; /* "127.0.0.1:514", "[::]:514", or the path */
    unsigned mode;     /* permissions of the socket file */
};

/* An open one; fd is -1 when it is not. */
struct listen {
    struct listen_at at;
    int fd;
    dev_t dev; /* identity of the socket file */
    ino_t ino;
};

/* For check hooks: is ${where} of option ${key} an address to listen on, or a path that a socket can have? */
void listen_check_address(const char *where, const char *key, struct config_report *report);
void listen_check_path(const char *where, const char *key, struct config_report *report);

/* For check hooks: each of ${keys} (ends with NULL) that is written is a mistake: it says nothing about ${what}. */
void listen_check_unused(const char *const *keys, const char *what, struct config_report *report);

/* What ${at} takes for itself alone, for the table of such things (stage.h, claim). */
void listen_claim(const struct listen_at *at, char *out, size_t size);

/* Open ${at}, not blocking; with a backlog when it takes connections. -1 and ${e}; then ${l} is closed. */
int listen_open(struct listen *l, const struct listen_at *at, struct err *e);
void listen_close(struct listen *l);

#define LISTEN_NAME_MAX 128 /* bytes of a name */

/* Who ${sa} is: "192.0.2.1:514", "[2001:db8::1]:514", a path, or "" when it has no name. */
void listen_name(const struct sockaddr_storage *sa, socklen_t len, char out[LISTEN_NAME_MAX]);

#endif
