#include "sink/tcp_lookup.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/work.h"
#include "config/address.h"

struct lookup {
    struct job job;
    char *host;
    char port[8];
    struct addrinfo *found;
    int code; /* of getaddrinfo */
    void (*done)(void *arg, const struct addrinfo *found, const char *why); /* NULL: cancelled */
    void *arg;
};

static void lookup_run(struct job *j)
{
    struct lookup *u = LIST_ENTRY(j, struct lookup, job);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    u->code = getaddrinfo(u->host, u->port, &hints, &u->found);
}

/* An address in figures needs no look-up and no thread. */
static bool is_numeric(struct lookup *u)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    return getaddrinfo(u->host, u->port, &hints, &u->found) == 0;
}

/* Tell the outcome and free ${u}. */
static void finish(struct lookup *u)
{
    char why[200];
    snprintf(why, sizeof why, "cannot resolve the name: %s",
             u->code != 0 ? gai_strerror(u->code) : "look-up was not made");
    if (u->done != NULL)
        u->done(u->arg, u->found, why);
    if (u->found != NULL)
        freeaddrinfo(u->found);
    mem_free(u->host);
    mem_free(u);
}

static void lookup_done(struct job *j)
{
    finish(LIST_ENTRY(j, struct lookup, job));
}

char *lookup_host(const char *text)
{
    struct address address;
    return address_parse(text, &address) ? mem_strndup(address.host, address.host_len) : NULL;
}

struct lookup *lookup_start(struct work *work, const char *text,
                            void (*done)(void *arg, const struct addrinfo *found, const char *why), void *arg)
{
    struct address address;
    struct lookup *u = mem_zalloc(1, sizeof *u);
    if (u != NULL)
        u->host = lookup_host(text);
    if (u == NULL || u->host == NULL || !address_parse(text, &address)) {
        mem_free(u);
        done(arg, NULL, "out of memory");
        return NULL;
    }
    snprintf(u->port, sizeof u->port, "%u", address.port);
    u->done = done;
    u->arg = arg;
    if (is_numeric(u)) {
        finish(u);
        return NULL;
    }
    u->job = (struct job){.run = lookup_run, .done = lookup_done};
    work_start(work, &u->job);
    return u;
}

void lookup_cancel(struct lookup **u)
{
    if (*u != NULL)
        (*u)->done = NULL;
    *u = NULL;
}
