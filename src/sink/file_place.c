#include "sink/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
#define ATTEMPTS  10 /* at a file that others create and remove again and again */

const char *file_place_name(const struct file_place *p)
{
    const char *slash = strrchr(p->path, '/');
    return slash != NULL ? slash + 1 : p->path;
}

/* The first ${len} bytes of the path, slashes at the end included, as a directory. */
static int open_start(const struct file_place *p, size_t len, bool make)
{
    char start[PATH_MAX];
    if (len == 0)
        return open(".", DIR_FLAGS);
    if (len >= sizeof start) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(start, p->path, len);
    start[len] = '\0';
    while (len > 1 && start[len - 1] == '/')
        start[--len] = '\0';
    int fd = open(start, DIR_FLAGS);
    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    return file_make_dirs(start, FILE_PLACE_DIR) == 0 ? open(start, DIR_FLAGS) : -1;
}

/* From ${dir}, which is closed, down to its entry ${name}. With O_NOFOLLOW and O_DIRECTORY a symbolic link is ENOTDIR. */
static int enter(int dir, const char *name, bool make)
{
    int fd = openat(dir, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make && (mkdirat(dir, name, FILE_PLACE_DIR) == 0 || errno == EEXIST))
        fd = openat(dir, name, DIR_FLAGS | O_NOFOLLOW);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

int file_place_dir(const struct file_place *p, bool make)
{
    const char *end = file_place_name(p);
    if (p->below == 0)
        return open_start(p, (size_t)(end - p->path), make);
    int dir = open_start(p, p->below, make);
    for (const char *at = p->path + p->below; at < end && dir >= 0;) {
        char name[NAME_MAX + 1];
        size_t len = (size_t)(strchr(at, '/') - at);
        if (len >= sizeof name) {
            close(dir);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        dir = enter(dir, name, make);
        at += len + 1;
    }
    return dir;
}

int file_place_open(const struct file_place *p, int dir, int flags, mode_t mode)
{
    const char *name = file_place_name(p);
    flags |= O_CLOEXEC | O_NOCTTY | (p->below > 0 ? O_NOFOLLOW : 0);
    for (int i = 0; i < ATTEMPTS; i++) {
        int fd = openat(dir, name, flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = openat(dir, name, flags | O_CREAT | O_EXCL, mode);
        if (fd >= 0) {
            fchmod(fd, mode); /* the umask took some away; where permissions cannot be set they are what they are */
            return fd;
        }
        if (errno != EEXIST)
            return -1;
    }
    /* a dangling link: what it names is created */
    return p->below > 0 ? -1 : openat(dir, name, flags | O_CREAT, mode);
}

int file_place_stat(const struct file_place *p, struct stat *st)
{
    return p->below > 0 ? lstat(p->path, st) : stat(p->path, st);
}
