#include "sink/relp_window.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "record/batch.h"
#include "record/pool.h"
#include "record/wire.h"
#include "sink/relp_frame.h"
#include "sink/tcp_link.h"
#include "stage/dead_letter.h"
#include "stage/stage.h"

#define FRAMES_MAX 64 /* handed over at a time */
#define DONE       255 /* answered; a smaller mark says how often the record was refused */

struct parcel {
    struct list node;
    struct wire *wire;
    struct chunk *records; /* for dead letters; NULL: there are none */
    size_t left; /* records that are not done */
    uint8_t marks[];
};

struct relp_slot {
    struct parcel *parcel; /* NULL: answered */
    size_t index;
};

static struct parcel *parcel_at(struct list *node)
{
    return LIST_ENTRY(node, struct parcel, node);
}

/* Where record ${i} begins in its wire, and with ${i} + 1 where it ends. */
static size_t bound(const struct wire *w, size_t i)
{
    return i == 0 ? 0 : w->ends[i - 1];
}

/* Of the data, without the line feed. */
static size_t length_of(const struct wire *w, size_t i)
{
    return bound(w, i + 1) - bound(w, i) - 1;
}

/* ---- parcels ------------------------------------------------------------------------------------ */

int relp_window_init(struct relp_window *w, struct stage_env *env, size_t size)
{
    *w = (struct relp_window){.env = env, .size = size, .oldest = 1, .sent = 1};
    list_init(&w->parcels);
    w->next = &w->parcels;
    w->slots = mem_zalloc(size, sizeof *w->slots);
    if (w->slots == NULL)
        return -1;
    pool_charge(env->pool, size * sizeof *w->slots);
    return 0;
}

static void parcel_free(struct relp_window *w, struct parcel *p, bool delivered)
{
    list_remove(&p->node);
    pool_discharge(w->env->pool, p->wire->records);
    chunk_free(&p->records);
    if (delivered)
        wire_delivered(&p->wire);
    else
        wire_free(&p->wire);
    mem_free(p);
}

/* The first record from (${node}, ${i}) on that is not done is the next one to be sent. */
static void seek(struct relp_window *w, struct list *node, size_t i)
{
    for (; node != &w->parcels; node = node->next, i = 0) {
        const struct parcel *p = parcel_at(node);
        while (i < p->wire->records && p->marks[i] == DONE)
            i++;
        if (i < p->wire->records)
            break;
    }
    w->next = node;
    w->index = i;
    w->at = 0;
}

/* Record ${i} can never be delivered: a dead letter, or dropped. -1: no memory. */
static int refuse(struct relp_window *w, struct parcel *p, size_t i, const char *reason, const char *words)
{
    struct stage_env *env = w->env;
    if (p->records == NULL)
        stage_dropped(env, reason, 1);
    else if (dead_letter_send(env, chunk_batch(p->records), i, &p->wire->tickets, reason, words) != 0)
        return -1;
    env->stats->errors++;
    p->marks[i] = DONE;
    p->left--;
    return 0;
}

static int refuse_longs(struct relp_window *w, struct parcel *p, uint64_t max, size_t *longs)
{
    size_t before = p->left;
    for (size_t i = 0; i < p->wire->records; i++)
        if (length_of(p->wire, i) > max && refuse(w, p, i, RELP_TOO_LONG, NULL) != 0)
            return -1;
    *longs = before - p->left;
    return 0;
}

int relp_window_add(struct relp_window *w, struct wire *wire, struct batch *records, uint64_t max, size_t *longs)
{
    struct chunk *kept = records != NULL ? &records->chunk : NULL;
    struct parcel *p = mem_zalloc(1, sizeof *p + wire->records);
    if (p == NULL) {
        chunk_free(&kept);
        wire_free(&wire);
        return -1;
    }
    p->wire = wire;
    p->records = kept;
    p->left = wire->records;
    pool_charge(w->env->pool, wire->records);
    list_push(&w->parcels, &p->node);
    if (refuse_longs(w, p, max, longs) != 0) {
        parcel_free(w, p, false);
        return -1;
    }
    if (p->left == 0)
        parcel_free(w, p, true);
    else if (w->next == &w->parcels)
        seek(w, &p->node, 0);
    return 0;
}

bool relp_window_is_empty(const struct relp_window *w)
{
    return list_empty(&w->parcels);
}

bool relp_window_is_sent(const struct relp_window *w)
{
    return w->next == &w->parcels;
}

/* ---- sending ------------------------------------------------------------------------------------ */

static uint32_t txnr_of(uint64_t count)
{
    return (uint32_t)(count % RELP_TXNR_MAX) + 1;
}

uint32_t relp_window_txnr(const struct relp_window *w)
{
    return txnr_of(w->sent);
}

/* Frames as pieces: each two, its head and what the wire has. */
struct row {
    char heads[FRAMES_MAX][RELP_HEAD_MAX];
    struct iovec pieces[2 * FRAMES_MAX];
    int count; /* of the pieces */
};

static void add_frame(struct row *row, const struct parcel *p, size_t i, uint64_t count)
{
    char *head = row->heads[row->count / 2];
    size_t len = length_of(p->wire, i);
    struct iovec *data = &row->pieces[row->count + 1];
    row->pieces[row->count] = (struct iovec){head, relp_frame_head(head, txnr_of(count), "syslog", len)};
    int n = wire_pieces(p->wire, bound(p->wire, i), data, 1);
    assert(n == 1 && data->iov_len > len); /* a wire does not divide a record */
    (void)n;
    data->iov_len = len + 1;
    row->count += 2;
}

