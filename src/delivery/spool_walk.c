#include "delivery/spool_walk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK      4096 /* of heads; small entries come with their neighbours */
#define LONG_BLOCK 65536

int64_t spool_file_read(struct spool_file *f, void *to, size_t len, uint64_t offset)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(f->fd, (char *)to + got, len - got, (off_t)(offset + got));
        f->reads++;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
        f->read_bytes += (uint64_t)n;
    }
    return (int64_t)got;
}

bool spool_file_head(struct spool_file *f, uint64_t base)
{
    char head[SPOOL_SEGMENT_HEAD];
    return spool_file_read(f, head, sizeof head, 0) == (int64_t)sizeof head && spool_get_head(head, &f->head) &&
           f->head.base == base;
}

/* The entry whose head is at ${from}, as spool_file_entry. */
static bool is_entry(const struct spool_file *f, const char *from, uint64_t offset, struct spool_entry *entry)
{
    return spool_get_entry(from, &f->head, f->head.base + offset, entry) &&
           spool_entry_bytes(entry->length) <= f->size - offset;
}

bool spool_file_entry(struct spool_file *f, uint64_t offset, struct spool_entry *entry)
{
    char head[SPOOL_ENTRY_HEAD];
    return offset + sizeof head <= f->size && spool_file_read(f, head, sizeof head, offset) == (int64_t)sizeof head &&
           is_entry(f, head, offset, entry);
}

uint64_t spool_file_find(struct spool_file *f, uint64_t offset)
{
    char block[LONG_BLOCK];
    struct spool_entry entry;
    while (offset + SPOOL_ENTRY_HEAD <= f->size) {
        int64_t got = spool_file_read(f, block, sizeof block, offset);
        if (got < SPOOL_ENTRY_HEAD)
            break;
        size_t at = 0;
        for (; at + SPOOL_ENTRY_HEAD <= (size_t)got; at += SPOOL_ALIGN)
            if (is_entry(f, block + at, offset + at, &entry))
                return offset + at;
        offset += at;
    }
    return f->size;
}

/* Is the payload of ${entry} what was written? */
static bool is_whole(struct spool_file *f, const struct spool_entry *entry)
{
    char block[LONG_BLOCK];
    uint64_t at = entry->at - f->head.base + SPOOL_ENTRY_HEAD, left = entry->length;
    uint32_t crc = spool_crc(NULL, 0);
    while (left > 0) {
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        if (spool_file_read(f, block, n, at) != (int64_t)n)
            return false;
        crc = spool_crc_more(crc, block, n);
        at += n;
        left -= n;
    }
    return crc == entry->crc;
}

/* The last write: the place before which everything was on the disk, and the number of its first record. */
struct last_write {
    uint64_t synced, first;
};

/* Walk the heads. Small entries come several with one read. */
static void walk(struct spool_file *f, struct spool_tail *tail, struct last_write *last)
{
    char block[BLOCK];
    uint64_t at = SPOOL_SEGMENT_HEAD, from = 0, got = 0;
    struct spool_entry entry;
    while (at + SPOOL_ENTRY_HEAD <= f->size) {
        if (at < from || at + SPOOL_ENTRY_HEAD > from + got) {
            int64_t n = spool_file_read(f, block, sizeof block, at);
            if (n < SPOOL_ENTRY_HEAD)
                break;
            from = at;
            got = (uint64_t)n;
        }
        if (is_entry(f, block + (at - from), at, &entry)) {
            if (last->synced != entry.synced)
                *last = (struct last_write){entry.synced, tail->records};
            tail->records = entry.first + entry.records;
            at += spool_entry_bytes(entry.length);
            tail->end = at;
            continue;
        }
        bool cut = spool_get_entry(block + (at - from), &f->head, f->head.base + at, &entry);
        uint64_t next = spool_file_find(f, at + SPOOL_ALIGN);
        if (next == f->size) {
            tail->torn = cut; /* a good head whose payload is not all there */
            return;
        }
        at = next;
    }
    tail->torn = f->size - tail->end < SPOOL_ENTRY_HEAD;
}

void spool_file_tail(struct spool_file *f, struct spool_tail *tail)
{
    *tail = (struct spool_tail){.end = SPOOL_SEGMENT_HEAD, .records = f->head.first};
    struct last_write last = {UINT64_MAX, 0};
    walk(f, tail, &last);
    if (last.synced == UINT64_MAX)
        return;
    /* What was written last, after everything before was known to be on the disk, may be there in part, and not in order. */
    uint64_t base = f->head.base, records = last.first;
    uint64_t at = last.synced < base + SPOOL_SEGMENT_HEAD ? SPOOL_SEGMENT_HEAD : last.synced - base;
    struct spool_entry entry;
    while (at < tail->end) {
        if (!spool_file_entry(f, at, &entry) || !is_whole(f, &entry)) {
            *tail = (struct spool_tail){.end = at, .records = records};
            return;
        }
        records = entry.first + entry.records;
        at += spool_entry_bytes(entry.length);
    }
}
