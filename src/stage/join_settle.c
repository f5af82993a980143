#include "stage/join_settle.h"

#include <stdint.h>

#include "record/batch.h"
#include "stage/join_group.h"

void join_settle_init(struct join_settle *s, struct batch *b)
{
    *s = (struct join_settle){.b = b, .whole = {.index = SIZE_MAX}, .open = {.index = SIZE_MAX}};
    list_init(&s->done);
}

void join_settle_clear(struct join_settle *s)
{
    struct list *node;
    while ((node = list_shift(&s->done)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
}

static void earliest(struct join_place *p, size_t index, const char *text)
{
    if (index < p->index)
        *p = (struct join_place){index, text};
}

static void latest(size_t *end, size_t index)
{
    if (index + 1 > *end)
        *end = index + 1;
}

void join_settle_other(struct join_settle *s, size_t i, const struct record *r)
{
    earliest(&s->whole, i, r->text);
    latest(&s->done_end, i);
}

void join_settle_done(struct join_settle *s, const struct join_group *g)
{
    if (g->held != NULL) {
        list_push(&s->done, &g->held->chunk.queued);
        s->done_count++;
    }
    if (!g->here)
        return;
    latest(&s->done_end, g->last);
    if (g->held != NULL)
        latest(&s->held_end, g->last);
    else
        earliest(&s->whole, g->first, g->first_text);
}

void join_settle_open(struct join_settle *s, const struct join_group *g)
{
    earliest(&s->whole, g->first, g->first_text);
    earliest(&s->open, g->first, g->first_text);
}

/* All of ${set} to every group that stays open. */
static int give_open(struct join_groups *gs, struct ticket_set *set)
{
    LIST_EACH(node, &gs->fresh) {
        struct join_group *g = LIST_ENTRY(node, struct join_group, node);
        if (g->pieces > 0 && g->here && ticket_set_join(&g->held->tickets, set) != 0)
            return -1;
    }
    ticket_set_end(set, true); /* they hold it now */
    return 0;
}

static struct batch *done_batch(struct list *node)
{
    return chunk_batch(LIST_ENTRY(node, struct chunk, queued));
}

/* Everything that comes out holds everything: nothing of it is settled before all is. */
static int tie(struct join_settle *s, struct ticket_set *set)
{
    LIST_EACH(node, &s->done)
        if (ticket_set_move(set, &done_batch(node)->tickets) != 0)
            return -1;
    LIST_EACH(node, &s->done)
        if (ticket_set_join(&done_batch(node)->tickets, set) != 0)
            return -1;
    if (s->b->count > 0 && ticket_set_join(&s->b->tickets, set) != 0)
        return -1;
    ticket_set_end(set, true);
    return 0;
}

/* ${set}, what is complete, to the groups that were held and to what is left of the batch. */
static int give_done(struct join_settle *s, struct ticket_set *set)
{
    struct batch *b = s->b;
    struct ticket_set first = {0};
    int cut = 0;
    if (s->done_count == 0 || s->held_end == 0)
        return ticket_set_move(&b->tickets, set);
    if (s->done_count == 1 && b->count == 0)
        return ticket_set_move(&done_batch(s->done.next)->tickets, set);
    if (s->done_count == 1 && s->held_end <= s->whole.index)
        cut = batch_cut(b, s->whole.text, set, &first);
    if (cut == 0)
        return tie(s, set);
    if (cut < 0 || ticket_set_move(&done_batch(s->done.next)->tickets, &first) != 0) {
        ticket_set_end(&first, false);
        return -1;
    }
    return ticket_set_move(&b->tickets, set);
}

int join_settle_tickets(struct join_settle *s, struct join_groups *gs)
{
    struct ticket_set open = s->b->tickets, done = {0};
    bool stays = s->open.index != SIZE_MAX;
    int rc = 0;
    s->b->tickets = (struct ticket_set){0};
    if (!stays) {
        rc = ticket_set_move(&done, &open);
    } else if (s->done_end > 0) {
        rc = s->done_end <= s->open.index ? batch_cut(s->b, s->open.text, &open, &done) : 0;
        rc = rc == 0 ? ticket_set_join(&done, &open) : rc < 0 ? -1 : 0;
    }
    if (rc == 0 && stays)
        rc = give_open(gs, &open);
    if (rc == 0)
        rc = give_done(s, &done);
    ticket_set_end(&open, false); /* nothing is left in them, unless memory was short */
    ticket_set_end(&done, false);
    return rc;
}
