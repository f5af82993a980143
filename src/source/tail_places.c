/* Where the followed files are: by name and by inode. See tail.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/tail.h"
#include "source/watch.h"

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct tail_file *)a)->path, ((const struct tail_file *)b)->path);
}

static int compare_inodes(const void *a, const void *b)
{
    const struct tail_file *x = a, *y = b;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return (x->dev > y->dev) - (x->dev < y->dev);
}

static void ignore(void *p)
{
    (void)p;
}

void tail_places_clear(struct tail_files *fs)
{
    tdestroy(fs->by_path, ignore);
    tdestroy(fs->by_ino, ignore);
    fs->by_path = fs->by_ino = NULL;
}

int tail_places_add(struct tail_files *fs, struct tail_file *f)
{
    return tsearch(f, &fs->by_ino, compare_inodes) != NULL ? 0 : -1;
}

void tail_places_remove(struct tail_files *fs, struct tail_file *f)
{
    void *node = tfind(f, &fs->by_ino, compare_inodes);
    tail_places_leave(fs, f);
    if (node != NULL && *(struct tail_file **)node == f) /* not when its inode is used again */
        tdelete(f, &fs->by_ino, compare_inodes);
}

struct tail_file *tail_places_inode(const struct tail_files *fs, const struct stat *st)
{
    struct tail_file key = {.dev = st->st_dev, .ino = st->st_ino};
    void *node = tfind(&key, &fs->by_ino, compare_inodes);
    return node != NULL ? *(struct tail_file **)node : NULL;
}

struct tail_file *tail_places_path(const struct tail_files *fs, const char *path)
{
    struct tail_file key = {.path = (char *)(uintptr_t)path};
    void *node = tfind(&key, &fs->by_path, compare_paths);
    return node != NULL ? *(struct tail_file **)node : NULL;
}

void tail_places_leave(struct tail_files *fs, struct tail_file *f)
{
    if (f->placed)
        tdelete(f, &fs->by_path, compare_paths);
    f->placed = false;
}

void tail_places_put(struct tail_files *fs, struct tail_file *f)
{
    void *node = tsearch(f, &fs->by_path, compare_paths);
    if (node == NULL)
        return; /* no memory: the rescan finds what events do not */
    struct tail_file *there = *(struct tail_file **)node;
    if (there != f) {
        there->placed = false;
        *(struct tail_file **)node = f;
    }
    f->placed = true;
}

void tail_places_move(struct tail_files *fs, struct tail_file *f, const char *path)
{
    const struct stage_env *env = fs->reader->env;
    char *copy = mem_strdup(path);
    struct origin *origin = origin_new(path, f->origin->log, env->host, env->name, env->pipeline);
    if (copy == NULL || origin == NULL) {
        mem_free(copy);
        origin_unref(origin);
        return;
    }
    log_info(env->scope, "%s was renamed to %s", f->path, path);
    tail_places_leave(fs, f);
    mem_free(f->path);
    f->path = copy;
    origin_unref(f->origin);
    f->origin = origin;
    if (f->entry != NULL)
        checkpoint_rename(env->checkpoint, f->entry, path);
    tail_places_put(fs, f);
}

/* ---- finding a file that was renamed --------------------------------------------------------------- */

static bool is_file(const struct tail_file *f, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_ino == f->ino && st.st_dev == f->dev;
}

bool tail_places_is_there(const struct tail_file *f)
{
    return is_file(f, f->path);
}

/* ${name} in the directory of ${f}, written as its path is. False: too long. */
static bool beside(const struct tail_file *f, const char *name, char out[PATH_MAX])
{
    const char *slash = strrchr(f->path, '/');
    int dir = slash != NULL ? (int)(slash + 1 - f->path) : 0;
    return snprintf(out, PATH_MAX, "%.*s%s", dir, f->path, name) < PATH_MAX;
}

/* The kernel knows the name of an open file. */
static bool find_by_fd(const struct tail_file *f, char out[PATH_MAX])
{
    char link[40], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", f->fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    if (slash != NULL && beside(f, slash + 1, out) && is_file(f, out))
        return true;
    memcpy(out, target, (size_t)n + 1);
    return is_file(f, out);
}

/* Is what is at ${path} more than a file with the same inode, which may be used again by somebody whom no pattern wants? One that a pattern
 * found, and that was not opened since, is it, whatever stands in it. */
static bool is_no_other(const struct tail_file *f, const char *path, bool *busy)
{
    const struct file_state state = {.head = f->head};
    errno = 0;
    if (f->unproven || f->head.len == 0 || tail_content_is(path, &state))
        return true;
    *busy |= file_busy(errno);
    return false;
}

static bool find_by_inode(const struct tail_file *f, char out[PATH_MAX], bool *busy)
{
    *busy = false;
    if (!beside(f, ".", out))
        return false;
    DIR *dir = opendir(out);
    *busy = dir == NULL && file_busy(errno);
    if (dir == NULL)
        return false;
    struct dirent *d;
    bool found = false;
    while (!found && (d = readdir(dir)) != NULL)
        found = d->d_ino == f->ino && beside(f, d->d_name, out) && is_file(f, out) && is_no_other(f, out, busy);
    closedir(dir);
    return found;
}

static bool same_directory(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    if (x == NULL || y == NULL)
        return x == y;
    return x - a == y - b && memcmp(a, b, (size_t)(x - a)) == 0;
}

void tail_places_note_gone(struct tail_files *fs)
{
    char path[PATH_MAX];
    bool busy;
    struct list *lists[] = {&fs->all, &fs->retired};
    for (size_t i = 0; i < 2; i++)
        LIST_EACH(node, lists[i]) {
            struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
            if (!is_file(f, f->path) && !find_by_inode(f, path, &busy) && !busy)
                f->origin->gone = true;
        }
}

bool tail_places_find(struct tail_files *fs, struct tail_file *f, bool *busy)
{
    char path[PATH_MAX];
    *busy = false;
    if (!(f->fd >= 0 ? find_by_fd(f, path) : find_by_inode(f, path, busy)))
        return false;
    char *copy = mem_strdup(path);
    if (copy == NULL)
        return f->fd >= 0;
    if (fs->watch != NULL && !same_directory(f->path, path))
        watch_add(fs->watch, path, IN_MODIFY);
    tail_places_leave(fs, f);
    mem_free(f->path); /* its origin stays: that is where its lines come from */
    f->path = copy;
    if (f->entry != NULL)
        checkpoint_rename(fs->reader->env->checkpoint, f->entry, path);
    tail_places_put(fs, f);
    return true;
}
