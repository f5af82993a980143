/* The set of followed files: see tail.h. */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/glob.h"
#include "source/tail.h"
#include "source/watch.h"

#define FEW_FILES 20 /* found at start: named in the log one by one */
#define DIR_EVENTS                                                                                 \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static int compare_strings(const void *a, const void *b)
{
    return strcmp(a, b);
}

void tail_files_init(struct tail_files *fs, struct tail_reader *reader, void (*settled)(void *arg, bool moved), void *arg)
{
    *fs = (struct tail_files){.reader = reader, .first = true, .settled = settled, .arg = arg};
    list_init(&fs->held);
    list_init(&fs->all);
    list_init(&fs->retired);
    list_init(&fs->ready);
    list_init(&fs->open);
    list_init(&fs->waiting);
    fs->open_max = tail_open_most();
    tail_lost_init(fs);
}

static void free_file(struct tail_files *fs, struct tail_file *f)
{
    list_remove(&f->all);
    list_remove(&f->ready);
    list_remove(&f->open);
    list_remove(&f->waiting);
    list_remove(&f->held);
    tail_search_drop(&fs->searches, f);
    if (f->entry != NULL)
        f->entry->claimed = false;
    tail_unpack_let_go(fs->reader, f);
    tail_file_free(&f);
}

void tail_files_clear(struct tail_files *fs)
{
    tail_places_clear(fs);
    tail_log_clear(fs);
    tdestroy(fs->complaints, mem_free);
    fs->complaints = NULL;
    LIST_EACH(node, &fs->all)
        free_file(fs, LIST_ENTRY(node, struct tail_file, all));
    LIST_EACH(node, &fs->retired)
        free_file(fs, LIST_ENTRY(node, struct tail_file, all));
    tail_searches_clear(&fs->searches);
    watch_free(&fs->watch);
}

void tail_files_complain(struct tail_files *fs, const char *path, const char *what)
{
    if (tfind(path, &fs->complaints, compare_strings) != NULL)
        return;
    log_warn(fs->reader->env->scope, "%s %s", path, what);
    char *copy = mem_strdup(path);
    if (copy != NULL && tsearch(copy, &fs->complaints, compare_strings) == NULL)
        mem_free(copy);
}

void tail_files_praise(struct tail_files *fs, const char *path)
{
    void *node = tfind(path, &fs->complaints, compare_strings);
    if (node == NULL)
        return;
    char *copy = *(char **)node;
    tdelete(path, &fs->complaints, compare_strings);
    mem_free(copy);
}

void tail_files_ready(struct tail_files *fs, struct tail_file *f)
{
    if (list_empty(&f->ready) && list_empty(&f->held) && f->lost == TAIL_FOUND)
        list_push(&fs->ready, &f->ready);
}

bool tail_files_changed(struct tail_files *fs, const char *path)
{
    struct tail_file *f = tail_places_path(fs, path);
    if (f != NULL && !list_empty(&f->held))
        tail_lost_review(fs, f);
    if (f != NULL)
        tail_files_ready(fs, f);
    return f != NULL;
}

/* ---- appearing --------------------------------------------------------------------------------- */

/* The saved state for ${path}, now the reader's. */
static struct checkpoint_entry *claim(struct tail_files *fs, const char *path, const struct stat *st)
{
    const struct stage_env *env = fs->reader->env;
    struct checkpoint_entry *entry = checkpoint_find(env->checkpoint, env->pipeline, env->name,
                                                     st->st_dev, st->st_ino, path);
    if (entry == NULL)
        return NULL;
    entry->claimed = true;
    entry->state.dev = st->st_dev;
    if (strcmp(entry->path, path) == 0)
        return entry;
    if (!tail_content_is(path, &entry->state)) /* its inode is used again: it is no part of that log */
        checkpoint_set_log(env->checkpoint, entry, path);
    checkpoint_rename(env->checkpoint, entry, path);
    return entry;
}

