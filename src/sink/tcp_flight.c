#include "sink/tcp_flight.h"

#include "record/wire.h"
#include "sink/tcp_link.h"
#include "stage/stage.h"

#define PIECES_MAX 64

static struct wire *wire_at(struct list *node)
{
    return LIST_ENTRY(node, struct wire, node);
}

void flight_init(struct flight *f, struct stage_stats *stats)
{
    list_init(&f->wires);
    f->next = &f->wires;
    f->stats = stats;
}

void flight_add(struct flight *f, struct wire *w)
{
    list_push(&f->wires, &w->node);
    if (f->next == &f->wires)
        f->next = &w->node;
}

bool flight_is_empty(const struct flight *f)
{
    return list_empty(&f->wires);
}

bool flight_is_sent(const struct flight *f)
{
    return f->next == &f->wires;
}

/* 1: all of ${w} was taken; 0: ${l} is full; -1: it is lost. */
static int send_wire(struct flight *f, struct wire *w, struct link *l)
{
    struct iovec pieces[PIECES_MAX];
    while (w->sent < w->bytes) {
        ssize_t n = link_send(l, pieces, wire_pieces(w, w->sent, pieces, PIECES_MAX));
        if (n <= 0)
            return (int)n;
        w->sent += (size_t)n;
        f->sent += (uint64_t)n;
    }
    return 1;
}

int flight_send(struct flight *f, struct link *l)
{
    while (f->next != &f->wires) {
        struct wire *w = wire_at(f->next);
        w->start = (int64_t)f->sent - (int64_t)w->sent; /* before 0: the connection begins inside it */
        int rc = send_wire(f, w, l);
        if (rc <= 0)
            return rc;
        f->next = f->next->next;
    }
    return 0;
}

/* Let go of the wires that end at or before the acknowledged position. */
static void settle(struct flight *f)
{
    while (f->wires.next != f->next) {
        struct wire *w = wire_at(f->wires.next);
        if (w->start + (int64_t)w->bytes > (int64_t)f->acked)
            break;
        f->stats->records_out += w->records;
        f->stats->bytes_out += w->bytes;
        wire_delivered(&w);
    }
}

bool flight_reach(struct flight *f, uint64_t acked)
{
    if (acked <= f->acked)
        return false;
    f->acked = acked;
    settle(f);
    return true;
}

void flight_rewind(struct flight *f)
{
    settle(f);
    if (!list_empty(&f->wires)) {
        struct wire *w = wire_at(f->wires.next);
        if (w->sent > 0)
            w->sent = wire_boundary(w, (size_t)((int64_t)f->acked - w->start));
        w->start = -(int64_t)w->sent;
        for (struct list *n = f->wires.next->next; n != &f->wires; n = n->next)
            wire_at(n)->sent = 0;
    }
    f->next = f->wires.next;
    f->sent = f->acked = 0;
}

void flight_clear(struct flight *f)
{
    while (!list_empty(&f->wires)) {
        struct wire *w = wire_at(f->wires.next);
        wire_free(&w);
    }
    f->next = &f->wires;
}
