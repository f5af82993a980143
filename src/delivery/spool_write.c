/* Writing to a spool: collecting entries, and the rounds that put them on disk. See spool.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/spool.h"

/* ---- collecting -------------------------------------------------------------------------------- */

static uint64_t new_salt(uint64_t base)
{
    uint64_t salt;
    if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != (ssize_t)sizeof salt)
        salt = (uint64_t)getpid() << 32 ^ base ^ (uint64_t)(uintptr_t)&salt; /* before the kernel has any: better than none */
    return salt;
}

/* Let ${w}, which is empty, begin a segment. */
static enum spool_fit begin_segment(struct spool *s, struct spool_write *w)
{
    w->fresh = mem_zalloc(1, sizeof *w->fresh);
    if (w->fresh == NULL || !buf_reserve(&w->bytes, SPOOL_SEGMENT_HEAD)) {
        spool_write_clear(w, true);
        return SPOOL_NOMEM;
    }
    w->head = (struct spool_head){.base = s->end, .first = s->next_record, .salt = new_salt(s->end)};
    spool_put_head(w->bytes.data, &w->head);
    w->bytes.len = SPOOL_SEGMENT_HEAD;
    w->end += SPOOL_SEGMENT_HEAD;
    return SPOOL_FITS;
}

enum spool_fit spool_entry_begin(struct spool *s, struct spool_write *w)
{
    bool full = !s->open || s->end - s->head.base >= s->segment_bytes;
    if (w->entries > 0 && (w->head.base != s->head.base || full))
        return SPOOL_LATER;
    if (w->entries == 0) {
        w->start = w->end = s->end;
        w->end_record = s->next_record;
        w->head = s->head;
        if (full && begin_segment(s, w) != SPOOL_FITS)
            return SPOOL_NOMEM;
    }
    w->entry = w->bytes.len;
    if (!buf_reserve(&w->bytes, SPOOL_ENTRY_HEAD)) {
        if (w->entries == 0)
            spool_write_clear(w, true);
        return SPOOL_NOMEM;
    }
    memset(w->bytes.data + w->bytes.len, 0, SPOOL_ENTRY_HEAD);
    w->bytes.len += SPOOL_ENTRY_HEAD;
    return SPOOL_FITS;
}

/* Take back the entry that was begun. */
static enum spool_fit undo(struct spool_write *w, enum spool_fit why)
{
    w->bytes.len = w->entry;
    if (w->entries == 0)
        spool_write_clear(w, why == SPOOL_NOMEM);
    return why;
}

enum spool_fit spool_entry_end(struct spool *s, struct spool_write *w, uint32_t kind, uint32_t records, int64_t time)
{
    static const char zeros[SPOOL_ALIGN];
    size_t length = w->bytes.failed ? 0 : w->bytes.len - w->entry - SPOOL_ENTRY_HEAD;
    uint64_t bytes = spool_entry_bytes(length);
    buf_add(&w->bytes, zeros, (size_t)(bytes - SPOOL_ENTRY_HEAD - length));
    if (w->bytes.failed) {
        w->bytes.failed = false;
        return undo(w, SPOOL_NOMEM);
    }
    uint64_t more = w->fresh != NULL && w->entries == 0 ? SPOOL_SEGMENT_HEAD + bytes : bytes;
    uint64_t always = s->bad_bytes + 2 * SPOOL_SLOT_APART; /* is there, however empty it gets */
    if (length > UINT32_MAX || always + SPOOL_SEGMENT_HEAD + bytes > s->max_bytes)
        return undo(w, SPOOL_NEVER);
    if (s->bytes + more > s->max_bytes) {
        if (s->acked == s->end)
            s->open = false; /* all is done with: what the last segment takes can be had too */
        return undo(w, SPOOL_FULL);
    }
    char *head = w->bytes.data + w->entry;
    struct spool_entry entry = {
        .at = w->end,
        .length = (uint32_t)length,
        .first = s->next_record,
        .synced = w->start,
        .time = time,
        .records = records,
        .kind = kind,
        .crc = spool_crc(head + SPOOL_ENTRY_HEAD, length),
    };
    spool_put_entry(head, &w->head, &entry);
    w->entries++;
    w->end += bytes;
    s->open = true;
    s->head = w->head;
    s->bytes += more;
    s->end = w->end;
    s->next_record += records;
    w->end_record = s->next_record;
    return SPOOL_FITS;
}

void spool_write_clear(struct spool_write *w, bool free)
{
    struct buf bytes = w->bytes;
    mem_free(w->fresh);
    *w = (struct spool_write){0};
    bytes.len = 0;
    if (free)
        buf_clear(&bytes);
    w->bytes = bytes;
}

/* ---- a round ----------------------------------------------------------------------------------- */

/* Nothing in ${seg} is needed any more, and nothing is appended to it. */
static bool is_dead(const struct spool *s, const struct spool_segment *seg)
{
    return seg->base + seg->size <= s->acked && !(s->open && s->head.base == seg->base);
}

bool spool_has_dead(const struct spool *s)
{
    return !list_empty(&s->segments) && is_dead(s, LIST_ENTRY(s->segments.next, struct spool_segment, node));
}

bool spool_round_prepare(struct spool *s, struct spool_round *r, struct spool_write *w)
{
    *r = (struct spool_round){.dir_fd = s->dir_fd, .state_fd = s->state_fd, .write = w};
    r->slot = (struct spool_slot){.turn = s->turn + 1, .acked = s->acked, .records = s->acked_records};
    r->save = s->acked != s->saved;
    LIST_EACH(node, &s->segments) {
        const struct spool_segment *seg = LIST_ENTRY(node, struct spool_segment, node);
        bool goes_on = w != NULL && w->head.base == seg->base;
        if (r->dead_count == SPOOL_DEAD || goes_on || !is_dead(s, seg))
            break;
        r->dead[r->dead_count++] = seg->base;
    }
    return w != NULL || r->save || r->dead_count > 0;
}