/* Follow what is at ${path} as part of ${log}. NULL: no memory. */
static struct tail_file *add(struct tail_files *fs, const char *path, const char *log, const struct stat *st,
                             struct checkpoint_entry *entry)
{
    struct tail_file *f = tail_file_new(fs->reader, path, log, st, entry != NULL ? &entry->state : NULL);
    if (f == NULL || tail_places_add(fs, f) != 0) {
        tail_file_free(&f);
        if (entry != NULL)
            entry->claimed = false;
        fs->incomplete = fs->nomem = true;
        log_error(fs->reader->env->scope, "%s is not followed yet: out of memory", path);
        return NULL;
    }
    f->entry = entry;
    f->seen = fs->scan;
    list_push(&fs->all, &f->all);
    tail_files_ready(fs, f);
    if (fs->reader->env->once && f->stop > f->offset)
        fs->reader->env->stats->expected += f->expected = f->stop - f->offset;
    return f;
}

static bool skip_to_end(const struct tail_files *fs, const struct tail_file *f)
{
    const struct stage_env *env = fs->reader->env;
    bool end = env->start == START_CONFIGURED ? fs->reader->set->start_at == TAIL_END
                                              : env->start == START_END;
    return end && fs->first && !f->resumed && !checkpoint_damaged(env->checkpoint);
}

/* ${path}, which is or was called ${log}, is to be followed. */
static void appear(struct tail_files *fs, const char *path, const char *log, const struct stat *st)
{
    const struct tail_settings *set = fs->reader->set;
    struct checkpoint_entry *entry = claim(fs, path, st);
    if (entry == NULL && set->ignore_older > 0 &&
        difftime(time(NULL), st->st_mtime) > set->ignore_older)
        return;
    struct tail_file *f = add(fs, path, entry != NULL ? entry->log : log, st, entry);
    if (f == NULL)
        return;
    f->unproven = true;
    f->vetted = !fs->known; /* there is nothing that it may be a copy of; with thousands of files looking for it takes seconds */
    tail_places_put(fs, f);
    tail_log_add(fs, f);
    struct err e = {0};
    if (skip_to_end(fs, f) && tail_file_skip(fs->reader, f, &e) != TAIL_IDLE)
        log_warn(fs->reader->env->scope, "%s is followed from its beginning: %s", path, e.text);
    fs->found++;
    fs->reader->env->stats->files++;
    log_at(fs->first && fs->found > FEW_FILES ? LOG_DEBUG : LOG_INFO, fs->reader->env->scope,
           "following %s from offset %" PRIu64, path, f->offset);
    tail_open_used(fs, f);
}

static bool excluded(const struct tail_settings *set, const char *path)
{
    for (size_t i = 0; i < set->exclude.count; i++)
        if (glob_matches(set->exclude.items[i], path))
            return true;
    return false;
}

/* What is at ${path} was finished, and not all of it is delivered yet: follow it again. NULL: it was not, or something else stands in it now. */
static struct tail_file *take_back(struct tail_files *fs, const char *path, const struct stat *st)
{
    LIST_EACH(node, &fs->retired) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
        const struct file_state state = {.head = f->head};
        if (f->ino != st->st_ino || f->dev != st->st_dev || f->head.len == 0 || !tail_content_is(path, &state) ||
            tail_places_add(fs, f) != 0)
            continue;
        list_remove(&f->all);
        list_push(&fs->all, &f->all);
        if (strcmp(f->path, path) == 0)
            tail_places_put(fs, f);
        tail_log_add(fs, f);
        return f;
    }
    return NULL;
}

