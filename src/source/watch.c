#include "source/watch.h"

#include <assert.h>
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
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define AGAIN_DELAY 1.0 /* seconds */

/* All watches of a loop share one instance of inotify. */
struct watcher {
    struct loop *loop;
    int fd;              /* -1: nobody watches anything */
    ev_io io;
    ev_timer again;      /* the kernel refused to wait for fd: until it is asked once more */
    void *watched;       /* tsearch(3) tree of struct watched, by wd */
    struct list watches;
};

struct watch {
    struct list node; /* in watches */
    struct watcher *watcher;
    struct list interests;
    watch_fn *fn;
    void *arg;
};

/* What the kernel watches, for all that are interested. */
struct watched {
    int wd;
    struct list interests;
};

/* One watch's interest in it. */
struct interest {
    struct list node, own; /* in those of what is watched, and of the watch */
    struct watch *watch;
    struct watched *at;
    char *path;
    uint32_t mask;
    bool moved; /* what is watched has another path now */
};

static int compare(const void *a, const void *b)
{
    const struct watched *x = a, *y = b;
    return (x->wd > y->wd) - (x->wd < y->wd);
}

static void drop_interest(struct interest *dead)
{
    list_remove(&dead->node);
    list_remove(&dead->own);
    mem_free(dead->path);
    mem_free(dead);
}

/* Nobody is interested in ${at} any more. */
static void forget(struct watcher *all, struct watched *at)
{
    tdelete(at, &all->watched, compare);
    mem_free(at);
}

static void drop_if_unwanted(struct watcher *all, struct watched *at)
{
    if (!list_empty(&at->interests))
        return;
    inotify_rm_watch(all->fd, at->wd);
    forget(all, at);
}

/* ---- events ------------------------------------------------------------------------------------ */

/* Whoever hears of something frees no watch: that waits for its stream's turn. */
static void tell(struct watched *at, const struct inotify_event *ev)
{
    LIST_EACH(node, &at->interests) {
        struct interest *in = LIST_ENTRY(node, struct interest, node);
        in->moved |= (ev->mask & IN_MOVE_SELF) != 0;
        if (ev->mask & (in->mask | IN_UNMOUNT))
            in->watch->fn(in->watch->arg, in->path, ev->len > 0 ? ev->name : NULL, ev->mask, ev->cookie);
    }
}

static void handle(struct watcher *all, const struct inotify_event *ev)
{
    if (ev->mask & IN_Q_OVERFLOW) {
        LIST_EACH(node, &all->watches) {
            struct watch *w = LIST_ENTRY(node, struct watch, node);
            w->fn(w->arg, NULL, NULL, IN_Q_OVERFLOW, 0);
        }
        return;
    }
    struct watched key = {.wd = ev->wd};
    void *found = tfind(&key, &all->watched, compare);
    if (found == NULL)
        return;
    struct watched *at = *(struct watched **)found;
    if ((ev->mask & IN_IGNORED) == 0) {
        tell(at, ev);
        return;
    }
    LIST_EACH(node, &at->interests)
        drop_interest(LIST_ENTRY(node, struct interest, node));
    forget(all, at);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct watcher *all = io->data;
    if (events & EV_ERROR) { /* libev has stopped the watcher; what happens meanwhile waits in the queue of inotify */
        log_warn(NULL, "the kernel has no room to wait for inotify (memory, fs.epoll.max_user_watches?): trying again every second");
        ev_timer_set(&all->again, AGAIN_DELAY, 0.);
        ev_timer_start(loop, &all->again);
    }
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t n = read(all->fd, buffer, sizeof buffer); /* level triggered: what is left comes next turn */
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *ev = (const void *)(buffer + at);
        handle(all, ev);
        at += (ssize_t)(sizeof *ev + ev->len);
    }
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct watcher *all = timer->data;
    ev_io_start(loop, &all->io);
}

/* ---- the instance ------------------------------------------------------------------------------ */

struct watcher *watcher_new(struct loop *loop)
{
    struct watcher *all = mem_zalloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    all->loop = loop;
    all->fd = -1;
    list_init(&all->watches);
    ev_timer_init(&all->again, on_again, AGAIN_DELAY, 0.);
    return all;
}

