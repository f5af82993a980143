/* The outputs of a cut: see cut.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/cut_state.h"
#include "record/ticket.h"

/* The directory of ${path}. */
static void directory_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (len == 0 || len >= PATH_MAX)
        snprintf(out, PATH_MAX, ".");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)len, path);
}

/* The mark of what lies before ${length} in the file behind ${fd}; one of no bytes, which proves nothing, if that cannot be read. */
static struct mark mark_before(int fd, uint64_t length)
{
    char text[MARK_BYTES];
    size_t len = length < MARK_BYTES ? (size_t)length : MARK_BYTES;
    if (file_pread(fd, text, len, length - len) != (ssize_t)len)
        return (struct mark){0, 0};
    return mark_of(text, len);
}

/* ---- taking it --------------------------------------------------------------------------------- */

void cut_outputs_note(struct cut *cut)
{
    LIST_EACH(node, &cut->outputs) {
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (o->kept == NULL)
            continue;
        o->leaving = !o->open || cut->finishing;
        o->next_length = o->length;
        o->next_mark = o->length == o->kept->length ? o->kept->mark : mark_before(o->fd, o->length);
    }
}

/* Is the name of a new file on the disk, too? */
static int sync_directory(const char *path)
{
    char dir[PATH_MAX];
    directory_of(path, dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd), error = errno;
    close(fd);
    errno = error;
    return rc;
}

void cut_outputs_sync(struct cut *cut, struct err *e)
{
    LIST_EACH(node, &cut->outputs) {
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (o->kept == NULL || o->fd < 0 || o->next_length == o->kept->length)
            continue;
        fault_point("output", "fsync.before");
        if (fdatasync(o->fd) != 0) {
            err_sys(e, errno, "cannot fsync %s", o->kept->path);
            return;
        }
        if (!o->dir_synced && sync_directory(o->kept->path) != 0 && errno != EACCES && errno != ENOENT) {
            err_sys(e, errno, "cannot fsync the directory of %s", o->kept->path);
            return;
        }
        fault_point("output", "fsync.after");
        o->dir_synced = true;
    }
}

/* ${o} is known no more. */
static void output_free(struct cut_output *o)
{
    if (o->fd >= 0)
        close(o->fd);
    if (o->fresh_fd >= 0)
        close(o->fresh_fd);
    list_remove(&o->node);
    mem_free(o);
}

void cut_outputs_synced(struct cut *cut)
{
    LIST_EACH(node, &cut->outputs) {
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (o->fresh_fd < 0)
            continue;
        if (o->fd >= 0)
            close(o->fd);
        o->fd = o->fresh_fd;
        o->fresh_fd = -1;
    }
}

void cut_outputs_keep(struct cut *cut)
{
    LIST_EACH(node, &cut->outputs) {
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (o->kept == NULL)
            continue;
        if (o->leaving) {
            checkpoint_remove_output(cut->cp, o->kept);
            o->kept = NULL;
            if (!o->open)
                output_free(o);
            continue;
        }
        o->kept->length = o->next_length;
        o->kept->mark = o->next_mark;
    }
    list_splice(&cut->outputs, &cut->fresh);
}

void cut_outputs_free(struct cut *cut)
{
    list_splice(&cut->outputs, &cut->fresh);
    LIST_EACH(node, &cut->outputs)
        output_free(LIST_ENTRY(node, struct cut_output, node));
}

/* ---- cutting back ------------------------------------------------------------------------------ */

static bool is_it(const struct checkpoint_output *kept, int fd, struct stat *st)
{
    return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_ino == kept->ino;
}

/* Is the file behind ${fd}, called ${name} in the directory of ${kept}, that, renamed? The inode may be used again by somebody else: so its content has
 * to say it, or, where nothing was written before the checkpoint, its name. */
static bool is_renamed(const struct checkpoint_output *kept, int fd, const char *name, const struct stat *st)
{
    const char *slash = strrchr(kept->path, '/'), *base = slash != NULL ? slash + 1 : kept->path;
    if (kept->mark.len == 0)
        return strncmp(name, base, strlen(base)) == 0;
    return (uint64_t)st->st_size >= kept->length && mark_equal(mark_before(fd, kept->length), kept->mark);
}

/* Where ${kept} is now: under its path, or renamed in its directory. A descriptor; -1: nowhere (ENOENT), or not to be opened. */
static int find(const struct checkpoint_output *kept, struct stat *st)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    char dir[PATH_MAX];
    int fd = open(kept->path, flags);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ENXIO && errno != EISDIR)
        return -1;
    if (fd >= 0 && is_it(kept, fd, st))
        return fd;
    if (fd >= 0)
        close(fd);
    directory_of(kept->path, dir);
    DIR *d = opendir(dir);
    if (d == NULL)
        return -1;
    int error = ENOENT;
    fd = -1;
    for (struct dirent *entry; fd < 0 && error == ENOENT && (entry = readdir(d)) != NULL;) {
        if (entry->d_ino != kept->ino)
            continue;
        fd = openat(dirfd(d), entry->d_name, flags);
        if (fd < 0 && errno != ENOENT)
            error = errno;
        if (fd >= 0 && !(is_it(kept, fd, st) && is_renamed(kept, fd, entry->d_name, st))) {
            close(fd);
            fd = -1;
        }
    }
    closedir(d);
    errno = error;
    return fd;
}

