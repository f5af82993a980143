/* Opening a spool: what is there, where it ends, what is done with. See spool.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/spool.h"

/* ---- names ------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* The place in the name of a segment. */
static bool is_segment(const char *name, uint64_t *base)
{
    *base = 0;
    for (int i = 0; i < 16; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = name[i] != '\0' ? strchr(digits, name[i]) : NULL;
        if (digit == NULL)
            return false;
        *base = *base << 4 | (uint64_t)(digit - digits);
    }
    return strcmp(name + 16, ".seg") == 0;
}

static int add_segment(struct spool *s, uint64_t base, uint64_t size, struct err *e)
{
    struct spool_segment *seg = mem_alloc(sizeof *seg);
    if (seg == NULL)
        return err_nomem(e);
    *seg = (struct spool_segment){.base = base, .size = size};
    struct list *at = &s->segments;
    while (at->prev != &s->segments && LIST_ENTRY(at->prev, struct spool_segment, node)->base > base)
        at = at->prev;
    list_before(at, &seg->node);
    s->count++;
    s->bytes += size;
    return 0;
}

static int add_name(struct spool *s, const char *name, struct err *e)
{
    uint64_t base;
    struct stat st;
    bool segment = is_segment(name, &base), bad = ends_with(name, ".bad");
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "state") == 0)
        return 0;
    if (fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot look at %s/%s", s->path, name);
    if ((!segment && !bad) || !S_ISREG(st.st_mode)) {
        log_warn(s->scope, "%s/%s does not belong there: it is left alone", s->path, name);
        return 0;
    }
    if (bad) {
        s->bad_bytes += (uint64_t)st.st_size;
        s->bytes += (uint64_t)st.st_size;
        return 0;
    }
    return add_segment(s, base, (uint64_t)st.st_size, e);
}

