#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"

int file_read_all(int fd, struct buf *out, struct err *e)
{
    for (;;) {
        if (!buf_reserve(out, 65536))
            return err_nomem(e);
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n == 0)
            return 0;
        if (n > 0)
            out->len += (size_t)n;
        else if (errno != EINTR)
            return err_sys(e, errno, "cannot read");
    }
}

ssize_t file_pread(int fd, void *to, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int file_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                 struct err *e)
{
    char temporary[NAME_MAX + 1];
    snprintf(temporary, sizeof temporary, "%s.new", name);
    fault_point(name, "create.before");
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_sys(e, errno, "cannot create %s", temporary);
    fault_point(name, "write.before");
    if (file_write_all(fd, data, len) != 0) {
        err_sys(e, errno, "cannot write %s", temporary);
        goto err1;
    }
    fault_point(name, "fsync.before");
    if (fsync(fd) != 0) {
        err_sys(e, errno, "cannot fsync %s", temporary);
        goto err1;
    }
    close(fd);
    fault_point(name, "rename.before");
    if (renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err_sys(e, errno, "cannot rename %s to %s", temporary, name);
        goto err0;
    }
    fault_point(name, "rename.after");
    if (fsync(dir_fd) != 0)
        return err_sys(e, errno, "cannot fsync the directory of %s", name);
    fault_point(name, "dirsync.after");
    return 0;
err1:
    close(fd);
err0:
    unlinkat(dir_fd, temporary, 0);
    return -1;
}

int file_make_dirs(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0)
        return 0;
    if (len >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char c = part[i];
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            struct stat st;
            if (errno != EROFS || stat(part, &st) != 0) /* an existing one on a read-only mount */
                return -1;
        }
        part[i] = c;
    }
    return 0;
}

int file_make_parents(const char *path, mode_t mode)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return 0;
    if ((size_t)(slash - path) >= sizeof dir) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    return file_make_dirs(dir, mode);
}
