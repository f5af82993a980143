/* The tail source: the descriptor and the stream. See tail.h for the parts. */
#include "source/tail_state.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/pool.h"
#include "source/watch.h"
#include "stream/stream.h"

#define RESCAN_DELAY_MIN 0.01 /* seconds between two scans that events ask for, at least */
#define RESCAN_SHARE     10   /* and so many times what the last one took: a tenth of the time at most */

static void on_yield(struct pool_filler *f)
{
    tail_reader_let_go(&LIST_ENTRY(f, struct tail, filler)->reader);
}

/* ---- scanning ---------------------------------------------------------------------------------- */

static void scan(struct tail *t)
{
    double before = loop_now();
    ev_timer_stop(loop_ev(t->env->loop), &t->scan_timer);
    tail_files_scan(&t->files);
    t->scanned_at = loop_now();
    t->scan_took = t->scanned_at - before;
    if (t->files.nomem && t->env->once) { /* there is no second look that would find it */
        struct err e = {0};
        err_nomem(&e);
        stream_destroy(t->stream, &e);
        return;
    }
    if (t->files.poll || t->files.incomplete) {
        t->rescan_at = t->scanned_at + t->set->rescan_interval;
        tail_timer_by(t, t->rescan_at);
    }
    tail_schedule(t);
}

/* Scan soon, but do not spend more than a share of the time on it. */
static void want_scan(struct tail *t)
{
    double pause = t->scan_took * RESCAN_SHARE;
    double at = t->scanned_at + (pause > RESCAN_DELAY_MIN ? pause : RESCAN_DELAY_MIN);
    double after = at - loop_now();
    if (ev_is_active(&t->scan_timer))
        return;
    ev_now_update(loop_ev(t->env->loop));
    ev_timer_set(&t->scan_timer, after > 0 ? after : 0, 0.);
    ev_timer_start(loop_ev(t->env->loop), &t->scan_timer);
}

static void on_scan_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct tail *t = w->data;
    scan(t);
    tail_end_if_done(t);
}

/* Files whose rotate_wait is over get their last turn. */
static void wake_waiting(struct tail *t)
{
    double now = loop_now();
    LIST_EACH(node, &t->files.waiting) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, waiting);
        double due = f->grown + t->set->rotate_wait;
        if (due > now) {
            tail_timer_by(t, due);
            continue;
        }
        list_remove(&f->waiting);
        tail_files_ready(&t->files, f);
    }
}

/* Files that could not be read get another chance. */
static void retry_failed(struct tail *t)
{
    LIST_EACH(node, &t->files.all) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
        if (f->failed)
            tail_files_ready(&t->files, f);
        f->failed = false;
    }
}

/* It is known of a lost file where it is. */
static void on_settled(void *arg, bool moved)
{
    struct tail *t = arg;
    if (t->stopped)
        return;
    if (t->files.nomem) {
        struct err e = {0};
        err_nomem(&e);
        stream_destroy(t->stream, &e);
        return;
    }
    LIST_EACH(node, &t->files.all) /* who came after it in its log */
        tail_files_ready(&t->files, LIST_ENTRY(node, struct tail_file, all));
    if (t->files.search_at > 0)
        tail_timer_by(t, t->files.search_at);
    if (moved)
        want_scan(t); /* what stands in its old place is another file; when many logs are rotated at once one look finds all */
    tail_schedule(t);
    tail_end_if_done(t);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct tail *t = w->data;
    if (t->stopped)
        return;
    wake_waiting(t);
    double next = tail_open_close_inactive(&t->files, t->set->close_inactive);
    if (next > 0)
        tail_timer_by(t, next);
    next = tail_lost_release(&t->files, false);
    if (next > 0)
        tail_timer_by(t, next);
    next = tail_lost_again(&t->files);
    if (next > 0)
        tail_timer_by(t, next);
    tail_files_reap(&t->files);
    if (t->rescan_at > 0 && loop_now() >= t->rescan_at) {
        t->rescan_at = 0;
        tail_files_forget(&t->files, t->set->forget_after);
        retry_failed(t);
        scan(t);
    } else if (t->rescan_at > 0) {
        tail_timer_by(t, t->rescan_at);
    }
    tail_schedule(t);
}

/* The name of an entry of a watched directory, as patterns give it. */
static void full_name(char out[PATH_MAX], const char *path, const char *name)
{
    if (name == NULL)
        snprintf(out, PATH_MAX, "%s", path);
    else if (strcmp(path, ".") == 0)
        snprintf(out, PATH_MAX, "%s", name);
    else
        snprintf(out, PATH_MAX, "%s%s%s", path, strcmp(path, "/") == 0 ? "" : "/", name);
}

/* Rotation may be faster than scans: a file that came and was renamed between two of them is known by this pair of events only. */
static void note_move(struct tail *t, const char *full, uint32_t mask, uint32_t cookie)
{
    if (mask & IN_MOVED_TO && t->moved != NULL && t->cookie == cookie)
        tail_files_moved(&t->files, t->moved, full);
    mem_free(t->moved);
    t->moved = mask & IN_MOVED_FROM ? mem_strdup(full) : NULL;
    t->cookie = cookie;
}