static int write_at(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* All of ${w} at its place in ${fd}. What an earlier attempt left there goes first. */
static int write_entries(int fd, const struct spool_write *w, uint64_t offset, bool *made)
{
    char head[SPOOL_SEGMENT_HEAD];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    *made = st.st_size == 0;
    if (w->fresh == NULL && (uint64_t)st.st_size < sizeof head) { /* somebody has deleted it */
        spool_put_head(head, &w->head);
        if (write_at(fd, head, sizeof head, 0) != 0)
            return -1;
    }
    if ((uint64_t)st.st_size > offset && ftruncate(fd, (off_t)offset) != 0)
        return -1;
    fault_point("segment", "write.before");
    if (fault_hit("segment", "write.half")) {
        write_at(fd, w->bytes.data, w->bytes.len / 2, offset);
        fault_end();
    }
    if (write_at(fd, w->bytes.data, w->bytes.len, offset) != 0)
        return -1;
    fault_point("segment", "fsync.before");
    if (fsync(fd) != 0)
        return -1;
    fault_point("segment", "fsync.after");
    return 0;
}

static void put_entries(struct spool_round *r)
{
    const struct spool_write *w = r->write;
    char name[SPOOL_NAME];
    bool made = false;
    uint64_t offset = w->start - w->head.base;
    snprintf(name, sizeof name, "%016" PRIx64 ".seg", w->head.base);
    fault_point("segment", "create.before");
    int fd = openat(r->dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_sys(&r->write_err, errno, "cannot open %s", name);
        return;
    }
    if (write_entries(fd, w, offset, &made) != 0) {
        err_sys(&r->write_err, errno, "cannot write %s", name);
        if (ftruncate(fd, (off_t)offset) != 0) { /* else the next attempt, or the next start, does that */
        }
    }
    close(fd);
    if (!err_is(&r->write_err) && (made || w->fresh != NULL) && fsync(r->dir_fd) != 0)
        err_sys(&r->write_err, errno, "cannot fsync the directory of %s", name);
    fault_point("segment", "dirsync.after");
}

/* One of the two slots, in place: that needs no room on a full disk, and a torn one leaves the other. */
static int put_state(const struct spool_round *r, struct err *e)
{
    char slot[SPOOL_SLOT];
    spool_put_slot(slot, &r->slot);
    fault_point("state", "write.before");
    if (write_at(r->state_fd, slot, sizeof slot, r->slot.turn % 2 * SPOOL_SLOT_APART) != 0)
        return err_sys(e, errno, "cannot write the state");
    fault_point("state", "fsync.before");
    if (fdatasync(r->state_fd) != 0)
        return err_sys(e, errno, "cannot fsync the state");
    fault_point("state", "fsync.after");
    return 0;
}

void spool_round_run(struct spool_round *r)
{
    if (r->write != NULL)
        put_entries(r);
    if (r->save && put_state(r, &r->state_err) != 0)
        return;
    for (; r->gone < r->dead_count; r->gone++) {
        char name[SPOOL_NAME];
        snprintf(name, sizeof name, "%016" PRIx64 ".seg", r->dead[r->gone]);
        fault_point("segment", "unlink.before");
        if (unlinkat(r->dir_fd, name, 0) != 0 && errno != ENOENT) {
            err_sys(&r->state_err, errno, "cannot delete %s", name);
            return;
        }
        fault_point("segment", "unlink.after");
    }
}

/* The segment with ${base}; NULL: there is none. */
static struct spool_segment *find(const struct spool *s, uint64_t base)
{
    for (struct list *node = s->segments.prev; node != &s->segments; node = node->prev)
        if (LIST_ENTRY(node, struct spool_segment, node)->base == base)
            return LIST_ENTRY(node, struct spool_segment, node);
    return NULL;
}

static void take_notice(struct spool *s, struct spool_write *w)
{
    struct spool_segment *seg = w->fresh;
    if (seg != NULL) {
        seg->base = w->head.base;
        list_push(&s->segments, &seg->node);
        s->count++;
        w->fresh = NULL;
    } else {
        seg = find(s, w->head.base);
    }
    if (seg != NULL)
        seg->size = w->end - w->head.base;
    s->durable = w->end;
    s->durable_records = w->end_record;
}

void spool_round_done(struct spool *s, struct spool_round *r)
{
    if (r->write != NULL && !err_is(&r->write_err))
        take_notice(s, r->write);
    if (r->save && (!err_is(&r->state_err) || r->gone > 0)) {
        s->saved = r->slot.acked;
        s->turn = r->slot.turn;
    }
    for (size_t i = 0; i < r->gone; i++) {
        struct spool_segment *seg = find(s, r->dead[i]);
        if (s->file.fd >= 0 && s->read_base == seg->base) { /* or its room on the disk stays taken */
            close(s->file.fd);
            s->file.fd = -1;
        }
        s->bytes -= seg->size;
        s->count--;
        list_remove(&seg->node);
        mem_free(seg);
    }
}

int spool_save(struct spool *s, struct err *e)
{
    struct spool_round r;
    if (s->acked == s->durable && s->end == s->durable)
        s->open = false; /* all is done with: nothing need stay */
    if (!spool_round_prepare(s, &r, NULL))
        return 0;
    spool_round_run(&r);
    spool_round_done(s, &r);
    if (!err_is(&r.state_err))
        return 0;
    return err_set(e, r.state_err.code, "%s: %s", s->path, r.state_err.text);
}
