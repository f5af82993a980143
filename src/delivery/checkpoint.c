#include "delivery/checkpoint_state.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"

#define WRITE_DELAY 1.0 /* seconds from the first change to the write */

/* Rename a checkpoint that cannot be read out of the way, without overwriting an earlier one. */
static void set_aside(struct checkpoint *cp)
{
    char name[40];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, i == 0 ? "checkpoint.bad" : "checkpoint.bad.%d", i);
        if (faccessat(cp->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (renameat(cp->dir_fd, "checkpoint", cp->dir_fd, name) == 0)
            log_error(NULL, "%s/checkpoint was kept as %s/%s", cp->dir, cp->dir, name);
        else
            log_error(NULL, "%s/checkpoint cannot be renamed: %s", cp->dir, strerror(errno));
        return;
    }
}

static struct list *bucket(struct checkpoint *cp, uint64_t ino)
{
    return &cp->by_ino[(ino ^ ino >> 10) % CHECKPOINT_BUCKETS];
}

void checkpoint_link(struct checkpoint *cp, struct checkpoint_entry *entry)
{
    entry->owner = cp;
    entry->hold = checkpoint_hold_of(cp, entry->pipeline);
    list_push(&cp->entries, &entry->node);
    list_push(bucket(cp, entry->state.ino), &entry->by_ino);
}

