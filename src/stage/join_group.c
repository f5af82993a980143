#include "stage/join_group.h"

#include <search.h>
#include <string.h>

#include "base/mem.h"
#include "record/arena.h"
#include "record/batch.h"
#include "record/pool.h"

static int compare_keys(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

static int compare_logs(const void *a, const void *b)
{
    const struct join_log *x = a, *y = b;
    return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

static int compare_groups(const void *a, const void *b)
{
    const struct join_group *x = a, *y = b;
    if (x->log != y->log)
        return (uintptr_t)x->log < (uintptr_t)y->log ? -1 : 1;
    return compare_keys(x->key, x->key_len, y->key, y->key_len);
}

void join_groups_init(struct join_groups *gs, struct pool *pool)
{
    *gs = (struct join_groups){.pool = pool};
    list_init(&gs->fresh);
    list_init(&gs->held);
}

/* ---- logs ------------------------------------------------------------------------------------------ */

/* What tells a log from all others: its name, and the source that reads it. */
static bool make_key(struct buf *key, const struct batch *b)
{
    const struct origin *o = b->body->origin;
    key->len = 0;
    if (o != NULL && o->log != NULL)
        buf_str(key, o->log);
    buf_char(key, '\0');
    if (o != NULL && o->source != NULL)
        buf_str(key, o->source);
    return !key->failed;
}

struct join_log *join_groups_log(struct join_groups *gs, const struct batch *b)
{
    if (!make_key(&gs->key, b)) {
        buf_clear(&gs->key);
        return NULL;
    }
    struct join_log wanted = {.key = gs->key.data, .key_len = gs->key.len};
    void *node = tfind(&wanted, &gs->by_log, compare_logs);
    if (node != NULL)
        return *(struct join_log **)node;
    struct join_log *log = mem_zalloc(1, sizeof *log + gs->key.len);
    if (log == NULL)
        return NULL;
    log->key = memcpy(log + 1, gs->key.data, gs->key.len);
    log->key_len = gs->key.len;
    if (tsearch(log, &gs->by_log, compare_logs) != NULL)
        return log;
    mem_free(log);
    return NULL;
}

static void forget_log(struct join_groups *gs, struct join_log *log)
{
    if (log->groups > 0)
        return;
    ticket_set_end(&log->first, false); /* there are some if a group was given up */
    origin_unref(log->origin);
    tdelete(log, &gs->by_log, compare_logs);
    mem_free(log);
}

int join_log_span(struct join_log *log, const struct batch *b, const struct ticket_set *set)
{
    struct origin *o = b->body->origin;
    if (log->first.count > 0 && log->origin == o)
        return 0;
    if (ticket_set_join(&log->first, set) != 0)
        return -1;
    origin_unref(log->origin);
    log->origin = o != NULL ? origin_ref(o) : NULL;
    return 0;
}

void join_log_end_span(struct join_log *log)
{
    ticket_set_end(&log->first, true);
    origin_unref(log->origin);
    log->origin = NULL;
}

/* ---- groups ---------------------------------------------------------------------------------------- */

/* Bring the books up to date with what ${g} has in memory. */
static void account(struct join_groups *gs, struct join_group *g, size_t own)
{
    size_t weight = own + (g->held != NULL ? g->held->body->arena.total + g->held->charged : 0);
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

static struct join_group *add(struct join_groups *gs, struct join_log *log, const struct value *stream)
{
    struct join_group *g = mem_zalloc(1, sizeof *g + stream->len);
    if (g == NULL)
        return NULL;
    list_init(&g->node);
    g->log = log;
    g->key = (const char *)(g + 1);
    g->key_len = stream->len;
    if (stream->len > 0)
        memcpy(g + 1, stream->u.s, stream->len);
    if (tsearch(g, &gs->by_key, compare_groups) == NULL) {
        mem_free(g);
        return NULL;
    }
    log->groups++;
    account(gs, g, own_size(g));
    return g;
}

struct join_group *join_groups_get(struct join_groups *gs, struct join_log *log, const struct value *stream)
{
    struct value name = stream->type == VALUE_STRING ? *stream : value_string("", 0);
    struct join_group wanted = {.log = log, .key = name.u.s, .key_len = name.len};
    void *node = tfind(&wanted, &gs->by_key, compare_groups);
    struct join_group *g = node != NULL ? *(struct join_group **)node : add(gs, log, &name);
    if (g == NULL)
        return NULL;
    list_remove(&g->node);
    list_push(&gs->fresh, &g->node);
    return g;
}

void join_group_reset(struct join_groups *gs, struct join_group *g)
{
    if (g->held != NULL) {
        struct chunk *c = &g->held->chunk;
        chunk_free(&c);
        g->held = NULL;
    }
    if (g->pieces > 0)
        g->log->open--;
    g->copy.len = 0;
    g->state = 0;
    g->pieces = 0;
    g->truncated = false;
    account(gs, g, own_size(g));
}

/* All but its log. */
static void free_group(struct join_groups *gs, struct join_group *g)
{
    join_group_reset(gs, g);
    tdelete(g, &gs->by_key, compare_groups);
    list_remove(&g->node);
    buf_clear(&g->copy);
    account(gs, g, 0);
    g->log->groups--;
    mem_free(g);
}

void join_group_free(struct join_groups *gs, struct join_group *g)
{
    struct join_log *log = g->log;
    free_group(gs, g);
    forget_log(gs, log);
}

void join_groups_keep(struct join_groups *gs, struct join_log *log, double now)
{
    LIST_EACH(node, &gs->fresh) {
        struct join_group *g = LIST_ENTRY(node, struct join_group, node);
        if (g->pieces == 0) {
            free_group(gs, g);
            continue;
        }
        g->touched = now;
        list_remove(node);
        list_push(&gs->held, node);
    }
    forget_log(gs, log);
}

void join_groups_clear(struct join_groups *gs)
{
    LIST_EACH(node, &gs->fresh)
        free_group(gs, LIST_ENTRY(node, struct join_group, node));
    LIST_EACH(node, &gs->held)
        free_group(gs, LIST_ENTRY(node, struct join_group, node));
    while (gs->by_log != NULL)
        forget_log(gs, *(struct join_log **)gs->by_log);
    buf_clear(&gs->key);
}

/* ---- one group ------------------------------------------------------------------------------------- */

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

int join_group_add(struct join_groups *gs, struct join_group *g, const char *between, const struct record *r,
                   const struct value *text)
{
    g->truncated |= (r->flags & RECORD_TRUNCATED) != 0;
    if (g->pieces++ == 0) {
        g->log->open++;
        g->first = *r;
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
    g->held = batch_apart(b, &g->first);
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
