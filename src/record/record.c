#include "record/record.h"

#include <string.h>

#include "base/mem.h"

static const char *copy_in(char **at, const char *s)
{
    if (s == NULL)
        return NULL;
    size_t n = strlen(s) + 1;
    char *copy = memcpy(*at, s, n);
    *at += n;
    return copy;
}

static size_t room(const char *s)
{
    return s != NULL ? strlen(s) + 1 : 0;
}

struct origin *origin_copy(const struct origin *from)
{
    struct origin *o = mem_alloc(sizeof *o + room(from->path) + room(from->log) + room(from->peer) +
                                 room(from->host) + room(from->source) + room(from->pipeline));
    if (o == NULL)
        return NULL;
    char *at = (char *)(o + 1);
    o->refs = 1;
    o->gone = false;
    o->path = copy_in(&at, from->path);
    o->log = copy_in(&at, from->log);
    o->peer = copy_in(&at, from->peer);
    o->host = copy_in(&at, from->host);
    o->source = copy_in(&at, from->source);
    o->pipeline = copy_in(&at, from->pipeline);
    return o;
}

struct origin *origin_new(const char *path, const char *log, const char *host, const char *source,
                          const char *pipeline)
{
    struct origin o = {.path = path, .log = log, .host = host, .source = source, .pipeline = pipeline};
    return origin_copy(&o);
}

struct origin *origin_new_peer(const char *peer, const char *log, const char *host,
                               const char *source, const char *pipeline)
{
    struct origin o = {.peer = peer, .log = log, .host = host, .source = source, .pipeline = pipeline};
    return origin_copy(&o);
}

struct origin *origin_ref(struct origin *o)
{
    o->refs++;
    return o;
}

void origin_unref(struct origin *o)
{
    if (o != NULL && --o->refs == 0)
        mem_free(o);
}
