#include "source/peers.h"

#include <string.h>

#include "record/record.h"
#include "source/listen.h"
#include "stage/stage.h"

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

static bool is_of(const struct origin *o, const char *name)
{
    return o != NULL && strcmp(o->peer != NULL ? o->peer : "", name) == 0;
}

struct origin *peers_origin(struct peers *p, const struct stage_env *env, const struct sockaddr_storage *sa, socklen_t len)
{
    char name[LISTEN_NAME_MAX];
    listen_name(sa, len, name);
    struct origin **place = &p->places[hash_of(name) % PEERS];
    if (is_of(*place, name))
        return *place;
    const char *peer = name[0] != '\0' ? name : NULL;
    struct origin *o = origin_new_peer(peer, peer, env->host, env->name, env->pipeline);
    if (o == NULL)
        return NULL;
    origin_unref(*place);
    return *place = o;
}

void peers_clear(struct peers *p)
{
    for (size_t i = 0; i < PEERS; i++) {
        origin_unref(p->places[i]);
        p->places[i] = NULL;
    }
}