/* Leave out the first ${n} bytes. Returns the number of pieces that are left out whole. */
static int skip(struct row *row, size_t n)
{
    int first = 0;
    while (n >= row->pieces[first].iov_len && first < row->count - 1)
        n -= row->pieces[first++].iov_len;
    row->pieces[first].iov_base = (char *)row->pieces[first].iov_base + n;
    row->pieces[first].iov_len -= n;
    return first;
}

/* As many frames as there are, fit the window and go into a row. */
static void gather(const struct relp_window *w, struct row *row)
{
    struct list *node = w->next;
    size_t i = w->index;
    uint64_t count = w->sent;
    for (row->count = 0; node != &w->parcels; node = node->next, i = 0) {
        const struct parcel *p = parcel_at(node);
        for (; i < p->wire->records; i++) {
            if (p->marks[i] == DONE)
                continue;
            if (row->count == 2 * FRAMES_MAX || count - w->oldest >= (w->careful ? 1 : w->size))
                return;
            add_frame(row, p, i, count++);
        }
    }
}

/* ${n} bytes of the frames in ${row}, as they were gathered, are taken, those of the first one that were taken before included. */
static void taken(struct relp_window *w, const size_t *sizes, size_t n)
{
    for (; n > 0 && n >= *sizes; n -= *sizes++) {
        struct parcel *p = parcel_at(w->next);
        w->slots[w->sent % w->size] = (struct relp_slot){p, w->index};
        w->sent++;
        w->open++;
        seek(w, w->next, w->index + 1);
    }
    w->at = n;
}

int relp_window_send(struct relp_window *w, struct link *l)
{
    struct row row;
    size_t sizes[FRAMES_MAX + 1] = {0};
    for (;;) {
        size_t all = 0;
        gather(w, &row);
        if (row.count == 0)
            return 0;
        for (int i = 0; i < row.count; i += 2)
            all += sizes[i / 2] = row.pieces[i].iov_len + row.pieces[i + 1].iov_len;
        sizes[row.count / 2] = SIZE_MAX;
        size_t before = w->at;
        int first = skip(&row, before);
        ssize_t n = link_send(l, row.pieces + first, row.count - first);
        if (n < 0)
            return -1;
        taken(w, sizes, before + (size_t)n);
        if (before + (size_t)n < all)
            return 1;
    }
}

/* ---- answers ------------------------------------------------------------------------------------ */

/* The slot of the open transaction ${txnr}; NULL: there is none. */
static struct relp_slot *slot_of(const struct relp_window *w, uint32_t txnr)
{
    if (txnr == 0 || txnr > RELP_TXNR_MAX)
        return NULL;
    uint64_t first = w->oldest % RELP_TXNR_MAX, want = txnr - 1;
    uint64_t count = w->oldest + (want + RELP_TXNR_MAX - first) % RELP_TXNR_MAX;
    struct relp_slot *slot = &w->slots[count % w->size];
    return count < w->sent && slot->parcel != NULL ? slot : NULL;
}

static void close_slot(struct relp_window *w, struct relp_slot *slot)
{
    slot->parcel = NULL;
    w->open--;
    while (w->oldest < w->sent && w->slots[w->oldest % w->size].parcel == NULL)
        w->oldest++;
}

static void delivered(struct relp_window *w, struct parcel *p, size_t i)
{
    w->accepted = true;
    w->careful = false;
    w->env->stats->records_out++;
    w->env->stats->bytes_out += length_of(p->wire, i) + 1;
    p->marks[i] = DONE;
    p->left--;
}

static enum relp_effect refused(struct relp_window *w, struct parcel *p, size_t i, const char *error, unsigned attempts)
{
    w->refused = true;
    if (p->marks[i] < RELP_ATTEMPTS_MAX)
        p->marks[i]++;
    if (attempts == 0 || p->marks[i] < attempts)
        return RELP_AGAIN;
    return refuse(w, p, i, "refused by the peer", error) == 0 ? RELP_REFUSED : RELP_NOMEM;
}

enum relp_effect relp_window_answer(struct relp_window *w, uint32_t txnr, const char *error, unsigned attempts)
{
    enum relp_effect effect = RELP_DELIVERED;
    struct relp_slot *slot = slot_of(w, txnr);
    if (slot == NULL)
        return RELP_UNKNOWN;
    struct parcel *p = slot->parcel;
    size_t i = slot->index;
    close_slot(w, slot);
    if (error == NULL)
        delivered(w, p, i);
    else
        effect = refused(w, p, i, error, attempts);
    if (p->left == 0)
        parcel_free(w, p, true);
    return effect;
}

void relp_window_rewind(struct relp_window *w)
{
    memset(w->slots, 0, w->size * sizeof *w->slots);
    w->open = 0;
    w->oldest = w->sent = 1;
    w->careful = w->careful || (w->refused && !w->accepted);
    w->refused = w->accepted = false;
    seek(w, w->parcels.next, 0);
}

void relp_window_clear(struct relp_window *w)
{
    while (!list_empty(&w->parcels))
        parcel_free(w, parcel_at(w->parcels.next), false);
    w->next = &w->parcels;
    if (w->slots != NULL)
        pool_discharge(w->env->pool, w->size * sizeof *w->slots);
    mem_free(w->slots);
    w->slots = NULL;
}
