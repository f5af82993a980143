#include "delivery/spool_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "delivery/spool_format.h"

#define NAME_ROOM 128 /* names have up to 100 bytes */

static const char *escaped(const char *name, char out[NAME_ROOM])
{
    snprintf(out, NAME_ROOM, "%s%s", name[0] == '.' ? "%2e" : "", name[0] == '.' ? name + 1 : name);
    return out;
}

char *spool_dir_path(const char *data_dir, const char *pipeline, const char *sink)
{
    char a[NAME_ROOM], b[NAME_ROOM];
    struct buf path = {0};
    buf_fmt(&path, "%s/queue/%s/%s", data_dir, escaped(pipeline, a), escaped(sink, b));
    if (buf_cstr(&path) == NULL)
        buf_clear(&path);
    return path.data;
}

/* ${name} in ${dir_fd}, which is closed; made if need be, and its name made durable. -1 with errno. */
static int go_into(int dir_fd, const char *name)
{
    int fd = -1, failure = 0;
    if (mkdirat(dir_fd, name, 0700) == 0) {
        if (fsync(dir_fd) != 0)
            failure = errno;
    } else if (errno != EEXIST) {
        failure = errno;
    }
    if (failure == 0) {
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        failure = errno;
    }
    close(dir_fd);
    errno = failure;
    return fd;
}

int spool_dir_open(const char *data_dir, const char *pipeline, const char *sink, struct err *e)
{
    char a[NAME_ROOM], b[NAME_ROOM];
    const char *const names[] = {"queue", escaped(pipeline, a), escaped(sink, b)};
    struct buf path = {0};
    int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot open data_dir %s", data_dir);
    buf_str(&path, data_dir);
    for (size_t i = 0; i < 3 && fd >= 0; i++) {
        fd = go_into(fd, names[i]);
        int failure = errno;
        buf_fmt(&path, "/%s", names[i]);
        const char *text = buf_cstr(&path);
        if (fd < 0 && (failure == ELOOP || failure == ENOTDIR))
            err_set(e, ERR_INVALID, "%s is no directory, or a symbolic link, which is not followed", text != NULL ? text : names[i]);
        else if (fd < 0)
            err_sys(e, failure, "cannot make or open %s", text != NULL ? text : names[i]);
    }
    buf_clear(&path);
    return fd;
}

/* ---- looking around ----------------------------------------------------------------------------- */

static DIR *open_list(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

/* The next name that is not hidden. */
static const char *next_name(DIR *dir)
{
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            return entry->d_name;
    return NULL;
}

/* Bytes of the segments that have an entry. */
static uint64_t count_bytes(int dir_fd, const char *name)
{
    DIR *dir = open_list(dir_fd, name);
    uint64_t bytes = 0;
    const char *file;
    struct stat st;
    while (dir != NULL && (file = next_name(dir)) != NULL) {
        size_t len = strlen(file);
        if (len > 4 && strcmp(file + len - 4, ".seg") == 0 && fstatat(dirfd(dir), file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size > SPOOL_SEGMENT_HEAD)
            bytes += (uint64_t)st.st_size;
    }
    if (dir != NULL)
        closedir(dir);
    return bytes;
}

void spool_dir_each(const char *data_dir,
                    void (*each)(void *arg, const char *path, const char *pipeline, const char *sink, uint64_t bytes), void *arg)
{
    struct buf root = {0};
    buf_fmt(&root, "%s/queue", data_dir);
    const char *top = buf_cstr(&root), *pipeline, *sink;
    DIR *all = top != NULL ? open_list(AT_FDCWD, top) : NULL;
    while (all != NULL && (pipeline = next_name(all)) != NULL) {
        DIR *one = open_list(dirfd(all), pipeline);
        while (one != NULL && (sink = next_name(one)) != NULL) {
            uint64_t bytes = count_bytes(dirfd(one), sink);
            struct buf path = {0};
            buf_fmt(&path, "%s/%s/%s", top, pipeline, sink);
            if (bytes > 0 && buf_cstr(&path) != NULL)
                each(arg, path.data, pipeline, sink, bytes);
            buf_clear(&path);
        }
        if (one != NULL)
            closedir(one);
    }
    if (all != NULL)
        closedir(all);
    buf_clear(&root);
}