static void on_event(void *arg, const char *path, const char *name, uint32_t mask, uint32_t cookie)
{
    struct tail *t = arg;
    char full[PATH_MAX];
    if (t->stopped)
        return;
    if (path != NULL)
        full_name(full, path, name);
    if (mask & (IN_MOVED_FROM | IN_MOVED_TO) && !(mask & IN_ISDIR))
        note_move(t, full, mask, cookie);
    if (t->rescan_at == 0) {
        t->rescan_at = loop_now() + t->set->rescan_interval;
        tail_timer_by(t, t->rescan_at);
    }
    if (path == NULL) {
        log_warn(t->env->scope, "inotify lost events: looking at all files again");
        LIST_EACH(node, &t->files.all)
            tail_files_ready(&t->files, LIST_ENTRY(node, struct tail_file, all));
        want_scan(t);
    } else if (mask & (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |
                       IN_MOVE_SELF | IN_ATTRIB | IN_UNMOUNT)) {
        want_scan(t);
    }
    if (path != NULL && mask & (IN_MODIFY | IN_ATTRIB))
        tail_files_changed(&t->files, full);
    tail_schedule(t);
}

/* ---- the stream -------------------------------------------------------------------------------- */

static void tail_construct(struct stream *s, void *self)
{
    struct tail *t = self;
    struct err e = {0};
    if (!t->env->once) {
        t->files.watch = watch_new(t->env->watcher, on_event, t, &e);
        if (t->files.watch == NULL) {
            log_warn(t->env->scope, "%s: looking every rescan_interval instead", e.text);
            t->files.poll = true;
        }
        for (size_t i = 0; i < t->set->include.count; i++)
            if (!watch_sees(t->set->include.items[i]))
                t->files.poll = true;
    }
    scan(t);
    tail_files_forget(&t->files, t->set->forget_after);
    if (list_empty(&t->files.all))
        log_warn(t->env->scope, "no file matches %s%s", t->set->include.items[0],
                 t->set->include.count > 1 ? " or the other patterns" : "");
    stream_construct_done(s, NULL);
}

static void tail_read(struct stream *s, void *self)
{
    (void)s;
    struct tail *t = self;
    t->wanted = true;
    tail_end_if_done(t);
    tail_schedule(t);
}

static void tail_destroy(struct stream *s, void *self, const struct err *e)
{
    struct tail *t = self;
    t->stopped = true;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    ev_timer_stop(loop_ev(t->env->loop), &t->scan_timer);
    loop_cancel(t->env->loop, &t->turn);
    pool_leave(&t->room);
    list_remove(&t->loud.node);
    watch_free(&t->files.watch);
    stream_destroy_done(s, e);
}

/* Tickets may come back until the pipeline is gone, so files live as long as the stream does. */
static void tail_free(void *self)
{
    struct tail *t = self;
    tail_files_clear(&t->files);
    pool_unfill(&t->filler);
    tail_reader_let_go(&t->reader);
    mem_free(t->reader.window);
    mem_free(t->moved);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "tail",
    .construct = tail_construct,
    .read = tail_read,
    .destroy = tail_destroy,
    .free = tail_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct tail *t = mem_zalloc(1, sizeof *t);
    if (t == NULL)
        goto err0;
    t->env = env;
    t->set = settings;
    t->reader = (struct tail_reader){.env = env, .set = settings, .window = mem_alloc(TAIL_WINDOW)};
    if (t->reader.window == NULL)
        goto err1;
    tail_files_init(&t->files, &t->reader, on_settled, t);
    step_init(&t->turn, tail_turn, 0);
    list_init(&t->room.node);
    t->room.wake = tail_on_room;
    list_init(&t->loud.node);
    t->loud.wake = tail_on_loud;
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    ev_timer_init(&t->scan_timer, on_scan_timer, 0., 0.);
    t->timer.data = t->scan_timer.data = t;
    struct stream_opts o = stage_stream_opts(env);
    t->stream = stream_readable_new(&ops, t, &o, e);
    if (t->stream == NULL)
        goto err2;
    t->filler.yield = on_yield;
    pool_fill(env->pool, &t->filler);
    return t->stream;
err2:
    mem_free(t->reader.window);
err1:
    mem_free(t);
err0:
    err_nomem(e);
    return NULL;
}

static void stop(struct stream *s)
{
    struct tail *t = stream_self(s);
    if (t->stopped)
        return;
    t->stopped = true;
    tail_places_note_gone(&t->files);
    stream_end_push(s);
}

const struct stage stage_tail = {
    .kind = STAGE_SOURCE,
    .type = "tail",
    .summary = "Follows files line by line.",
    .description =
        "Each line, without its terminator, is a record. Files are found by pattern, now and later, and followed through "
        "rotation by renaming, through copytruncate, truncation and removal: a file is known by its inode and by what "
        "stands in it, not by its name. What was copied or compressed before it was read to its end is read on there. "
        "Reading goes on where it was left at the last stop, or at the last checkpoint "
        "after a crash, so that a line may be sent twice but is never left out.\n\n"
        "A last line without terminator becomes a record when its file is finished: with --once, or when the file was "
        "renamed or removed and has not grown for rotate_wait.\n\n"
        "Files take turns, one read each. Descriptors are kept open only for files in use.",
    .example = "{ \"type\": \"tail\", \"include\": [\"/var/log/app/*.log\"] }",
    .in = PAYLOAD_NONE,
    .out = PAYLOAD_RECORDS,
    .options = tail_options,
    .settings_size = sizeof(struct tail_settings),
    .check = tail_options_check,
    .replays = tail_options_replays,
    .reads = tail_files_reads,
    .open = open_stage,
    .stop = stop,
};