static void on_found(void *arg, const char *path, const struct stat *st, bool link)
{
    struct tail_files *fs = arg;
    const struct tail_settings *set = fs->reader->set;
    if (excluded(set, path) || (link && !set->follow_symlinks))
        return;
    if (!S_ISREG(st->st_mode)) {
        tail_files_complain(fs, path,
                            S_ISDIR(st->st_mode)    ? "is a directory, not a file: ignored"
                            : S_ISFIFO(st->st_mode) ? "is a FIFO, not a regular file: ignored"
                                                    : "is not a regular file: ignored");
        return;
    }
    if (link && fs->watch != NULL)
        watch_add(fs->watch, path, IN_MODIFY | IN_ATTRIB);
    struct tail_file *f = tail_places_inode(fs, st);
    if (f == NULL)
        f = take_back(fs, path, st);
    if (f == NULL) {
        appear(fs, path, path, st);
        return;
    }
    if (f->seen == fs->scan)
        return; /* a second name for the same file */
    f->seen = fs->scan;
    if (f->gone)
        f->gone = f->over = false; /* back again */
    if (strcmp(f->path, path) != 0) {
        tail_places_move(fs, f, path);
        f->rotated = true;
        f->over = false;
        f->grown = loop_now();
        tail_files_ready(fs, f);
    } else if (!f->placed) {
        tail_places_put(fs, f);
    }
    if ((uint64_t)st->st_size != f->size)
        tail_files_ready(fs, f);
}

static void on_depends(void *arg, const char *path)
{
    struct tail_files *fs = arg;
    if (fs->watch == NULL || watch_add(fs->watch, path, DIR_EVENTS | IN_ONLYDIR) == 0 ||
        errno == ENOENT || errno == ENOTDIR)
        return;
    char what[200];
    snprintf(what, sizeof what, "cannot be watched (%s%s): looked at every rescan_interval instead",
             strerror(errno), errno == ENOSPC ? ", see fs.inotify.max_user_watches" : "");
    tail_files_complain(fs, path, what);
    fs->incomplete = true;
}

static void on_failed(void *arg, const char *path, int error)
{
    struct tail_files *fs = arg;
    char what[200];
    if (error == ENOENT)
        snprintf(what, sizeof what, "is a link that leads nowhere: ignored until it does");
    else
        snprintf(what, sizeof what, "cannot be looked at: %s", strerror(error));
    fs->incomplete |= error != ENOENT;
    if (error != ENOENT && fs->reader->env->once && fs->first)
        fs->reader->env->stats->incomplete++;
    tail_files_complain(fs, path, what);
}

/* ---- vanishing --------------------------------------------------------------------------------- */

/* A file that the scan did not find. Its name may be out of sight only (EMFILE, EACCES): that is no reason to give it up. */
static void check_missing(struct tail_files *fs, struct tail_file *f)
{
    struct stat st;
    if (f->placed && (stat(f->path, &st) == 0 ? st.st_ino == f->ino && st.st_dev == f->dev
                                              : errno != ENOENT && errno != ENOTDIR))
        return;
    log_debug(fs->reader->env->scope, "%s is gone: finishing it", f->path);
    tail_places_leave(fs, f);
    f->gone = true;
    f->over = false;
    f->grown = loop_now(); /* its writer may not know yet: rotate_wait begins now */
    bool busy;
    tail_places_find(fs, f, &busy); /* else reading asks again */
    tail_files_ready(fs, f);
}

void tail_files_resume(struct tail_files *fs, struct checkpoint_entry *entry)
{
    struct stat st = {.st_dev = (dev_t)entry->state.dev, .st_ino = (ino_t)entry->state.ino};
    entry->claimed = true;
    struct tail_file *f = add(fs, entry->path, entry->log, &st, entry);
    if (f == NULL)
        return;
    f->stop = UINT64_MAX;
    f->left = true;
    check_missing(fs, f);
    if (stat(f->path, &st) == 0)
        f->written = st.st_mtim;
    tail_log_add(fs, f);
}

/* Files of the checkpoint that no pattern finds: they were rotated while nobody looked. Finish them. */
static void resume_rotated(void *arg, struct checkpoint_entry *entry)
{
    if (!entry->claimed)
        tail_files_resume(arg, entry);
}

