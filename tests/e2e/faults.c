/*
 * Preloaded by test_faults.py: lets one system call of the program fail.
 *
 * The file WEIR_FAULTS is shared memory (struct plan). Calls are counted there by name, so that the counts outlive the program; the one
 * that is number `nth` of the call `which` (from 1) fails with `error`, or is short when that is SHORT, and `fired` says so.
 * What is not to fail goes straight to the kernel.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHORT 1000

/* In the order of CALLS in test_faults.py. */
enum call {
    OPEN, OPENAT, READ, PREAD, WRITE, WRITEV, FSYNC, FDATASYNC, RENAMEAT, UNLINKAT, STAT, LSTAT, FSTAT, FSTATAT, STATX, MKDIR, MKDIRAT, FLOCK,
    FTRUNCATE, OPENDIR, READDIR, SOCKET, CONNECT, SETSOCKOPT, GETSOCKOPT, SEND, SENDMSG, RECV, IOCTL, POLL, INOTIFY_INIT, INOTIFY_ADD_WATCH,
    EPOLL_CTL, EPOLL_WAIT, THREAD, CALLS
};

struct plan {
    uint32_t which, nth, error;
    _Atomic uint32_t fired;
    _Atomic uint32_t counts[CALLS];
};

static struct plan *plan;
static DIR *(*real_opendir)(const char *);
static struct dirent *(*real_readdir)(DIR *);
static int (*real_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("WEIR_FAULTS");
    *(void **)&real_opendir = dlsym(RTLD_NEXT, "opendir");
    *(void **)&real_readdir = dlsym(RTLD_NEXT, "readdir");
    *(void **)&real_thread = dlsym(RTLD_NEXT, "pthread_create");
    if (path == NULL)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *at = fd >= 0 ? mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        syscall(SYS_close, fd);
    plan = at != MAP_FAILED ? at : NULL;
}

/* libev wakes its loop through an eventfd, and takes it for granted that this works: it cannot fail in a way that a program can mend. */
static bool is_eventfd(int fd)
{
    char link[32] = "/proc/self/fd/", to[32] = {0};
    size_t at = 14;
    for (int unit = 1000000; unit > 0; unit /= 10)
        if (fd >= unit || unit == 1)
            link[at++] = (char)('0' + fd / unit % 10);
    return syscall(SYS_readlinkat, AT_FDCWD, link, to, sizeof to - 1) > 0 && strcmp(to, "anon_inode:[eventfd]") == 0;
}

/* Count this call. The error that it is to fail with, or 0. */
static int fault(enum call which)
{
    if (plan == NULL)
        return 0;
    uint32_t n = atomic_fetch_add(&plan->counts[which], 1) + 1;
    if (which != plan->which || n != plan->nth)
        return 0;
    atomic_store(&plan->fired, 1);
    return (int)plan->error;
}