static int read_names(struct spool *s, struct err *e)
{
    int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int rc = 0;
    if (dir == NULL) {
        err_sys(e, errno, "cannot read %s", s->path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        rc = add_name(s, entry->d_name, e);
    if (rc == 0 && errno != 0)
        rc = err_sys(e, errno, "cannot read %s", s->path);
    closedir(dir);
    return rc;
}

/* ---- the state --------------------------------------------------------------------------------- */

/* Where reading starts when no state says so. */
static void start_at_first(struct spool *s)
{
    const struct spool_segment *first = LIST_ENTRY(s->segments.next, struct spool_segment, node);
    if (list_empty(&s->segments))
        return;
    struct spool_file f = {.size = first->size};
    log_error(s->scope, "%s/state is missing or damaged: everything in the queue is sent again", s->path);
    s->acked = first->base;
    f.fd = openat(s->dir_fd, spool_name(s, first->base, ".seg"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (f.fd < 0)
        return;
    if (spool_file_head(&f, first->base))
        s->acked_records = f.head.first;
    close(f.fd);
}

/* Write the whole file anew, with what is known. */
static int make_state(struct spool *s, struct err *e)
{
    char text[SPOOL_SLOT_APART * 2] = {0};
    s->turn = 1;
    spool_put_slot(text + SPOOL_SLOT_APART, &(struct spool_slot){.turn = s->turn, .acked = s->acked, .records = s->acked_records});
    if (pwrite(s->state_fd, text, sizeof text, 0) != (ssize_t)sizeof text || fsync(s->state_fd) != 0 || fsync(s->dir_fd) != 0)
        return err_sys(e, errno, "cannot write %s/state", s->path);
    return 0;
}

static int read_state(struct spool *s, struct err *e)
{
    char text[SPOOL_SLOT_APART * 2] = {0};
    struct spool_slot slot, best = {0};
    s->state_fd = openat(s->dir_fd, "state", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->state_fd < 0)
        return err_sys(e, errno, "cannot open %s/state", s->path);
    if (pread(s->state_fd, text, sizeof text, 0) < 0)
        return err_sys(e, errno, "cannot read %s/state", s->path);
    for (size_t at = 0; at < sizeof text; at += SPOOL_SLOT_APART)
        if (spool_get_slot(text + at, &slot) && slot.turn > best.turn)
            best = slot;
    s->bytes += sizeof text;
    s->turn = best.turn;
    s->acked = best.acked;
    s->acked_records = best.records;
    if (best.turn == 0) {
        start_at_first(s);
        if (make_state(s, e) != 0)
            return -1;
    }
    s->saved = s->acked;
    return 0;
}

/* ---- the end ----------------------------------------------------------------------------------- */

/* Cut off what is not whole at the end of ${seg}. It never counted, or cannot be read anyway. */
static int cut(struct spool *s, struct spool_file *f, struct spool_segment *seg, const struct spool_tail *tail, struct err *e)
{
    uint64_t extra = seg->size - tail->end;
    if (tail->torn)
        log_warn(s->scope, "%s/%s ends inside an entry: cutting its last %" PRIu64 " bytes, which nobody was told were safe", s->path,
                 spool_name(s, seg->base, ".seg"), extra);
    else
        spool_quarantine(s, f, tail->end, seg->size);
    if (ftruncate(f->fd, (off_t)tail->end) != 0 || fsync(f->fd) != 0)
        return err_sys(e, errno, "cannot cut %s/%s", s->path, spool_name(s, seg->base, ".seg"));
    s->bytes -= extra;
    seg->size = tail->end;
    return 0;
}

/* The last segment, ${seg}, is ${f}: where does it end, can it be appended to? */
static int take_last(struct spool *s, struct spool_file *f, struct spool_segment *seg, struct err *e)
{
    struct spool_tail tail;
    spool_file_tail(f, &tail);
    if (tail.end < seg->size && cut(s, f, seg, &tail, e) != 0)
        return -1;
    uint64_t end = seg->base + seg->size;
    s->next_record = tail.records;
    s->open = s->durable <= end && seg->size < s->segment_bytes;
    s->head = f->head;
    if (s->durable < end)
        s->durable = end;
    return 0;
}

static void forget(struct spool *s, struct spool_segment *seg)
{
    list_remove(&seg->node);
    s->count--;
    mem_free(seg);
}

static int find_end(struct spool *s, struct err *e)
{
    while (!list_empty(&s->segments)) {
        struct spool_segment *seg = LIST_ENTRY(s->segments.prev, struct spool_segment, node);
        if (seg->size < SPOOL_SEGMENT_HEAD) { /* it was just being made, so nothing in it ever counted */
            if (unlinkat(s->dir_fd, spool_name(s, seg->base, ".seg"), 0) != 0)
                return err_sys(e, errno, "cannot delete %s/%s", s->path, s->names);
            s->bytes -= seg->size;
            forget(s, seg);
            continue;
        }
        struct spool_file f = {.size = seg->size};
        f.fd = openat(s->dir_fd, spool_name(s, seg->base, ".seg"), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (f.fd < 0)
            return err_sys(e, errno, "cannot open %s/%s", s->path, s->names);
        if (spool_file_head(&f, seg->base)) {
            int rc = take_last(s, &f, seg, e);
            close(f.fd);
            return rc;
        }
        close(f.fd);
        uint64_t end = (seg->base + seg->size + SPOOL_ALIGN - 1) & ~(uint64_t)(SPOOL_ALIGN - 1);
        if (s->durable < end)
            s->durable = end; /* names are not used twice */
        spool_set_aside(s, seg->base, seg->size);
        forget(s, seg);
    }
    return 0;
}

int spool_scan(struct spool *s, struct err *e)
{
    if (read_names(s, e) != 0 || read_state(s, e) != 0 || find_end(s, e) != 0)
        return -1;
    if (s->durable < s->acked) { /* what was done with is gone already */
        s->durable = s->acked;
        s->open = false;
    }
    if (s->next_record < s->acked_records)
        s->next_record = s->acked_records;
    if (s->bad_bytes > 0)
        log_warn(s->scope, "%s holds %" PRIu64 " bytes of damaged parts (*.bad), which count against max_bytes until somebody deletes them", s->path,
                 s->bad_bytes);
    s->durable_records = s->next_record;
    s->end = s->durable;
    return 0;
}
