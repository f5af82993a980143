#include "record/ticket.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

void ticket_end(struct ticket *t, bool delivered)
{
    assert(t->holders > 0);
    if (!delivered)
        t->failed = true;
    if (--t->holders == 0)
        t->settled(t, !t->failed);
}

static int reserve(struct ticket_set *set, size_t want)
{
    if (set->cap >= want)
        return 0;
    size_t cap = set->cap < 8 ? 8 : set->cap * 2;
    if (cap < want)
        cap = want;
    struct ticket **many = mem_realloc(set->many, cap * sizeof(struct ticket *));
    if (many == NULL)
        return -1;
    if (set->one != NULL)
        many[0] = set->one;
    set->one = NULL;
    set->many = many;
    set->cap = cap;
    return 0;
}

static struct ticket **items(struct ticket_set *set)
{
    return set->many != NULL ? set->many : &set->one;
}

/* Take over a hold. */
static int append(struct ticket_set *set, struct ticket *t)
{
    if (set->count == 0 && set->many == NULL) {
        set->one = t;
    } else {
        if (reserve(set, set->count + 1) != 0)
            return -1;
        set->many[set->count] = t;
    }
    set->count++;
    return 0;
}

int ticket_set_add(struct ticket_set *set, struct ticket *t)
{
    if (append(set, t) != 0)
        return -1;
    t->holders++;
    return 0;
}

int ticket_set_join(struct ticket_set *to, const struct ticket_set *from)
{
    if (to->count + from->count > 1 && reserve(to, to->count + from->count) != 0)
        return -1;
    struct ticket *const *source = from->many != NULL ? from->many : &from->one;
    for (size_t i = 0; i < from->count; i++)
        ticket_set_add(to, source[i]); /* room is reserved */
    return 0;
}

int ticket_set_fork(struct ticket_set *to, const struct ticket_set *from)
{
    assert(to->count == 0);
    return ticket_set_join(to, from);
}

int ticket_set_move(struct ticket_set *to, struct ticket_set *from)
{
    if (from->count == 0)
        return 0;
    if (to->count + from->count > 1 && reserve(to, to->count + from->count) != 0)
        return -1;
    memcpy(items(to) + to->count, items(from), from->count * sizeof(struct ticket *));
    to->count += from->count;
    mem_free(from->many);
    *from = (struct ticket_set){0};
    return 0;
}

void ticket_set_stored(struct ticket_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct ticket *t = items(set)[i];
        if (t->stored != NULL)
            t->stored(t);
    }
}

void ticket_set_end(struct ticket_set *set, bool delivered)
{
    struct ticket_set ended = *set;
    *set = (struct ticket_set){0};
    for (size_t i = 0; i < ended.count; i++)
        ticket_end(items(&ended)[i], delivered);
    mem_free(ended.many);
}
