#include "delivery/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define BAD_SHARE  8  /* a part of max_bytes that may be *.bad */
#define READ_TRIES 3  /* before what cannot be read is given up */

const char *spool_name(struct spool *s, uint64_t base, const char *ending)
{
    snprintf(s->names, sizeof s->names, "%016" PRIx64 "%s", base, ending);
    return s->names;
}

int spool_open(struct spool *s, int dir_fd, const char *path, uint64_t max_bytes, const char *scope, struct err *e)
{
    *s = (struct spool){
        .dir_fd = dir_fd,
        .state_fd = -1,
        .path = path,
        .scope = scope,
        .max_bytes = max_bytes,
        .segment_bytes = max_bytes / SPOOL_SEGMENTS < SPOOL_SEGMENT_MAX ? max_bytes / SPOOL_SEGMENTS : SPOOL_SEGMENT_MAX,
        .file = {.fd = -1},
    };
    list_init(&s->segments);
    if (spool_scan(s, e) == 0) {
        s->read_at = s->acked;
        s->read_record = s->acked_records;
        return 0;
    }
    spool_close(s);
    return -1;
}

static void close_file(struct spool *s)
{
    if (s->file.fd >= 0)
        close(s->file.fd);
    s->file.fd = -1;
}

void spool_close(struct spool *s)
{
    struct list *node;
    close_file(s);
    while ((node = list_shift(&s->segments)) != NULL)
        mem_free(LIST_ENTRY(node, struct spool_segment, node));
    if (s->state_fd >= 0)
        close(s->state_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->state_fd = s->dir_fd = -1;
}

/* ---- what is damaged ---------------------------------------------------------------------------- */

static bool may_keep(const struct spool *s, uint64_t bytes)
{
    return s->bad_bytes + bytes <= s->max_bytes / BAD_SHARE && s->bytes + bytes <= s->max_bytes;
}

/* Copy ${len} bytes. -1 with errno. */
static int copy(struct spool_file *f, uint64_t from, uint64_t len, int to)
{
    char block[65536];
    while (len > 0) {
        size_t n = len < sizeof block ? (size_t)len : sizeof block;
        int64_t got = spool_file_read(f, block, n, from);
        if (got <= 0)
            return got == 0 ? 0 : -1;
        if (file_write_all(to, block, (size_t)got) != 0)
            return -1;
        from += (uint64_t)got;
        len -= (uint64_t)got;
    }
    return 0;
}

void spool_quarantine(struct spool *s, struct spool_file *f, uint64_t from, uint64_t to)
{
    char name[SPOOL_NAME + 24];
    uint64_t len = to - from;
    s->damages++;
    snprintf(name, sizeof name, "%016" PRIx64 ".%" PRIu64 ".bad", f->head.base, from);
    if (!may_keep(s, len)) {
        log_error(s->scope, "%s/%016" PRIx64 ".seg is damaged from offset %" PRIu64 " to %" PRIu64 " (there is no room to keep a copy)",
                  s->path, f->head.base, from, to);
        return;
    }
    int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool kept = fd >= 0 && copy(f, from, len, fd) == 0;
    log_error(s->scope, "%s/%016" PRIx64 ".seg is damaged from offset %" PRIu64 " to %" PRIu64 " (%s %s%s%s)", s->path, f->head.base,
              from, to, kept ? "kept as" : "no copy, cannot write", name, kept ? "" : ": ", kept ? "" : strerror(errno));
    if (fd < 0)
        return;
    close(fd);
    if (kept) {
        s->bad_bytes += len;
        s->bytes += len;
    } else {
        unlinkat(s->dir_fd, name, 0);
    }
}

void spool_set_aside(struct spool *s, uint64_t base, uint64_t size)
{
    char from[SPOOL_NAME];
    s->damages++;
    s->bytes -= size;
    snprintf(from, sizeof from, "%s", spool_name(s, base, ".seg"));
    bool keep = may_keep(s, size);
    const char *to = spool_name(s, base, ".bad");
    int rc = keep ? renameat(s->dir_fd, from, s->dir_fd, to) : unlinkat(s->dir_fd, from, 0);
    if (rc != 0)
        log_error(s->scope, "%s/%s has no readable head, and cannot be moved away: %s", s->path, from, strerror(errno));
    else
        log_error(s->scope, "%s/%s has no readable head: it was %s%s", s->path, from, keep ? "kept as " : "deleted, since there is no room to keep it",
                  keep ? to : "");
    if (rc != 0 || keep)
        s->bytes += size; /* still there, by one name or the other */
    if (rc == 0 && keep)
        s->bad_bytes += size;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* The segment that the byte to be read next is in, or the first one behind. NULL: everything was read. */
static struct spool_segment *find_segment(const struct spool *s)
{
    LIST_EACH(node, &s->segments) {
        struct spool_segment *seg = LIST_ENTRY(node, struct spool_segment, node);
        if (seg->base + seg->size > s->read_at)
            return seg;
    }
    return NULL;
}

/* Records up to number ${next} were not there. */
static void count_lost(struct spool *s, uint64_t next)
{
    if (next <= s->read_record)
        return;
    log_error(s->scope, "%" PRIu64 " records of the queue in %s are lost", next - s->read_record, s->path);
    s->lost_records += next - s->read_record;
    s->read_record = next;
}

static enum spool_read trouble(struct spool *s, const struct spool_segment *seg, const char *what)
{
    if (s->read_failures++ == 0)
        log_error(s->scope, "cannot %s %s/%s: %s (trying again)", what, s->path, spool_name(s, seg->base, ".seg"), strerror(errno));
    return SPOOL_TROUBLE;
}

static void skip_to(struct spool *s, uint64_t place)
{
    s->read_at = place;
    s->read_failures = 0;
}

/* Open ${seg}, unless it is. What is no segment is passed over. */
static enum spool_read open_segment(struct spool *s, struct spool_segment *seg)
{
    if (s->file.fd >= 0 && s->read_base == seg->base) {
        s->file.size = seg->size;
        return SPOOL_READ;
    }
    close_file(s);
    s->file = (struct spool_file){.size = seg->size, .reads = s->file.reads, .read_bytes = s->file.read_bytes};
    s->file.fd = openat(s->dir_fd, spool_name(s, seg->base, ".seg"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    s->read_base = seg->base;
    if (s->file.fd < 0 && errno != ENOENT && errno != ELOOP)
        return trouble(s, seg, "open");
    if (s->file.fd < 0) {
        log_error(s->scope, "%s/%s is gone: %" PRIu64 " bytes of the queue", s->path, s->names, seg->size);
        s->damages++;
        skip_to(s, seg->base + seg->size);
        return SPOOL_SKIPPED;
    }
    if (s->open && s->head.base == seg->base) { /* we are writing it: its head is known, whatever becomes of it on disk */
        s->file.head = s->head;
        return SPOOL_READ;
    }
    if (spool_file_head(&s->file, seg->base))
        return SPOOL_READ;
    close_file(s);
    spool_set_aside(s, seg->base, seg->size);
    skip_to(s, seg->base + seg->size);
    list_remove(&seg->node);
    s->count--;
    mem_free(seg);
    return SPOOL_SKIPPED;
}

/* There is no whole entry at the place to be read: go on behind. */
static enum spool_read pass_over(struct spool *s, const struct spool_segment *seg, uint64_t offset)
{
    struct spool_entry entry;
    uint64_t next = spool_file_entry(&s->file, offset, &entry) ? offset + spool_entry_bytes(entry.length)
                                                               : spool_file_find(&s->file, offset + SPOOL_ALIGN);
    spool_quarantine(s, &s->file, offset, next);
    skip_to(s, seg->base + next);
    return SPOOL_SKIPPED;
}

/* How many of the ${len} bytes at ${data}, at ${offset} of the file, are whole entries. *${need}: the size of the first, if that is more than there
 * is; *${records}: the number of the record behind them. */
static size_t whole(const struct spool_file *f, const char *data, size_t len, uint64_t offset, size_t *need, uint64_t *records)
{
    size_t at = 0;
    struct spool_entry entry;
    while (at + SPOOL_ENTRY_HEAD <= len && spool_get_entry(data + at, &f->head, f->head.base + offset + at, &entry)) {
        uint64_t bytes = spool_entry_bytes(entry.length);
        if (bytes > f->size - offset - at)
            break;
        if (bytes > len - at) {
            if (at == 0)
                *need = (size_t)bytes;
            break;
        }
        if (spool_crc(data + at + SPOOL_ENTRY_HEAD, entry.length) != entry.crc)
            break;
        at += (size_t)bytes;
        *records = entry.first + entry.records;
    }
    return at;
}

/* Read on in ${seg}, which is open, at ${offset}. */
static enum spool_read read_on(struct spool *s, const struct spool_segment *seg, uint64_t offset, size_t room, struct spool_got *got)
{
    char *to = got->data;
    size_t want = seg->size - offset < room ? (size_t)(seg->size - offset) : room;
    int64_t n = spool_file_read(&s->file, to, want, offset);
    if (n < 0 && s->read_failures < READ_TRIES)
        return trouble(s, seg, "read");
    if (n < 0 || (size_t)n < want) { /* a bad sector, or somebody made it shorter: the rest is as good as gone */
        spool_quarantine(s, &s->file, offset, seg->size);
        skip_to(s, seg->base + seg->size);
        return SPOOL_SKIPPED;
    }
    uint64_t records = 0;
    struct spool_entry first;
    got->head = s->file.head;
    got->place = s->read_at;
    got->len = whole(&s->file, to, want, offset, &got->need, &records);
    if (got->len == 0)
        return got->need > 0 ? SPOOL_ROOM : pass_over(s, seg, offset);
    if (spool_get_entry(to, &got->head, got->place, &first))
        count_lost(s, first.first);
    s->read_record = records;
    skip_to(s, s->read_at + got->len);
    return SPOOL_READ;
}

enum spool_read spool_read(struct spool *s, char *to, size_t room, struct spool_got *got)
{
    struct spool_segment *seg = find_segment(s);
    *got = (struct spool_got){.data = to};
    if (seg == NULL) {
        if (s->read_at < s->durable)
            skip_to(s, s->durable);
        count_lost(s, s->durable_records);
        return SPOOL_EMPTY;
    }
    if (seg->base > s->read_at) {
        log_error(s->scope, "%" PRIu64 " bytes of the queue in %s, before %s, are missing", seg->base - s->read_at, s->path,
                  spool_name(s, seg->base, ".seg"));
        s->damages++;
        skip_to(s, seg->base);
        return SPOOL_SKIPPED;
    }
    enum spool_read opened = open_segment(s, seg);
    if (opened != SPOOL_READ)
        return opened;
    uint64_t offset = s->read_at - seg->base;
    if (offset >= SPOOL_SEGMENT_HEAD)
        return read_on(s, seg, offset, room, got);
    skip_to(s, seg->base + (seg->size < SPOOL_SEGMENT_HEAD ? seg->size : SPOOL_SEGMENT_HEAD));
    return SPOOL_SKIPPED;
}

bool spool_next(struct spool_got *got, struct spool_entry *entry)
{
    if (got->at >= got->len || !spool_get_entry(got->data + got->at, &got->head, got->place + got->at, entry))
        return false;
    entry->payload = got->data + got->at + SPOOL_ENTRY_HEAD;
    got->at += (size_t)spool_entry_bytes(entry->length);
    return true;
}

/* ---- the rest ---------------------------------------------------------------------------------- */

void spool_acked(struct spool *s, uint64_t at, uint64_t records)
{
    s->acked = at;
    s->acked_records = records;
}

uint64_t spool_waiting(const struct spool *s)
{
    return s->next_record > s->acked_records ? s->next_record - s->acked_records : 0;
}

int64_t spool_oldest(struct spool *s)
{
    LIST_EACH(node, &s->segments) {
        const struct spool_segment *seg = LIST_ENTRY(node, struct spool_segment, node);
        uint64_t offset = s->acked > seg->base ? s->acked - seg->base : 0;
        struct spool_file f = {.size = seg->size};
        struct spool_entry entry = {0};
        if (seg->base + seg->size <= s->acked)
            continue;
        f.fd = openat(s->dir_fd, spool_name(s, seg->base, ".seg"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (f.fd < 0)
            return 0;
        if (!spool_file_head(&f, seg->base) ||
            !spool_file_entry(&f, offset < SPOOL_SEGMENT_HEAD ? SPOOL_SEGMENT_HEAD : offset, &entry))
            entry.time = 0;
        close(f.fd);
        return entry.time;
    }
    return 0;
}