/* ${kept} is the file behind ${fd}: cut it back. 1: it is as the checkpoint says now; 0: it cannot be; -1 with errno: not now. */
static int cut_back(const struct cut *cut, const struct checkpoint_output *kept, int fd, const struct stat *st)
{
    uint64_t size = (uint64_t)st->st_size;
    if (size < kept->length) {
        log_error(cut->pipeline, "%s is %" PRIu64 " bytes long, and the checkpoint says that %" PRIu64 " were written: what is missing was sent and is not "
                  "sent again", kept->path, size, kept->length);
        return 0;
    }
    if (kept->mark.len > 0 && !mark_equal(mark_before(fd, kept->length), kept->mark)) {
        log_error(cut->pipeline, "%s is not what was written up to the checkpoint: it is left as it is, and some records may be there twice",
                  kept->path);
        return 0;
    }
    if (size == kept->length)
        return 1;
    fault_point("output", "truncate.before");
    if (ftruncate(fd, (off_t)kept->length) != 0)
        return -1;
    fault_point("output", "truncate.after");
    log_info(cut->pipeline, "%s: the last %" PRIu64 " bytes are behind the checkpoint: cut off, they are written again", kept->path,
             size - kept->length);
    return 1;
}

/* -1 with errno: not now. */
static int restore(struct cut *cut, struct checkpoint_output *kept)
{
    struct stat st;
    int rc = 0, fd = find(kept, &st);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        return -1;
    if (fd < 0)
        log_error(cut->pipeline, "%s, as it was written up to the checkpoint, is not there any more: what was written behind that is written again",
                  kept->path);
    else
        rc = cut_back(cut, kept, fd, &st);
    if (rc == 0) {
        checkpoint_remove_output(cut->cp, kept);
    } else if (rc > 0) {
        struct cut_output *o = mem_zalloc(1, sizeof *o);
        if (o == NULL)
            errno = ENOMEM;
        rc = o != NULL ? 0 : -1;
        if (o != NULL) {
            *o = (struct cut_output){.cut = cut, .kept = kept, .fd = -1, .fresh_fd = -1, .length = kept->length};
            kept->dev = st.st_dev;
            list_init(&o->node);
            list_push(&cut->outputs, &o->node);
        }
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return rc;
}

static struct cut_output *output_of(const struct cut *cut, const struct checkpoint_output *kept)
{
    LIST_EACH(node, &cut->outputs) { /* nothing is fresh before all are cut back */
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (o->kept == kept)
            return o;
    }
    return NULL;
}

struct restoring {
    struct cut *cut;
    int error;
};

static void restore_each(void *arg, struct checkpoint_output *kept)
{
    struct restoring *r = arg;
    if (r->error == 0 && output_of(r->cut, kept) == NULL && restore(r->cut, kept) != 0)
        r->error = errno;
}

int cut_restore(struct cut *cut)
{
    struct restoring r = {cut, 0};
    if (!cut->restored)
        checkpoint_each_output(cut->cp, cut->pipeline, restore_each, &r);
    cut->restored = r.error == 0;
    errno = r.error;
    return r.error == 0 ? 0 : -1;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* The one of ${list}, not open, that the file of ${st} is. */
static struct cut_output *known_of(const struct list *list, const struct stat *st)
{
    LIST_EACH(node, list) {
        struct cut_output *o = LIST_ENTRY(node, struct cut_output, node);
        if (!o->open && o->kept != NULL && o->kept->ino == st->st_ino && o->kept->dev == st->st_dev)
            return o;
    }
    return NULL;
}

static struct cut_output *known(const struct cut *cut, const struct stat *st)
{
    struct cut_output *o = known_of(&cut->outputs, st);
    return o != NULL ? o : known_of(&cut->fresh, st);
}

bool cut_knows(const struct cut *cut, const struct stat *st)
{
    return known(cut, st) != NULL;
}

struct cut_output *cut_output_open(struct cut *cut, const char *stage, const char *path, int fd,
                                   const struct stat *st)
{
    struct cut_output *o = known(cut, st);
    uint64_t size = (uint64_t)st->st_size;
    if (o != NULL) {
        int *place = cut->busy ? &o->fresh_fd : &o->fd;
        if (*place >= 0)
            close(*place);
        *place = fd;
        o->open = true;
        o->leaving = false; /* it may be written to, and closed again, before the worker is done */
        o->length = size;
        return o;
    }
    o = mem_zalloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    struct checkpoint_output like = {.pipeline = cut->pipeline, .stage = (char *)(uintptr_t)stage, .path = (char *)(uintptr_t)path,
                                     .dev = st->st_dev, .ino = st->st_ino, .length = size, .mark = mark_before(fd, size)};
    *o = (struct cut_output){.cut = cut, .fd = fd, .fresh_fd = -1, .open = true, .length = size};
    list_init(&o->node);
    o->kept = checkpoint_add_output(cut->cp, &like);
    if (o->kept == NULL) {
        mem_free(o);
        return NULL;
    }
    o->stamp = checkpoint_stamp(cut->cp);
    list_push(cut->busy ? &cut->fresh : &cut->outputs, &o->node);
    cut_want(cut); /* what was written to before may be away soon */
    return o;
}

bool cut_output_is_known(const struct cut_output *o)
{
    return checkpoint_has(o->cut->cp, o->stamp);
}

void cut_output_wait(struct cut_output *o, struct checkpoint_waiter *w)
{
    checkpoint_wait(o->cut->cp, w, o->stamp);
}

void cut_output_is(struct cut_output *o, uint64_t length, struct ticket_set *set)
{
    if (set != NULL)
        ticket_set_stored(set);
    o->length = length;
    cut_touch(o->cut);
}

uint64_t cut_output_length(const struct cut_output *o)
{
    return o->length;
}

void cut_output_close(struct cut_output **o)
{
    struct cut_output *left = *o;
    *o = NULL;
    left->open = false;
    if (left->kept != NULL)
        cut_touch(left->cut);
    else if (!left->cut->busy) /* else with the cut */
        output_free(left);
}
