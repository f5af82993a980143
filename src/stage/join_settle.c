#include "stage/join_settle.h"

#include "record/batch.h"
#include "stage/join_group.h"

void join_settle_init(struct join_settle *s, struct batch *b, struct join_log *log)
{
    *s = (struct join_settle){.b = b, .log = log, .earlier = log->open > 0};
    list_init(&s->done);
    join_settle_between(s, 0, b->count > 0 ? b->records[0].text : NULL);
}

void join_settle_clear(struct join_settle *s)
{
    struct list *node;
    while ((node = list_shift(&s->done)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
}

void join_settle_between(struct join_settle *s, size_t at, const char *text)
{
    if (s->log->open > 0)
        return;
    if (!s->safe) {
        s->safe = true;
        s->first = at;
        s->first_text = text;
    }
    s->last = at;
    s->last_text = text;
}

void join_settle_left(struct join_settle *s, size_t at)
{
    if (s->high == 0)
        s->low = at;
    s->high = at;
}

void join_settle_held(struct join_settle *s, struct batch *c)
{
    list_push(&s->done, &c->chunk.queued);
}

/* What lies in front of ${text} goes from ${set} to ${before}; with NULL, all. 1: done; 0: it cannot be cut; -1: no memory. */
static int cut(const struct join_settle *s, const char *text, struct ticket_set *set, struct ticket_set *before)
{
    if (text != NULL)
        return batch_cut(s->b, text, set, before);
    return ticket_set_move(before, set) == 0 ? 1 : -1;
}

/* What the earlier span has of the batch: ${set}, and where it ends the hold of the log. -1: no memory. */
static int settle_earlier(struct join_settle *s, const struct ticket_set *set)
{
    struct ticket_set *own = &s->b->tickets;
    LIST_EACH(node, &s->done) {
        struct ticket_set *theirs = chunk_tickets(LIST_ENTRY(node, struct chunk, queued));
        if (ticket_set_join(theirs, set) != 0 || ticket_set_join(theirs, &s->log->first) != 0)
            return -1;
    }
    if (s->high == 0 || s->low > s->first)
        return 0;
    return ticket_set_join(own, set) != 0 || ticket_set_join(own, &s->log->first) != 0 ? -1 : 0;
}

/* Cut ${rest} where the earlier span ends, which may be in front of all of it. The front is settled. -1: no memory. */
static int end_earlier(struct join_settle *s, struct ticket_set *rest)
{
    struct ticket_set front = {0};
    int rc = !s->safe ? 0 : s->first == 0 ? 1 : cut(s, s->first_text, rest, &front);
    if (rc < 0)
        return -1;
    if (rc == 0) { /* the span takes all of the batch */
        s->first = s->last = s->b->count + s->high; /* behind everything */
        s->safe = s->log->open == 0;
        if (ticket_set_move(&front, rest) != 0)
            return -1;
    }
    rc = settle_earlier(s, &front);
    if (rc == 0 && !s->safe)
        rc = join_log_span(s->log, s->b, &front);
    ticket_set_end(&front, rc == 0); /* they hold it now, if anything came out of it */
    if (rc == 0 && s->safe)
        join_log_end_span(s->log);
    return rc;
}

/* Cut ${rest} where a span begins that goes on, if one does: the log holds that. What is in between goes with what is left of the batch. -1: no memory. */
static int begin_span(struct join_settle *s, struct ticket_set *rest)
{
    struct ticket_set whole = {0};
    int rc = s->last > s->first ? cut(s, s->last_text, rest, &whole) : 0;
    if (rc < 0)
        return -1;
    if (rc == 0)
        s->last = s->first;
    rc = join_log_span(s->log, s->b, rest);
    if (rc == 0 && s->high > s->first && s->low <= s->last)
        rc = ticket_set_join(&s->b->tickets, &whole);
    if (rc == 0 && s->high > s->last)
        rc = ticket_set_join(&s->b->tickets, rest);
    ticket_set_end(&whole, rc == 0);
    ticket_set_end(rest, rc == 0);
    return rc;
}

int join_settle_tickets(struct join_settle *s)
{
    struct ticket_set rest = s->b->tickets;
    int rc = 0;
    s->b->tickets = (struct ticket_set){0};
    if (s->earlier)
        rc = end_earlier(s, &rest);
    if (rc == 0 && rest.count > 0 && s->log->open > 0)
        rc = begin_span(s, &rest);
    else if (rc == 0)
        rc = ticket_set_move(&s->b->tickets, &rest);
    ticket_set_end(&rest, false); /* nothing is left in it, unless memory was short */
    return rc;
}
