/* Files whose content is elsewhere, and files that look like that: see tail.h. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/tail.h"

/* ---- lost files -------------------------------------------------------------------------------- */

bool tail_lost_search(struct tail_files *fs, struct tail_file *f, enum tail_lost lost)
{
    const struct file_state state = {.dev = f->dev, .ino = f->ino, .head = f->head, .offset = f->offset, .mark = f->mark};
    if (f->head.len == 0 || tail_unpack_is(f)) /* nothing is known of it, or too little */
        return false;
    if (tail_search(&fs->searches, f->path, &state, f) != 0)
        return false;
    list_remove(&f->ready);
    list_remove(&f->waiting);
    f->lost = lost;
    return true;
}

/* ${other} is followed, and nothing was read of it: forget that. */
static void forget(struct tail_files *fs, struct tail_file *other)
{
    const struct stage_env *env = fs->reader->env;
    env->stats->expected -= other->expected;
    if (other->entry != NULL)
        checkpoint_remove(env->checkpoint, other->entry);
    other->entry = NULL;
    tail_files_retire(fs, other);
}

/* Is ${copy} known already, for more than its name? */
static bool is_known(const struct tail_files *fs, const struct tail_copy *copy, struct tail_file **other)
{
    const struct stage_env *env = fs->reader->env;
    const struct stat st = {.st_dev = (dev_t)copy->dev, .st_ino = (ino_t)copy->ino};
    *other = tail_places_inode(fs, &st);
    if (*other != NULL)
        return (*other)->resumed || (*other)->offset > 0 || (*other)->lost != TAIL_FOUND || ledger_busy((*other)->ledger);
    return checkpoint_find(env->checkpoint, env->pipeline, env->name, copy->dev, copy->ino, copy->path) != NULL;
}

/* Go on with ${f} in ${copy}. */
static bool move(struct tail_files *fs, struct tail_file *f, struct tail_copy *copy)
{
    const struct stage_env *env = fs->reader->env;
    struct tail_file *other;
    if (copy->path == NULL || is_known(fs, copy, &other))
        return false;
    if (other != NULL)
        forget(fs, other);
    tail_places_remove(fs, f);
    char *from = mem_strdup(f->path);
    int rc = tail_file_move(fs->reader, f, copy);
    if (rc == 0)
        log_info(env->scope, "%s lives on in %s: reading it there from offset %" PRIu64, from != NULL ? from : "a file", f->path, f->offset);
    mem_free(from);
    tail_open_used(fs, f);
    if (tail_places_add(fs, f) != 0)
        fs->nomem = true;
    if (rc != 0)
        return false;
    f->gone = !tail_files_want(fs, f->path);
    f->rotated = f->resumed = true;
    f->over = f->failed = f->passed_over = false;
    tail_places_put(fs, f);
    return true;
}

static void on_found(void *arg, void *owner, struct tail_copy *copy)
{
    struct tail_files *fs = arg;
    struct tail_file *f = owner;
    enum tail_lost lost = f->lost;
    f->lost = TAIL_FOUND;
    bool moved = move(fs, f, copy);
    if (!moved && lost == TAIL_GONE)
        tail_files_retire(fs, f);
    else if (!moved && tail_file_start_over(fs->reader, f) != 0)
        fs->nomem = true;
    else
        tail_files_ready(fs, f);
    fs->settled(fs->arg, moved && lost == TAIL_REPLACED);
}

/* ---- copies ------------------------------------------------------------------------------------ */

struct twin {
    const struct tail_file *file;
    struct tail_beginning *beginning;
    int fd;
    struct mark tried;  /* the last head that was compared */
    bool fits;          /* and whether it fitted */
    const struct checkpoint_entry *found;
};

static void compare(void *arg, struct checkpoint_entry *entry)
{
    struct twin *t = arg;
    const struct file_state *s = &entry->state;
    char text[MARK_BYTES];
    if (t->found != NULL || s->head.len == 0 || s->offset == 0 || (s->ino == t->file->ino && s->dev == t->file->dev))
        return;
    if (!mark_equal(t->tried, s->head)) {
        t->tried = s->head;
        t->fits = tail_beginning_fits(t->beginning, s->head);
    }
    bool packed = t->beginning->kind == UNPACK_GZIP || t->beginning->kind == UNPACK_ZSTD;
    if (t->fits && (packed || (file_pread(t->fd, text, s->mark.len, s->offset - s->mark.len) == (ssize_t)s->mark.len &&
                               mark_equal(mark_of(text, s->mark.len), s->mark))))
        t->found = entry;
}

void tail_lost_hold(struct tail_files *fs, struct tail_file *f)
{
    const struct stage_env *env = fs->reader->env;
    struct tail_beginning beginning;
    struct twin t = {.file = f, .beginning = &beginning};
    if (!fs->known || fs->reader->set->rotate_wait <= 0)
        return;
    t.fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (t.fd < 0)
        return;
    if (tail_beginning_read(&beginning, t.fd, INT64_MAX))
        checkpoint_each(env->checkpoint, env->pipeline, env->name, compare, &t);
    close(t.fd);
    if (t.found == NULL)
        return;
    log_info(env->scope, "%s looks like a copy of %s: waiting to see if it takes its place", f->path, t.found->path);
    f->twin_dev = t.found->state.dev;
    f->twin_ino = t.found->state.ino;
    list_remove(&f->ready);
    list_push(&fs->held, &f->held);
}

/* What ${f} may be a copy of, if it is followed. */
static const struct tail_file *twin_of(const struct tail_files *fs, const struct tail_file *f)
{
    const struct stat st = {.st_dev = (dev_t)f->twin_dev, .st_ino = (ino_t)f->twin_ino};
    return tail_places_inode(fs, &st);
}

/* Nobody follows it, but its offset is known: let it be looked for, once. */
static bool resume_twin(struct tail_files *fs, struct tail_file *f)
{
    const struct stage_env *env = fs->reader->env;
    if (f->twin_tried || twin_of(fs, f) != NULL)
        return false;
    f->twin_tried = true;
    struct checkpoint_entry *entry = checkpoint_find(env->checkpoint, env->pipeline, env->name, f->twin_dev, f->twin_ino, "");
    if (entry != NULL)
        tail_files_resume(fs, entry);
    return entry != NULL;
}

/* Is it about to be finished? */
static bool is_twin_ending(const struct tail_files *fs, const struct tail_file *f)
{
    const struct tail_file *twin = twin_of(fs, f);
    return twin != NULL && (twin->gone || twin->lost != TAIL_FOUND);
}

/* Is it still being written? */
static bool has_grown(struct tail_file *f)
{
    struct stat st;
    if (stat(f->path, &st) != 0 || (uint64_t)st.st_size == f->size)
        return false;
    f->size = (uint64_t)st.st_size;
    f->grown = loop_now();
    return true;
}

double tail_lost_release(struct tail_files *fs, bool all)
{
    double next = 0, now = loop_now(), wait = fs->reader->set->rotate_wait;
    LIST_EACH(node, &fs->held) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, held);
        double due = f->grown + wait;
        if (due <= now && !all && (has_grown(f) || is_twin_ending(fs, f)))
            due = now + wait;
        if ((all || due <= now) && resume_twin(fs, f))
            due = now + wait;
        else if (all || due <= now)
            due = 0;
        if (due == 0) {
            list_remove(&f->held);
            tail_files_ready(fs, f);
            continue;
        }
        next = next == 0 || due < next ? due : next;
    }
    return next;
}

void tail_lost_init(struct tail_files *fs)
{
    tail_searches_init(&fs->searches, fs->reader->env->work, on_found, fs);
}