/* Fail if it is to be; a short call has one byte less than half. */
#define FAULT(which, len)                                                                          \
    do {                                                                                           \
        int error = fault(which);                                                                  \
        if (error == SHORT && (len) > 1)                                                           \
            (len) = ((len) + 1) / 2;                                                               \
        else if (error != 0 && error != SHORT) {                                                   \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)
#define FAIL(which)                                                                                \
    do {                                                                                           \
        size_t none = 0;                                                                           \
        FAULT(which, none);                                                                        \
    } while (0)

static int open_at(enum call which, int dir, const char *path, int flags, mode_t mode)
{
    FAIL(which);
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(OPEN, AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(OPENAT, dir, path, flags, mode);
}

int __open_2(const char *path, int flags)
{
    return open_at(OPEN, AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
    return open_at(OPENAT, dir, path, flags, 0);
}

ssize_t read(int fd, void *to, size_t len)
{
    FAULT(READ, len);
    return syscall(SYS_read, fd, to, len);
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
    FAULT(PREAD, len);
    return syscall(SYS_pread64, fd, to, len, at);
}

ssize_t write(int fd, const void *from, size_t len)
{
    if (fd == STDERR_FILENO || is_eventfd(fd))
        return syscall(SYS_write, fd, from, len);
    FAULT(WRITE, len);
    return syscall(SYS_write, fd, from, len);
}

/* A short one writes half of its first piece. */
static ssize_t write_vector(enum call which, int fd, const struct iovec *v, int count)
{
    size_t first = v[0].iov_len, len = first;
    FAULT(which, len);
    return len < first ? syscall(SYS_write, fd, v[0].iov_base, len) : syscall(SYS_writev, fd, v, count);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    return write_vector(WRITEV, fd, v, count);
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
    FAULT(SEND, len);
    return syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    size_t first = m->msg_iovlen > 0 ? m->msg_iov[0].iov_len : 0, len = first;
    FAULT(SENDMSG, len);
    return len < first ? syscall(SYS_sendto, fd, m->msg_iov[0].iov_base, len, flags, NULL, 0)
                       : syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    FAULT(RECV, len);
    return syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

/* What only fails: the name, its place in enum call, parameters, the call itself. */
#define ONLY_FAILS(name, which, params, ...)                                                       \
    int name params                                                                                \
    {                                                                                              \
        FAIL(which);                                                                               \
        return (int)syscall(__VA_ARGS__);                                                          \
    }

ONLY_FAILS(fsync, FSYNC, (int fd), SYS_fsync, fd)
ONLY_FAILS(fdatasync, FDATASYNC, (int fd), SYS_fdatasync, fd)
ONLY_FAILS(renameat, RENAMEAT, (int a, const char *b, int c, const char *d), SYS_renameat, a, b, c, d)
ONLY_FAILS(renameat2, RENAMEAT, (int a, const char *b, int c, const char *d, unsigned e), SYS_renameat2, a, b, c, d, e)
ONLY_FAILS(unlinkat, UNLINKAT, (int a, const char *b, int c), SYS_unlinkat, a, b, c)
ONLY_FAILS(stat, STAT, (const char *restrict a, struct stat *restrict b), SYS_newfstatat, AT_FDCWD, a, b, 0)
ONLY_FAILS(lstat, LSTAT, (const char *restrict a, struct stat *restrict b), SYS_newfstatat, AT_FDCWD, a, b, AT_SYMLINK_NOFOLLOW)
ONLY_FAILS(fstat, FSTAT, (int a, struct stat *b), SYS_newfstatat, a, "", b, AT_EMPTY_PATH)
ONLY_FAILS(fstatat, FSTATAT, (int a, const char *restrict b, struct stat *restrict c, int d), SYS_newfstatat, a, b, c, d)
ONLY_FAILS(statx, STATX, (int a, const char *restrict b, int c, unsigned d, struct statx *restrict e), SYS_statx, a, b, c, d, e)
ONLY_FAILS(mkdir, MKDIR, (const char *a, mode_t b), SYS_mkdir, a, b)
ONLY_FAILS(mkdirat, MKDIRAT, (int a, const char *b, mode_t c), SYS_mkdirat, a, b, c)
ONLY_FAILS(flock, FLOCK, (int a, int b), SYS_flock, a, b)
ONLY_FAILS(ftruncate, FTRUNCATE, (int a, off_t b), SYS_ftruncate, a, b)
ONLY_FAILS(socket, SOCKET, (int a, int b, int c), SYS_socket, a, b, c)
ONLY_FAILS(connect, CONNECT, (int a, const struct sockaddr *b, socklen_t c), SYS_connect, a, b, c)
ONLY_FAILS(setsockopt, SETSOCKOPT, (int a, int b, int c, const void *d, socklen_t e), SYS_setsockopt, a, b, c, d, e)
ONLY_FAILS(getsockopt, GETSOCKOPT, (int a, int b, int c, void *restrict d, socklen_t *restrict e), SYS_getsockopt, a, b, c, d, e)
ONLY_FAILS(poll, POLL, (struct pollfd *a, nfds_t b, int c), SYS_poll, a, b, c)
ONLY_FAILS(inotify_init1, INOTIFY_INIT, (int a), SYS_inotify_init1, a)
ONLY_FAILS(inotify_add_watch, INOTIFY_ADD_WATCH, (int a, const char *b, uint32_t c), SYS_inotify_add_watch, a, b, c)
ONLY_FAILS(epoll_wait, EPOLL_WAIT, (int a, struct epoll_event *b, int c, int d), SYS_epoll_wait, a, b, c, d)

int epoll_ctl(int fd, int how, int of, struct epoll_event *e)
{
    if (!is_eventfd(of))
        FAIL(EPOLL_CTL);
    return (int)syscall(SYS_epoll_ctl, fd, how, of, e);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    FAIL(IOCTL);
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

DIR *opendir(const char *path)
{
    int error = fault(OPENDIR);
    if (error == 0)
        return real_opendir(path);
    errno = error;
    return NULL;
}

struct dirent *readdir(DIR *dir)
{
    int error = fault(READDIR);
    if (error == 0)
        return real_readdir(dir);
    errno = error;
    return NULL;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    int error = fault(THREAD);
    return error != 0 ? error : real_thread(thread, attr, run, arg);
}
