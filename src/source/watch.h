/*
 * watch: inotify(7) on an event loop.
 *
 * Paths are watched, events come with the path that was watched. What is removed is forgotten by itself. All watches of a watcher share one instance of
 * inotify, for a user has few of them (fs.inotify.max_user_instances: 128): it is there as long as anybody watches.
 */
#ifndef WEIR_SOURCE_WATCH_H
#define WEIR_SOURCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct watch;
struct watcher;

/* ${path} is as it was added; ${name} is the entry of the directory, or NULL when it is about ${path} itself. After an overflow of the
 * kernel's queue both are NULL and ${mask} is IN_Q_OVERFLOW: events were lost. ${cookie} ties an IN_MOVED_FROM to its IN_MOVED_TO. */
typedef void watch_fn(void *arg, const char *path, const char *name, uint32_t mask, uint32_t cookie);

/* The watcher of ${loop}. NULL: no memory. It goes when no watch is left. */
struct watcher *watcher_new(struct loop *loop);
void watcher_free(struct watcher **all);

/* ${fn} frees no watch. NULL and ${e} when inotify is not to be had. */
struct watch *watch_new(struct watcher *all, watch_fn *fn, void *arg, struct err *e);
void watch_free(struct watch **w);

/* Watch ${path} for ${mask}; again is the same as once. What was moved (IN_MOVE_SELF) goes by its new path once that is added. -1 with errno: ENOENT, EACCES, ENOSPC (the limit
 * fs.inotify.max_user_watches), ENOMEM. */
int watch_add(struct watch *w, const char *path, uint32_t mask);

/* Does inotify see everything that happens to files in the directory of ${pattern}? Not what other machines do. */
bool watch_sees(const char *pattern);

#endif