static int load(struct checkpoint *cp, struct err *e)
{
    struct buf text = {0};
    struct list read;
    list_init(&read);
    int fd = openat(cp->dir_fd, "checkpoint", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s/checkpoint", cp->dir);
    struct err why = {0};
    int bad = file_read_all(fd, &text, &why);
    close(fd);
    if (bad != 0) {
        buf_clear(&text);
        return err_set(e, why.code, "%s/checkpoint: %s", cp->dir, why.text);
    }
    bad = checkpoint_parse(buf_cstr(&text), text.len, &read, &cp->outputs, &why);
    buf_clear(&text);
    if (bad != 0 && why.code == ERR_NOMEM) { /* says nothing about the file */
        checkpoint_entries_free(&read);
        return err_nomem(e);
    }
    if (bad != 0) {
        log_error(NULL, "%s/checkpoint is not usable (%s): every file is read from its beginning",
                  cp->dir, why.text);
        checkpoint_entries_free(&read);
        checkpoint_outputs_free(&cp->outputs);
        cp->damaged = true;
        if (cp->mode == CHECKPOINT_KEEP)
            set_aside(cp);
    }
    struct list *node;
    while ((node = list_shift(&read)) != NULL)
        checkpoint_link(cp, LIST_ENTRY(node, struct checkpoint_entry, node));
    return 0;
}

static int lock(struct checkpoint *cp, struct err *e)
{
    cp->lock_fd = openat(cp->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (cp->lock_fd < 0)
        return err_sys(e, errno, "cannot create %s/lock", cp->dir);
    if (flock(cp->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(e, ERR_INVALID, "data_dir %s is in use by another weir", cp->dir);
    return err_sys(e, errno, "cannot lock %s/lock", cp->dir);
}

static int open_dir(struct checkpoint *cp, struct err *e)
{
    if (cp->mode == CHECKPOINT_KEEP && file_make_dirs(cp->dir, 0750) != 0)
        return err_sys(e, errno, "cannot create data_dir %s", cp->dir);
    cp->dir_fd = open(cp->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cp->dir_fd < 0 && cp->mode == CHECKPOINT_LOOK && errno == ENOENT)
        return 0; /* nothing was ever kept */
    if (cp->dir_fd < 0)
        return err_sys(e, errno, "cannot open data_dir %s", cp->dir);
    if (cp->mode == CHECKPOINT_KEEP && lock(cp, e) != 0)
        return -1;
    return load(cp, e);
}

/* How a write went: say so when that is news. */
static void report(struct checkpoint *cp, const struct err *e)
{
    if (err_is(e) && !cp->failing)
        log_error(NULL, "%s (trying again; what was delivered since the last write may be sent again)", e->text);
    else if (!err_is(e) && cp->failing)
        log_info(NULL, "%s/checkpoint is written again", cp->dir);
    cp->failing = err_is(e);
}

void checkpoint_arm(struct checkpoint *cp, double seconds)
{
    struct ev_loop *ev = loop_ev(cp->loop);
    if (ev_is_active(&cp->timer) && ev_timer_remaining(ev, &cp->timer) <= seconds)
        return;
    ev_timer_stop(ev, &cp->timer);
    ev_timer_set(&cp->timer, seconds, 0.);
    ev_timer_start(ev, &cp->timer);
}

static int replace(struct checkpoint *cp, const struct buf *text, struct err *e)
{
    struct err why = {0};
    if (file_replace(cp->dir_fd, "checkpoint", text->data, text->len, 0640, &why) == 0)
        return 0;
    return err_set(e, why.code, "%s: %s", cp->dir, why.text);
}

static void job_run(struct job *j)
{
    struct checkpoint *cp = LIST_ENTRY(j, struct checkpoint, job);
    replace(cp, &cp->text, &cp->job_err);
}

static void job_done(struct job *j)
{
    struct checkpoint *cp = LIST_ENTRY(j, struct checkpoint, job);
    cp->writing = false;
    buf_clear(&cp->text);
    report(cp, &cp->job_err);
    if (err_is(&cp->job_err))
        cp->dirty = true;
    else
        cp->kept = cp->stamp;
    if (cp->dirty)
        checkpoint_arm(cp, cp->failing || list_empty(&cp->waiters) ? WRITE_DELAY : 0.);
    checkpoint_wake(cp);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct checkpoint *cp = w->data;
    if (cp->writing || !cp->dirty)
        return; /* job_done arms again */
    err_clear(&cp->job_err);
    checkpoint_print(cp, &cp->text);
    if (cp->text.failed) {
        buf_clear(&cp->text);
        checkpoint_arm(cp, WRITE_DELAY);
        return;
    }
    cp->dirty = false;
    cp->writing = true;
    cp->stamp++;
    cp->job = (struct job){.run = job_run, .done = job_done};
    work_start(cp->work, &cp->job);
}

struct checkpoint *checkpoint_open(struct loop *loop, struct work *work, const char *dir,
                                   enum checkpoint_mode mode, struct err *e)
{
    struct checkpoint *cp = mem_zalloc(1, sizeof *cp);
    if (cp == NULL)
        goto err0;
    cp->loop = loop;
    cp->work = work;
    cp->mode = mode;
    cp->dir_fd = cp->lock_fd = -1;
    list_init(&cp->entries);
    list_init(&cp->outputs);
    list_init(&cp->holds);
    list_init(&cp->waiters);
    for (int i = 0; i < CHECKPOINT_BUCKETS; i++)
        list_init(&cp->by_ino[i]);
    ev_timer_init(&cp->timer, on_timer, WRITE_DELAY, 0.);
    cp->timer.data = cp;
    if (dir == NULL)
        return cp;
    cp->dir = mem_strdup(dir);
    if (cp->dir == NULL)
        goto err1;
    if (open_dir(cp, e) != 0)
        goto err1;
    return cp;
err1:
    cp->mode = CHECKPOINT_LOOK; /* write nothing */
    checkpoint_close(&cp, NULL);
err0:
    err_nomem(e); /* unless another cause is set */
    return NULL;
}

int checkpoint_close(struct checkpoint **cp, struct err *e)
{
    struct checkpoint *dead = *cp;
    *cp = NULL;
    if (dead == NULL)
        return 0;
    if (dead->writing)
        work_wait(dead->work);
    int rc = checkpoint_write(dead, e);
    ev_timer_stop(loop_ev(dead->loop), &dead->timer);
    checkpoint_entries_free(&dead->entries);
    checkpoint_outputs_free(&dead->outputs);
    checkpoint_holds_free(dead);
    if (dead->lock_fd >= 0)
        close(dead->lock_fd);
    if (dead->dir_fd >= 0)
        close(dead->dir_fd);
    mem_free(dead->dir);
    mem_free(dead);
    return rc;
}

bool checkpoint_is_kept(const struct checkpoint *cp)
{
    return cp->dir != NULL && cp->mode == CHECKPOINT_KEEP;
}

bool checkpoint_damaged(const struct checkpoint *cp)
{
    return cp->damaged;
}

static bool is_free(const struct checkpoint_entry *entry, const char *pipeline, const char *stage)
{
    return !entry->claimed && strcmp(entry->pipeline, pipeline) == 0 &&
           strcmp(entry->stage, stage) == 0;
}

struct checkpoint_entry *checkpoint_find(struct checkpoint *cp, const char *pipeline,
                                         const char *stage, uint64_t dev, uint64_t ino,
                                         const char *path)
{
    struct checkpoint_entry *moved = NULL;
    LIST_EACH(node, bucket(cp, ino)) {
        struct checkpoint_entry *entry = LIST_ENTRY(node, struct checkpoint_entry, by_ino);
        if (entry->state.ino != ino || !is_free(entry, pipeline, stage))
            continue;
        if (entry->state.dev == dev)
            return entry;
        if (strcmp(entry->path, path) == 0)
            moved = entry;
    }
    return moved;
}

void checkpoint_each(struct checkpoint *cp, const char *pipeline, const char *stage,
                     void (*each)(void *arg, struct checkpoint_entry *entry), void *arg)
{
    LIST_EACH(node, &cp->entries) {
        struct checkpoint_entry *entry = LIST_ENTRY(node, struct checkpoint_entry, node);
        if (strcmp(entry->pipeline, pipeline) == 0 && strcmp(entry->stage, stage) == 0)
            each(arg, entry);
    }
}

struct checkpoint_entry *checkpoint_add(struct checkpoint *cp, const char *pipeline,
                                        const char *stage, const char *path, const char *log,
                                        const struct file_state *state)
{
    struct checkpoint_entry *entry = mem_zalloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    list_init(&entry->node);
    list_init(&entry->by_ino);
    entry->pipeline = mem_strdup(pipeline);
    entry->stage = mem_strdup(stage);
    entry->path = mem_strdup(path);
    entry->log = mem_strdup(log);
    entry->state = *state;
    entry->claimed = true;
    if (entry->pipeline == NULL || entry->stage == NULL || entry->path == NULL || entry->log == NULL) {
        struct list dead;
        list_init(&dead);
        list_push(&dead, &entry->node);
        checkpoint_entries_free(&dead);
        return NULL;
    }
    checkpoint_link(cp, entry);
    checkpoint_touch(cp, entry);
    return entry;
}

int checkpoint_rename(struct checkpoint *cp, struct checkpoint_entry *entry, const char *path)
{
    char *copy = mem_strdup(path);
    if (copy == NULL)
        return -1;
    mem_free(entry->path);
    entry->path = copy;
    checkpoint_touch(cp, entry);
    return 0;
}

int checkpoint_set_log(struct checkpoint *cp, struct checkpoint_entry *entry, const char *log)
{
    char *copy = mem_strdup(log);
    if (copy == NULL)
        return -1;
    mem_free(entry->log);
    entry->log = copy;
    checkpoint_touch(cp, entry);
    return 0;
}

void checkpoint_touch(struct checkpoint *cp, struct checkpoint_entry *entry)
{
    const struct checkpoint_hold *hold = entry->hold;
    if (hold == NULL)
        checkpoint_changed(cp);
    else if (hold->touched != NULL)
        hold->touched(hold->arg);
}

void checkpoint_changed(struct checkpoint *cp)
{
    cp->dirty = true;
    if (cp->dir != NULL && cp->mode == CHECKPOINT_KEEP && !cp->writing)
        checkpoint_arm(cp, WRITE_DELAY);
}

void checkpoint_remove(struct checkpoint *cp, struct checkpoint_entry *entry)
{
    struct list dead;
    list_init(&dead);
    checkpoint_touch(cp, entry);
    list_remove(&entry->node);
    list_remove(&entry->by_ino);
    list_push(&dead, &entry->node);
    checkpoint_entries_free(&dead);
}

int checkpoint_write(struct checkpoint *cp, struct err *e)
{
    if (!cp->dirty || cp->dir == NULL || cp->mode != CHECKPOINT_KEEP)
        return 0;
    struct buf text = {0};
    checkpoint_print(cp, &text);
    int rc = text.failed ? err_nomem(e) : replace(cp, &text, e);
    buf_clear(&text);
    if (rc == 0)
        cp->dirty = false;
    return rc;
}