bool tail_files_want(const struct tail_files *fs, const char *path)
{
    const struct tail_settings *set = fs->reader->set;
    for (size_t i = 0; i < set->include.count; i++)
        if (glob_matches(set->include.items[i], path))
            return !excluded(set, path);
    return false;
}

bool tail_files_reads(const void *settings, const char *path)
{
    const struct tail_settings *set = settings;
    for (size_t i = 0; i < set->include.count; i++) {
        const char *pattern = set->include.items[i];
        bool deeper = strchr(path, '/') != NULL && strchr(pattern, '/') == NULL;
        if (!deeper && (*pattern == '/') == (*path == '/') && glob_matches(pattern, path))
            return !excluded(set, path);
    }
    return false;
}

void tail_files_moved(struct tail_files *fs, const char *from, const char *to)
{
    struct stat st;
    if (!tail_files_want(fs, from) || lstat(to, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    if (tail_places_inode(fs, &st) != NULL)
        return;
    appear(fs, to, from, &st);
    struct tail_file *f = tail_places_inode(fs, &st);
    if (f != NULL)
        f->gone = !tail_files_want(fs, to);
}

static void on_known(void *arg, struct checkpoint_entry *entry)
{
    (void)entry;
    ((struct tail_files *)arg)->known = true;
}

void tail_files_scan(struct tail_files *fs)
{
    const struct stage_env *env = fs->reader->env;
    const struct tail_settings *set = fs->reader->set;
    const struct glob_visitor visitor = {fs, on_found, on_depends, on_failed};
    if (fs->first)
        checkpoint_each(env->checkpoint, env->pipeline, env->name, on_known, fs);
    tail_files_reap(fs); /* what comes back must find its offset unclaimed */
    fs->scan++;
    fs->incomplete = false;
    for (size_t i = 0; i < set->include.count; i++)
        glob_scan(set->include.items[i], &visitor);
    LIST_EACH(node, &fs->all) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
        if (f->seen != fs->scan && !f->gone)
            check_missing(fs, f);
    }
    if (fs->first && fs->found > FEW_FILES)
        log_info(env->scope, "following %u files", fs->found);
    if (fs->first)
        checkpoint_each(env->checkpoint, env->pipeline, env->name, resume_rotated, fs);
    fs->first = false;
    fs->known = true;
}

void tail_files_retire(struct tail_files *fs, struct tail_file *f)
{
    tail_places_remove(fs, f);
    tail_log_remove(fs, f);
    if (!list_empty(&f->open))
        fs->open_count--;
    tail_file_close(f);
    tail_unpack_let_go(fs->reader, f);
    list_remove(&f->open);
    list_remove(&f->ready);
    list_remove(&f->waiting);
    list_remove(&f->held);
    list_remove(&f->all);
    list_push(&fs->retired, &f->all);
    tail_files_reap(fs);
}

void tail_files_reap(struct tail_files *fs)
{
    LIST_EACH(node, &fs->retired) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
        if (!ledger_busy(f->ledger))
            free_file(fs, f);
    }
}

struct forgetting {
    struct checkpoint *checkpoint;
    double before;
    unsigned count;
};

static void forget_old(void *arg, struct checkpoint_entry *entry)
{
    struct forgetting *what = arg;
    if (entry->claimed || (double)entry->state.seen >= what->before)
        return;
    checkpoint_remove(what->checkpoint, entry);
    what->count++;
}

void tail_files_forget(struct tail_files *fs, double seconds)
{
    const struct stage_env *env = fs->reader->env;
    struct forgetting what = {env->checkpoint, (double)time(NULL) - seconds, 0};
    checkpoint_each(env->checkpoint, env->pipeline, env->name, forget_old, &what);
    if (what.count > 0)
        log_info(env->scope, "forgot the offsets of %u files that have been gone for longer than forget_after", what.count);
}
