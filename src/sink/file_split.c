#include "sink/file_split.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "record/batch.h"
#include "record/wire.h"
#include "sink/file_path.h"

#define SLOTS_FIRST 64
#define NAMES_KEPT  ((size_t)1 << 20) /* a larger buffer is not kept for the next chunk */

static uint64_t hash_of(const struct file_split *s, size_t path, size_t len)
{
    uint64_t hash[2];
    siphash_128(&s->key, s->names.data + path, len, hash);
    return hash[0];
}

/* The slot of the path, or the free one where it belongs. */
static uint32_t *find_slot(const struct file_split *s, uint64_t hash, size_t path, size_t len)
{
    for (size_t i = hash & (s->slot_count - 1);; i = (i + 1) & (s->slot_count - 1)) {
        uint32_t id = s->slots[i];
        const struct file_part *part = id != 0 ? &s->parts[id - 1] : NULL;
        if (part == NULL || (part->hash == hash && part->len == len &&
                             memcmp(s->names.data + part->path, s->names.data + path, len) == 0))
            return &s->slots[i];
    }
}

/* Twice the slots, at most half of them taken. */
static int grow_slots(struct file_split *s)
{
    size_t n = s->slot_count == 0 ? SLOTS_FIRST : s->slot_count * 2;
    uint32_t *slots = mem_zalloc(n, sizeof *slots);
    if (slots == NULL)
        return -1;
    mem_free(s->slots);
    s->slots = slots;
    s->slot_count = n;
    for (size_t i = 0; i < s->count; i++) {
        const struct file_part *part = &s->parts[i];
        *find_slot(s, part->hash, part->path, part->len) = (uint32_t)i + 1;
    }
    return 0;
}

static int add_part(struct file_split *s, uint64_t hash, size_t path, size_t len)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 16 : s->cap * 2;
        struct file_part *parts = mem_realloc(s->parts, cap * sizeof *parts);
        if (parts == NULL)
            return -1;
        s->parts = parts;
        s->cap = cap;
    }
    buf_char(&s->names, '\0');
    if (s->names.failed)
        return -1;
    s->parts[s->count++] = (struct file_part){.hash = hash, .path = path, .len = len};
    return 0;
}

/* The number of the part for the path that was appended to the names last; a further one if there is none. -1: no memory. */
static int64_t part_of(struct file_split *s, size_t path, int64_t before)
{
    if (s->names.failed)
        return -1;
    size_t len = s->names.len - path;
    const struct file_part *last = before >= 0 ? &s->parts[before] : NULL;
    if (last != NULL && last->len == len && memcmp(s->names.data + last->path, s->names.data + path, len) == 0) {
        s->names.len = path;
        return before;
    }
    uint64_t hash = hash_of(s, path, len);
    if (s->count * 2 >= s->slot_count && grow_slots(s) != 0)
        return -1;
    uint32_t *slot = find_slot(s, hash, path, len);
    if (*slot != 0) {
        s->names.len = path;
        return *slot - 1;
    }
    if (add_part(s, hash, path, len) != 0)
        return -1;
    *slot = (uint32_t)s->count;
    return *slot - 1;
}

/* Which part each record belongs to. */
static int assign(struct file_split *s, struct file_path *path, struct zone *zone, const struct batch *b)
{
    if (s->id_cap < b->count) {
        uint32_t *ids = mem_realloc(s->ids, b->count * sizeof *ids);
        if (ids == NULL)
            return -1;
        s->ids = ids;
        s->id_cap = b->count;
    }
    int64_t id = -1;
    for (size_t i = 0; i < b->count; i++) {
        size_t at = s->names.len;
        file_path_render(path, zone, b, &b->records[i], 0, &s->names);
        id = part_of(s, at, id);
        if (id < 0)
            return -1;
        s->ids[i] = (uint32_t)id;
    }
    return 0;
}

static int add_record(struct file_part *part, struct batch *b, size_t i)
{
    if (part->batch == NULL) {
        part->batch = batch_single(b, i);
        return part->batch != NULL ? 0 : -1;
    }
    struct record *r = batch_add(part->batch);
    if (r == NULL)
        return -1;
    *r = b->records[i];
    return 0;
}

static int divide(struct file_split *s, struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (add_record(&s->parts[s->ids[i]], b, i) != 0)
            return -1;
    for (size_t i = 0; i < s->count; i++) {
        struct batch *part = s->parts[i].batch;
        part->bytes = batch_count_text(part);
        batch_weigh(part);
        if (ticket_set_fork(&part->tickets, &b->tickets) != 0)
            return -1;
    }
    return 0;
}

/* All of ${c} goes to the path that was appended to the names. */
static int whole(struct file_split *s)
{
    return s->names.failed ? -1 : add_part(s, hash_of(s, 0, s->names.len), 0, s->names.len);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int file_split_name(struct file_split *s, struct file_path *path, struct zone *zone, struct chunk *c)
{
    struct batch *b = chunk_batch(c);
    if (b != NULL && file_path_literal(path) == NULL)
        return assign(s, path, zone, b);
    file_path_render(path, zone, NULL, NULL, now(), &s->names);
    return whole(s);
}

int file_split_chunk(struct file_split *s, struct file_path *path, struct zone *zone, struct pool *pool, struct chunk *c,
                     enum render_encoding encoding)
{
    if (file_split_name(s, path, zone, c) != 0 || (s->count > 1 && divide(s, chunk_batch(c)) != 0))
        goto failed;
    for (size_t i = 0; i < s->count; i++) {
        struct file_part *part = &s->parts[i];
        struct chunk *mine = s->count > 1 ? &part->batch->chunk : c;
        part->batch = NULL;
        if (s->count == 1)
            c = NULL;
        part->wire = wire_new(pool, mine, encoding, WIRE_NEWLINE);
        if (part->wire == NULL)
            goto failed;
    }
    if (c != NULL)
        chunk_delivered(&c); /* the parts hold its tickets now */
    return 0;
failed:
    chunk_free(&c);
    file_split_reset(s);
    return -1;
}

const char *file_split_path(const struct file_split *s, size_t i)
{
    return s->names.data + s->parts[i].path;
}

void file_split_reset(struct file_split *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct chunk *c = s->parts[i].batch != NULL ? &s->parts[i].batch->chunk : NULL;
        chunk_free(&c);
        wire_free(&s->parts[i].wire);
    }
    if (s->count > 0 && s->slots != NULL)
        memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    s->count = 0;
    s->names.len = 0;
    if (s->names.failed || s->names.cap > NAMES_KEPT)
        buf_clear(&s->names);
}

void file_split_clear(struct file_split *s)
{
    file_split_reset(s);
    buf_clear(&s->names);
    mem_free(s->parts);
    mem_free(s->slots);
    mem_free(s->ids);
    struct siphash_key key = s->key;
    *s = (struct file_split){.key = key};
}