void watcher_free(struct watcher **all)
{
    struct watcher *dead = *all;
    *all = NULL;
    if (dead != NULL)
        assert(list_empty(&dead->watches) && dead->fd < 0);
    mem_free(dead);
}

static int begin(struct watcher *all, struct err *e)
{
    if (all->fd >= 0)
        return 0;
    all->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (all->fd < 0)
        return err_sys(e, errno, "inotify is not available (fs.inotify.max_user_instances?)");
    ev_io_init(&all->io, on_readable, all->fd, EV_READ);
    all->io.data = all->again.data = all;
    ev_io_start(loop_ev(all->loop), &all->io);
    return 0;
}

static void end_if_unused(struct watcher *all)
{
    if (!list_empty(&all->watches) || all->fd < 0)
        return;
    ev_io_stop(loop_ev(all->loop), &all->io);
    ev_timer_stop(loop_ev(all->loop), &all->again);
    close(all->fd);
    all->fd = -1;
}

struct watch *watch_new(struct watcher *all, watch_fn *fn, void *arg, struct err *e)
{
    struct watch *w = mem_zalloc(1, sizeof *w);
    if (w == NULL) {
        err_nomem(e);
        return NULL;
    }
    if (begin(all, e) != 0) {
        mem_free(w);
        return NULL;
    }
    w->watcher = all;
    w->fn = fn;
    w->arg = arg;
    list_init(&w->interests);
    list_push(&all->watches, &w->node);
    return w;
}

void watch_free(struct watch **w)
{
    struct watch *dead = *w;
    *w = NULL;
    if (dead == NULL)
        return;
    struct watcher *all = dead->watcher;
    LIST_EACH(node, &dead->interests) {
        struct interest *in = LIST_ENTRY(node, struct interest, own);
        struct watched *at = in->at;
        drop_interest(in);
        drop_if_unwanted(all, at);
    }
    list_remove(&dead->node);
    mem_free(dead);
    end_if_unused(all);
}

/* ---- adding ------------------------------------------------------------------------------------ */

/* What ${wd} stands for. NULL: no memory. */
static struct watched *known_as(struct watcher *all, int wd)
{
    struct watched *new = mem_zalloc(1, sizeof *new);
    if (new == NULL)
        return NULL;
    new->wd = wd;
    list_init(&new->interests);
    void *found = tsearch(new, &all->watched, compare);
    struct watched *at = found != NULL ? *(struct watched **)found : NULL;
    if (at != new)
        mem_free(new);
    return at;
}

/* That of ${w} in ${at}, which may be new. NULL: no memory. */
static struct interest *interest_in(struct watch *w, struct watched *at)
{
    LIST_EACH(node, &at->interests) {
        struct interest *in = LIST_ENTRY(node, struct interest, node);
        if (in->watch == w)
            return in;
    }
    struct interest *new = mem_zalloc(1, sizeof *new);
    if (new == NULL)
        return NULL;
    new->watch = w;
    new->at = at;
    new->moved = true; /* it has no path yet */
    list_push(&at->interests, &new->node);
    list_push(&w->interests, &new->own);
    return new;
}

int watch_add(struct watch *w, const char *path, uint32_t mask)
{
    struct watcher *all = w->watcher;
    char *copy = mem_strdup(path);
    struct interest *in = NULL;
    if (copy == NULL)
        goto nomem;
    int wd = inotify_add_watch(all->fd, path, mask | IN_MASK_ADD);
    if (wd < 0) {
        int error = errno;
        mem_free(copy);
        errno = error;
        return -1;
    }
    struct watched *at = known_as(all, wd);
    if (at != NULL && (in = interest_in(w, at)) == NULL)
        drop_if_unwanted(all, at);
    if (in == NULL)
        goto nomem;
    in->mask |= mask & IN_ALL_EVENTS;
    if (in->moved) {
        char *old = in->path;
        in->path = copy;
        in->moved = false;
        copy = old;
    }
    mem_free(copy);
    return 0;
nomem:
    mem_free(copy);
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
