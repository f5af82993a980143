#include "sink/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "delivery/cut.h"
#include "record/wire.h"
#include "sink/file_exact.h"
#include "sink/file_rotate.h"
#include "sink/torn.h"

#define PIECES_MAX   256
#define ROTATE_RETRY 1.0 /* seconds between attempts at a rotation that fails */

struct file_out *file_out_new(const char *path, size_t len, size_t below, const struct file_rules *rules)
{
    struct file_out *o = mem_alloc(sizeof *o + len + 1);
    if (o == NULL)
        return NULL;
    memset(o, 0, sizeof *o);
    list_init(&o->used);
    list_init(&o->bucket);
    o->rules = rules;
    o->fd = -1;
    memcpy(o->path, path, len);
    o->path[len] = '\0';
    o->place = (struct file_place){o->path, below};
    return o;
}

static void let_go(struct file_out *o)
{
    if (o->output != NULL)
        file_exact_close(o);
    else if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
    o->dirty = false;
}

void file_out_free(struct file_out **o)
{
    struct file_out *dead = *o;
    *o = NULL;
    if (dead == NULL)
        return;
    let_go(dead);
    mem_free(dead);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static enum out_step obstacle(struct file_out *o, const char *what, int error)
{
    if (!o->complained)
        log_error(o->rules->scope, "%s %s: %s (trying again until it works)", what, o->path, strerror(error));
    o->complained = true;
    return OUT_WAIT;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* When the file was created, as far as its file system knows; else when it was last written. */
static int64_t born(const struct file_out *o, const struct stat *st)
{
    struct statx x;
    if (st->st_size == 0)
        return now();
    if (statx(o->fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) == 0 && (x.stx_mask & STATX_BTIME) != 0)
        return (int64_t)x.stx_btime.tv_sec * 1000000000 + x.stx_btime.tv_nsec;
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Is the last byte a line feed? ${o} itself is for appending only. What cannot be read is taken to be whole. */
static bool ends_whole(const struct file_out *o, int dir)
{
    char last = '\n';
    int fd = file_place_open(&o->place, dir, O_RDONLY, o->rules->mode);
    if (fd < 0)
        return true;
    if (pread(fd, &last, 1, (off_t)o->size - 1) != 1)
        last = '\n';
    close(fd);
    return last == '\n';
}

/* After a crash the last line, or the last compressed member, may not be whole. What follows must not be glued to it. */
static int mend_end(struct file_out *o, int dir)
{
    struct stat st;
    if (o->size == 0)
        return 0;
    if (!o->text) {
        if (torn_mend(o->fd, o->rules->scope, o->path) != 0 || fstat(o->fd, &st) != 0)
            return -1;
        o->size = (uint64_t)st.st_size;
        return 0;
    }
    if (ends_whole(o, dir))
        return 0;
    log_warn(o->rules->scope, "%s ends inside a line: beginning a new one", o->path);
    o->size++;
    return file_write_all(o->fd, "\n", 1);
}

static int know(struct file_out *o, int dir)
{
    struct stat st;
    if (fstat(o->fd, &st) != 0)
        return -1;
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    o->regular = S_ISREG(st.st_mode);
    o->size = o->regular ? (uint64_t)st.st_size : 0;
    if (o->rules->rotation->max_age > 0)
        o->born = born(o, &st);
    return file_exact_is_whole(o, &st) ? 0 : mend_end(o, dir);
}

/* What is in the way of writing to ${o}, just opened; NULL: nothing. */
static const char *begin(struct file_out *o, int dir)
{
    if (know(o, dir) != 0)
        return "cannot mend the end of";
    if (o->rules->cut == NULL)
        return NULL;
    errno = EINVAL;
    if (!o->regular)
        return "exactly_once needs a regular file, not";
    return file_exact_begin(o) != 0 ? "cannot begin with" : NULL;
}

static enum out_step open_out(struct file_out *o, bool text)
{
    if (o->rules->cut != NULL && cut_restore(o->rules->cut) != 0)
        return obstacle(o, "cannot cut back to the checkpoint what was written to", errno);
    int dir = file_place_dir(&o->place, true);
    if (dir < 0)
        return obstacle(o, "cannot open or create the directory of", errno);
    /* O_NONBLOCK: a FIFO that nobody reads must not stop the agent */
    o->text = text;
    o->fd = file_place_open(&o->place, dir, (text && o->rules->cut == NULL ? O_WRONLY : O_RDWR) | O_APPEND | O_NONBLOCK, o->rules->mode);
    const char *what = o->fd < 0 ? "cannot open" : begin(o, dir);
    enum out_step step = what != NULL ? obstacle(o, what, errno) : OUT_DONE;
    if (what != NULL)
        let_go(o);
    close(dir);
    return step;
}

/* ---- going elsewhere --------------------------------------------------------------------------- */

bool file_out_moved(const struct file_out *o)
{
    struct stat st;
    return file_place_stat(&o->place, &st) != 0 || st.st_ino != o->ino || st.st_dev != o->dev;
}

/* The file was renamed or removed under us (logrotate): what comes next belongs into a new one. So does the record, or the gzip member, that
 * was half written when the disk was full: it begins anew there. */
static void leave(struct file_out *o, struct wire *w)
{
    if (o->output != NULL && w->sent > 0)
        file_exact_leave(o, w);
    else if (w->sent > 0 && w->ends == NULL)
        torn_mend(o->fd, o->rules->scope, o->path);
    w->sent = w->sent > 0 ? wire_boundary(w, w->sent) : 0;
    let_go(o);
}

/* Where the record that byte ${at} belongs to ends. */
static size_t record_end(const struct wire *w, size_t at)
{
    size_t low = 0, high = w->ends != NULL ? w->records : 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->ends[mid] > at)
            high = mid;
        else
            low = mid + 1;
    }
    return w->ends != NULL && low < w->records ? w->ends[low] : w->bytes;
}

/* Must the file be rotated before more of ${w} is written? If not, *${stop} is how far may be written before that is asked again. */
static bool is_due(const struct file_out *o, const struct wire *w, size_t *stop)
{
    const struct file_rotation *rotation = o->rules->rotation;
    size_t at = w->sent, left = w->bytes - at;
    *stop = w->bytes;
    if (!rotation->given || !o->regular || (o->rotate_after > 0 && loop_now() < o->rotate_after))
        return false;
    bool between = wire_boundary(w, at) == at;
    if (between && o->size > 0 && rotation->max_age > 0 && (double)(now() - o->born) / 1e9 >= rotation->max_age)
        return true;
    if (rotation->max_bytes == 0)
        return false;
    uint64_t room = o->size < rotation->max_bytes ? rotation->max_bytes - o->size : 0;
    size_t end = record_end(w, at);
    if (between && o->size > 0 && end - at > room)
        return true;
    *stop = wire_boundary(w, at + (room < left ? (size_t)room : left));
    if (*stop < end)
        *stop = end;
    return false;
}

static int run_rotation(const struct file_out *o)
{
    int dir = file_place_dir(&o->place, false);
    if (dir < 0)
        return errno;
    struct rotation r = {.dir = dir, .name = file_place_name(&o->place), .keep = (unsigned)o->rules->rotation->keep};
    int error = 0;
    while (error == 0 && r.state != ROTATE_OVER)
        error = file_rotate_step(&r) == 0 ? 0 : errno;
    close(dir);
    return error;
}

/* A rotation that fails stops nothing: the file grows on meanwhile. */
static void rotate(struct file_out *o, struct wire *w)
{
    int error = file_out_moved(o) ? 0 : run_rotation(o);
    if (error == 0) {
        if (o->rotate_told)
            log_info(o->rules->scope, "%s is rotated again", o->path);
        o->rotate_told = false;
        o->rotate_after = 0;
        if (o->output != NULL)
            file_exact_leave(o, w);
        let_go(o);
        return;
    }
    if (!o->rotate_told)
        log_error(o->rules->scope, "cannot rotate %s: %s (going on with it, and trying again)", o->path, strerror(error));
    o->rotate_told = true;
    o->rotate_after = loop_now() + ROTATE_RETRY;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static ssize_t write_some(const struct file_out *o, const struct wire *w, size_t stop)
{
    struct iovec pieces[PIECES_MAX];
    int count = wire_pieces(w, w->sent, pieces, PIECES_MAX);
    size_t most = stop - w->sent, len = 0;
    for (int i = 0; i < count; i++) {
        len += pieces[i].iov_len;
        if (len >= most) {
            pieces[i].iov_len -= len - most;
            count = i + 1;
        }
    }
    return writev(o->fd, pieces, count);
}

/* One piece of work: open, rotate or write. */
static enum out_step advance(struct file_out *o, struct wire *w)
{
    size_t stop;
    if (o->fd < 0)
        return open_out(o, w->ends != NULL);
    if (!file_exact_may(o))
        return OUT_KEEP;
    if (is_due(o, w, &stop)) {
        if (o->dirty)
            return OUT_SYNC;
        rotate(o, w);
        return OUT_DONE;
    }
    ssize_t n = write_some(o, w, stop);
    if (n < 0 && errno == EINTR)
        return OUT_DONE;
    if (n < 0)
        return errno == EAGAIN ? OUT_NO_ROOM : obstacle(o, "cannot write to", errno);
    w->sent += (size_t)n;
    o->size += (size_t)n;
    o->dirty = o->rules->sync;
    return OUT_DONE;
}

enum out_step file_out_write(struct file_out *o, struct wire *w)
{
    enum out_step step = OUT_DONE;
    o->touched = loop_now();
    if (o->fd >= 0 && (w->sent == 0 || o->complained) && file_out_moved(o)) {
        if (o->dirty)
            return OUT_SYNC;
        leave(o, w);
    }
    if (o->fd >= 0 && w->sent == 0)
        file_exact_look(o);
    while (step == OUT_DONE && w->sent < w->bytes)
        step = advance(o, w);
    if (step != OUT_DONE)
        return step;
    if (o->complained)
        log_info(o->rules->scope, "%s is written again", o->path);
    o->complained = false;
    return o->dirty ? OUT_SYNC : OUT_DONE;
}

int file_out_sync(const struct file_out *o)
{
    return fdatasync(o->fd) == 0 ? 0 : errno;
}

void file_out_synced(struct file_out *o)
{
    o->dirty = false;
}
