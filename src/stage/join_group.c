#include "stage/join_group.h"

#include <search.h>
#include <string.h>

#include "base/mem.h"
#include "record/arena.h"
#include "record/batch.h"
#include "record/pool.h"

static int compare(const void *a, const void *b)
{
    const struct join_group *x = a, *y = b;
    if (x->key_len != y->key_len)
        return x->key_len < y->key_len ? -1 : 1;
    return memcmp(x->key, y->key, x->key_len);
}

void join_groups_init(struct join_groups *gs, struct pool *pool)
{
    *gs = (struct join_groups){.pool = pool};
    list_init(&gs->fresh);
    list_init(&gs->held);
}

/* Bring the books up to date with what ${g} has in memory. */
static void account(struct join_groups *gs, struct join_group *g, size_t own)
{
    size_t weight = own + (g->held != NULL ? g->held->body->arena.total : 0);
    pool_charge(gs->pool, own);
    pool_discharge(gs->pool, g->charged);
    g->charged = own;
    gs->bytes += weight;
    gs->bytes -= g->weight;
    g->weight = weight;
}

static size_t own_size(const struct join_group *g)
{
    return sizeof *g + g->key_len + g->copy.cap;
}

void join_group_free(struct join_groups *gs, struct join_group *g)
{
    join_group_reset(gs, g);
    tdelete(g, &gs->by_key, compare);
    list_remove(&g->node);
    buf_clear(&g->copy);
    account(gs, g, 0);
    mem_free(g);
}

void join_groups_clear(struct join_groups *gs)
{
    LIST_EACH(node, &gs->fresh)
        join_group_free(gs, LIST_ENTRY(node, struct join_group, node));
    LIST_EACH(node, &gs->held)
        join_group_free(gs, LIST_ENTRY(node, struct join_group, node));
    buf_clear(&gs->key);
}

/* What tells a stream from all others: the log, the source that reads it, its name in the log. */
static bool make_key(struct buf *key, const struct batch *b, const struct value *stream)
{
    const struct origin *o = b->body->origin;
    key->len = 0;
    if (o != NULL && o->log != NULL)
        buf_str(key, o->log);
    buf_char(key, '\0');
    if (o != NULL && o->source != NULL)
        buf_str(key, o->source);
    buf_char(key, '\0');
    if (stream->type == VALUE_STRING)
        buf_add(key, stream->u.s, stream->len);
    return !key->failed;
}

static struct join_group *add(struct join_groups *gs)
{
    struct join_group *g = mem_zalloc(1, sizeof *g + gs->key.len);
    if (g == NULL)
        return NULL;
    list_init(&g->node);
    g->key = memcpy(g + 1, gs->key.data, gs->key.len);
    g->key_len = gs->key.len;
    if (tsearch(g, &gs->by_key, compare) == NULL) {
        mem_free(g);
        return NULL;
    }
    account(gs, g, own_size(g));
    return g;
}

struct join_group *join_groups_get(struct join_groups *gs, const struct batch *b, const struct value *stream)
{
    if (!make_key(&gs->key, b, stream)) {
        buf_clear(&gs->key);
        return NULL;
    }
    struct join_group wanted = {.key = gs->key.data, .key_len = gs->key.len};
    void *node = tfind(&wanted, &gs->by_key, compare);
    struct join_group *g = node != NULL ? *(struct join_group **)node : add(gs);
    if (g == NULL)
        return NULL;
    list_remove(&g->node);
    list_push(&gs->fresh, &g->node);
    return g;
}

size_t join_group_length(const struct join_group *g)
{
    return g->copy.len > 0 ? g->copy.len : g->text.len;
}

/* Does ${text} stand right behind what is there, with ${between} between them? Then both are one piece of a slab. */
static bool follows(const struct join_group *g, const char *between, const struct value *text)
{
    size_t gap = strlen(between);
    return gap > 0 && (uintptr_t)text->u.s == (uintptr_t)g->text.u.s + g->text.len + gap &&
           memcmp(g->text.u.s + g->text.len, between, gap) == 0;
}

int join_group_add(struct join_groups *gs, struct join_group *g, const char *between, const struct value *text)
{
    if (g->pieces++ == 0) {
        g->text = *text;
        return 0;
    }
    if (g->held == NULL && g->copy.len == 0 && follows(g, between, text)) {
        g->text.len += (uint32_t)strlen(between) + text->len;
        return 0;
    }
    if (g->copy.len == 0)
        buf_add(&g->copy, g->text.u.s, g->text.len);
    buf_str(&g->copy, between);
    buf_add(&g->copy, text->u.s, text->len);
    account(gs, g, own_size(g));
    return g->copy.failed ? -1 : 0;
}

int join_group_hold(struct join_groups *gs, struct join_group *g, const struct batch *b)
{
    if (g->copy.len == 0)
        buf_add(&g->copy, g->text.u.s, g->text.len);
    g->text = value_string("", 0); /* that of an empty piece; else it is in the copy */
    g->held = batch_apart(b, &g->first_record);
    if (g->copy.failed || g->held == NULL)
        return -1;
    account(gs, g, own_size(g));
    return 0;
}

bool join_group_text(struct join_group *g, struct batch *b, struct value *out)
{
    *out = g->text;
    if (g->copy.len == 0)
        return true;
    char *text = arena_text(&b->body->arena, g->copy.len);
    if (text == NULL)
        return false;
    memcpy(text, g->copy.data, g->copy.len);
    *out = value_string(text, g->copy.len);
    return true;
}

void join_group_reset(struct join_groups *gs, struct join_group *g)
{
    if (g->held != NULL) {
        struct chunk *c = &g->held->chunk;
        chunk_free(&c);
        g->held = NULL;
    }
    g->copy.len = 0;
    g->state = 0;
    g->pieces = 0;
    g->truncated = g->here = false;
    account(gs, g, own_size(g));
}

void join_groups_keep(struct join_groups *gs, double now)
{
    LIST_EACH(node, &gs->fresh) {
        struct join_group *g = LIST_ENTRY(node, struct join_group, node);
        if (g->pieces == 0) {
            join_group_free(gs, g);
            continue;
        }
        g->touched = now;
        g->here = false;
        list_remove(node);
        list_push(&gs->held, node);
    }
}
