#include "delivery/ledger.h"

#include <assert.h>
#include <zlib.h>

#include "base/list.h"
#include "base/mem.h"

struct ledger {
    struct list entries; /* in read order */
    uint64_t acked, end;
    struct mark mark;
    void (*advanced)(void *arg); /* NULL: the owner is gone */
    void *arg;
    size_t out; /* tickets with holders */
    size_t *uncovered; /* NULL: not counted */
    bool released;
};

struct entry {
    struct ticket ticket;
    struct list node;
    struct ledger *ledger;
    uint64_t end;
    struct mark mark;
    enum { OUT, DELIVERED, FAILED } state;
    bool stored; /* counts as uncovered */
};

struct mark mark_of(const void *text, size_t len)
{
    size_t n = len < MARK_BYTES ? len : MARK_BYTES;
    const unsigned char *from = (const unsigned char *)text + (len - n);
    return (struct mark){(uint32_t)n, (uint32_t)crc32(0, from, (uInt)n)};
}

bool mark_equal(struct mark a, struct mark b)
{
    return a.len == b.len && a.crc == b.crc;
}

struct ledger *ledger_new(uint64_t offset, struct mark mark, void (*advanced)(void *arg), void *arg)
{
    struct ledger *l = mem_zalloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    list_init(&l->entries);
    l->acked = l->end = offset;
    l->mark = mark;
    l->advanced = advanced;
    l->arg = arg;
    return l;
}

void ledger_count(struct ledger *l, size_t *uncovered)
{
    l->uncovered = uncovered;
}

static void set_stored(struct entry *e, bool stored)
{
    struct ledger *l = e->ledger;
    if (l->uncovered == NULL || e->stored == stored)
        return;
    e->stored = stored;
    *l->uncovered += stored ? 1 : (size_t)-1;
}

static void stored(struct ticket *t)
{
    set_stored(LIST_ENTRY(t, struct entry, ticket), true);
}

static void free_if_done(struct ledger *l)
{
    if (!l->released || l->out > 0)
        return;
    struct list *node;
    while ((node = list_shift(&l->entries)) != NULL)
        mem_free(LIST_ENTRY(node, struct entry, node));
    mem_free(l);
}

void ledger_release(struct ledger **l)
{
    struct ledger *dead = *l;
    *l = NULL;
    if (dead == NULL)
        return;
    dead->released = true;
    dead->advanced = NULL;
    LIST_EACH(node, &dead->entries) {
        struct entry *e = LIST_ENTRY(node, struct entry, node);
        set_stored(e, e->state == OUT);
    }
    free_if_done(dead);
}

/* Move the acknowledged offset over the delivered prefix. */
static void advance(struct ledger *l)
{
    bool moved = false;
    LIST_EACH(node, &l->entries) {
        struct entry *e = LIST_ENTRY(node, struct entry, node);
        if (e->state != DELIVERED)
            break;
        l->acked = e->end;
        l->mark = e->mark;
        moved = true;
        set_stored(e, false);
        list_remove(node);
        mem_free(e);
    }
    if (moved && l->advanced != NULL)
        l->advanced(l->arg);
}

static void settled(struct ticket *t, bool delivered)
{
    struct entry *e = LIST_ENTRY(t, struct entry, ticket);
    struct ledger *l = e->ledger;
    e->state = delivered ? DELIVERED : FAILED;
    l->out--;
    if (l->released)
        set_stored(e, false);
    else
        advance(l);
    free_if_done(l);
}

/* Bytes [end of the one before, offset) become an entry of their own in front of this one. */
static struct ticket *cut(struct ticket *t, uint64_t offset, const char *before, size_t len)
{
    struct entry *e = LIST_ENTRY(t, struct entry, ticket);
    struct ledger *l = e->ledger;
    assert(t->holders == 1 && offset < e->end);
    struct entry *head = mem_zalloc(1, sizeof *head);
    if (head == NULL)
        return NULL;
    head->ticket = (struct ticket){.settled = settled, .cut = cut, .stored = stored};
    head->ledger = l;
    head->end = offset;
    head->mark = mark_of(before, len);
    set_stored(head, e->stored); /* which part of it that was is not known */
    list_before(&e->node, &head->node);
    l->out++;
    return &head->ticket;
}

struct ticket *ledger_ticket(struct ledger *l, uint64_t end, struct mark mark)
{
    assert(end >= l->end);
    struct entry *e = mem_zalloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->ticket = (struct ticket){.settled = settled, .cut = cut, .stored = stored};
    e->ledger = l;
    e->end = l->end = end;
    e->mark = mark;
    list_push(&l->entries, &e->node);
    l->out++;
    return &e->ticket;
}

int ledger_skip(struct ledger *l, uint64_t end, struct mark mark)
{
    struct ticket *t = ledger_ticket(l, end, mark);
    if (t == NULL)
        return -1;
    t->holders = 1;
    ticket_end(t, true);
    return 0;
}

void ledger_undo(struct ticket *t)
{
    struct entry *e = LIST_ENTRY(t, struct entry, ticket);
    struct ledger *l = e->ledger;
    assert(t->holders == 0 && e->node.next == &l->entries);
    list_remove(&e->node);
    l->end = list_empty(&l->entries)
                 ? l->acked
                 : LIST_ENTRY(l->entries.prev, struct entry, node)->end;
    l->out--;
    mem_free(e);
}

uint64_t ledger_acked(const struct ledger *l)
{
    return l->acked;
}

struct mark ledger_mark(const struct ledger *l)
{
    return l->mark;
}

bool ledger_busy(const struct ledger *l)
{
    return l->out > 0;
}
