#include "source/watch.h"

#include <errno.h>
#include <ev.h>
#include <limits.h>
#include <stdio.h>
#include <search.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define AGAIN_DELAY 1.0 /* seconds */

struct watch {
    struct loop *loop;
    int fd;
    ev_io io;
    ev_timer again; /* the kernel refused to wait for fd: until it is asked once more */
    void *watched; /* tsearch(3) tree of struct watched, by wd */
    watch_fn *fn;
    void *arg;
};

struct watched {
    int wd;
    char *path;
    bool moved; /* what is watched has another path now */
};

static int compare(const void *a, const void *b)
{
    const struct watched *x = a, *y = b;
    return (x->wd > y->wd) - (x->wd < y->wd);
}

static void watched_free(void *p)
{
    struct watched *dead = p;
    mem_free(dead->path);
    mem_free(dead);
}

static void handle(struct watch *w, const struct inotify_event *ev)
{
    if (ev->mask & IN_Q_OVERFLOW) {
        w->fn(w->arg, NULL, NULL, IN_Q_OVERFLOW, 0);
        return;
    }
    struct watched key = {.wd = ev->wd};
    void *node = tfind(&key, &w->watched, compare);
    if (node == NULL)
        return;
    struct watched *at = *(struct watched **)node;
    if (ev->mask & IN_IGNORED) {
        tdelete(&key, &w->watched, compare);
        watched_free(at);
        return;
    }
    at->moved |= (ev->mask & IN_MOVE_SELF) != 0;
    w->fn(w->arg, at->path, ev->len > 0 ? ev->name : NULL, ev->mask, ev->cookie);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct watch *w = io->data;
    if (events & EV_ERROR) { /* libev has stopped the watcher; what happens meanwhile waits in the queue of inotify */
        log_warn(NULL, "the kernel has no room to wait for inotify (memory, fs.epoll.max_user_watches?): trying again every second");
        ev_timer_set(&w->again, AGAIN_DELAY, 0.);
        ev_timer_start(loop, &w->again);
    }
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n = read(w->fd, buffer, sizeof buffer); /* level triggered: what is left comes next turn */
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *ev = (const void *)(buffer + at);
        handle(w, ev);
        at += (ssize_t)(sizeof *ev + ev->len);
    }
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct watch *w = timer->data;
    ev_io_start(loop, &w->io);
}

struct watch *watch_new(struct loop *loop, watch_fn *fn, void *arg, struct err *e)
{
    struct watch *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        err_nomem(e);
        return NULL;
    }
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        err_sys(e, errno, "inotify is not available (fs.inotify.max_user_instances?)");
        mem_free(w);
        return NULL;
    }
    w->loop = loop;
    w->fn = fn;
    w->arg = arg;
    ev_io_init(&w->io, on_readable, w->fd, EV_READ);
    ev_timer_init(&w->again, on_again, AGAIN_DELAY, 0.);
    w->io.data = w->again.data = w;
    ev_io_start(loop_ev(loop), &w->io);
    return w;
}

void watch_free(struct watch **w)
{
    struct watch *dead = *w;
    *w = NULL;
    if (dead == NULL)
        return;
    ev_io_stop(loop_ev(dead->loop), &dead->io);
    ev_timer_stop(loop_ev(dead->loop), &dead->again);
    close(dead->fd);
    tdestroy(dead->watched, watched_free);
    mem_free(dead);
}

int watch_add(struct watch *w, const char *path, uint32_t mask)
{
    struct watched *new = mem_zalloc(1, sizeof *new);
    if (new == NULL)
        goto nomem;
    new->path = mem_strdup(path);
    if (new->path == NULL)
        goto nomem;
    new->wd = inotify_add_watch(w->fd, path, mask);
    if (new->wd < 0) {
        int error = errno;
        watched_free(new);
        errno = error;
        return -1;
    }
    void *node = tsearch(new, &w->watched, compare);
    if (node == NULL)
        goto nomem;
    struct watched *known = *(struct watched **)node;
    if (known == new)
        return 0;
    if (known->moved) {
        char *old = known->path;
        known->path = new->path;
        new->path = old;
        known->moved = false;
    }
    watched_free(new);
    return 0;
nomem:
    if (new != NULL)
        watched_free(new);
    errno = ENOMEM;
    return -1;
}

bool watch_sees(const char *pattern)
{
    struct statfs fs;
    char dir[4096];
    size_t wild = strcspn(pattern, "*?[");
    snprintf(dir, sizeof dir, "%.*s", (int)wild, pattern);
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        snprintf(dir, sizeof dir, ".");
    else
        slash[slash == dir ? 1 : 0] = '\0';
    if (statfs(dir, &fs) != 0)
        return true;
    switch ((unsigned)fs.f_type) {
    case 0x6969:     /* NFS */
    case 0x517b:     /* SMB */
    case 0xff534d42: /* CIFS */
    case 0xfe534d42: /* SMB2 */
    case 0x65735546: /* FUSE */
    case 0x01021997: /* 9P */
    case 0x00c36400: /* Ceph */
        return false;
    default: return true;
    }
}
