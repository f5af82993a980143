/* Files whose content is elsewhere, and files that look like that: see tail.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/tail.h"

/* ---- lost files -------------------------------------------------------------------------------- */

#define AGAIN 1.0 /* seconds until what could not be looked at is looked at again */

static int search(struct tail_files *fs, struct tail_file *f)
{
    const struct file_state state = {.dev = f->dev, .ino = f->ino, .head = f->head, .offset = f->offset, .mark = f->mark};
    return tail_search(&fs->searches, f->path, f->origin->log, &state, f);
}

bool tail_lost_search(struct tail_files *fs, struct tail_file *f, enum tail_lost lost)
{
    if (f->head.len == 0 || tail_unpack_is(f)) /* nothing is known of it, or too little */
        return false;
    if (search(fs, f) != 0)
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
    env->stats->files--;
    if (other->entry != NULL)
        checkpoint_remove(env->checkpoint, other->entry);
    other->entry = NULL;
    tail_files_retire(fs, other);
}

/* Is ${copy} known already, for more than its name? What was known by its inode may be gone, and the inode used again. */
static bool is_known(struct tail_files *fs, const struct tail_copy *copy, struct tail_file **other)
{
    const struct stage_env *env = fs->reader->env;
    const struct stat st = {.st_dev = (dev_t)copy->dev, .st_ino = (ino_t)copy->ino};
    *other = tail_places_inode(fs, &st);
    if (*other != NULL && (*other)->head.len > 0 && !tail_content_is(copy->path, &(struct file_state){.head = (*other)->head})) {
        tail_places_remove(fs, *other);
        *other = NULL;
    }
    if (*other != NULL)
        return (*other)->resumed || (*other)->offset > 0 || (*other)->lost != TAIL_FOUND || ledger_busy((*other)->ledger);
    const struct checkpoint_entry *entry = checkpoint_find(env->checkpoint, env->pipeline, env->name, copy->dev, copy->ino, copy->path);
    return entry != NULL && tail_content_is(copy->path, &entry->state);
}

/* Go on with ${f} in ${copy}. */
static bool move(struct tail_files *fs, struct tail_file *f, struct tail_copy *copy)
{
    const struct stage_env *env = fs->reader->env;
    struct tail_file *other;
    uint64_t size = copy->size;
    if (copy->path == NULL || is_known(fs, copy, &other))
        return false;
    if (other != NULL)
        forget(fs, other);
    tail_places_remove(fs, f);
    int rc = tail_file_move(fs->reader, f, copy);
    if (rc == 0)
        log_info(env->scope, "%s lives on in %s: reading it there from offset %" PRIu64, f->origin->path, f->path, f->offset);
    tail_open_used(fs, f);
    if (tail_places_add(fs, f) != 0)
        fs->nomem = true;
    if (rc != 0)
        return false;
    f->gone = !tail_files_want(fs, f->path);
    f->stop = f->gone ? size : UINT64_MAX; /* a copy does not grow: what does is something else */
    f->rotated = f->resumed = true;
    f->over = f->failed = f->passed_over = false;
    tail_places_put(fs, f);
    return true;
}

/* Want of descriptors is no reason to give up what was not read yet. */
static void try_again(struct tail_files *fs, struct tail_file *f)
{
    tail_files_complain(fs, f->path, "is not what was read of it, and what was cannot be looked for: too many open files, or no memory");
    f->search_again = true;
    if (fs->search_at == 0)
        fs->search_at = loop_now() + AGAIN;
}

double tail_lost_again(struct tail_files *fs)
{
    if (fs->search_at == 0 || fs->search_at > loop_now())
        return fs->search_at;
    fs->search_at = 0;
    LIST_EACH(node, &fs->all) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, all);
        if (f->search_again && search(fs, f) == 0)
            f->search_again = false;
        else if (f->search_again)
            fs->search_at = loop_now() + AGAIN;
    }
    return fs->search_at;
}

static void on_found(void *arg, void *owner, struct tail_copy *copy)
{
    struct tail_files *fs = arg;
    struct tail_file *f = owner;
    enum tail_lost lost = f->lost;
    if (copy->path == NULL && copy->unsure) {
        try_again(fs, f);
        fs->settled(fs->arg, false);
        return;
    }
    f->lost = TAIL_FOUND;
    bool moved = move(fs, f, copy);
    if (moved)
        tail_files_ready(fs, f);
    else if (tail_lost_give_up(fs, f, lost) != 0)
        fs->nomem = true;
    fs->settled(fs->arg, moved && lost == TAIL_REPLACED);
}

int tail_lost_give_up(struct tail_files *fs, struct tail_file *f, enum tail_lost lost)
{
    /* Where it was only to be finished, under a name that nobody wants, there is another copy now: of what was read elsewhere. */
    if (lost == TAIL_GONE || ((f->moved || f->left) && !tail_files_want(fs, f->path))) {
        tail_files_retire(fs, f);
        return 0;
    }
    if (tail_file_start_over(fs->reader, f) != 0)
        return -1;
    tail_files_ready(fs, f);
    return 0;
}

/* ---- copies ------------------------------------------------------------------------------------ */

/* Looks for what a file may be a copy of. */
struct twin {
    const struct tail_file *file;
    struct tail_beginning *beginning;
    int fd;
    uint64_t size;
    bool whole; /* what there is of it is all: it did not grow for long enough */
    const struct checkpoint_entry *found;
    bool intact; /* what was found is where it was, and as it was */
};

static bool is_packed(const struct tail_beginning *b)
{
    return b->kind == UNPACK_GZIP || b->kind == UNPACK_ZSTD;
}

/* Does ${fd} have the mark of ${s} in front of its offset? */
static bool has_mark(int fd, const struct file_state *s)
{
    char text[MARK_BYTES];
    return file_pread(fd, text, s->mark.len, s->offset - s->mark.len) == (ssize_t)s->mark.len &&
           mark_equal(mark_of(text, s->mark.len), s->mark);
}

/* Does, or may, what there is of the file begin as that of ${s} and have its mark in front of its offset? */
static bool may_hold(const struct twin *t, const struct file_state *s)
{
    if (t->beginning->len < s->head.len)
        return !t->whole;
    if (!tail_beginning_fits(t->beginning, s->head))
        return false;
    if (!is_packed(t->beginning) && t->size < s->offset)
        return !t->whole;
    return is_packed(t->beginning) || has_mark(t->fd, s);
}

/* Does ${fd} begin as the file of ${s} did? The mark alone proves nothing as long as nothing was delivered. */
static bool has_head(int fd, const struct file_state *s)
{
    char text[HEAD_BYTES];
    return file_pread(fd, text, s->head.len, 0) == (ssize_t)s->head.len &&
           crc32(0, (const unsigned char *)text, s->head.len) == s->head.crc;
}

/* The file of ${entry}, if it is where it was and what was read still stands in it. -1: it is not. */
static int open_original(const struct checkpoint_entry *entry)
{
    const struct file_state *s = &entry->state;
    struct stat st;
    int fd = open(entry->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_ino == s->ino && st.st_dev == s->dev && has_head(fd, s) && has_mark(fd, s))
        return fd;
    close(fd);
    return -1;
}

/* Does the file end with what ${original} has in the same place? A copy does, also one that is being made: what is longer, or went another way, is none. */
static bool ends_as(const struct twin *t, int original)
{
    char a[HEAD_BYTES], b[HEAD_BYTES];
    size_t len = t->size < sizeof a ? (size_t)t->size : sizeof a;
    return file_pread(t->fd, a, len, t->size - len) != (ssize_t)len ||
           (file_pread(original, b, len, t->size - len) == (ssize_t)len && memcmp(a, b, len) == 0);
}

static void compare(void *arg, struct checkpoint_entry *entry)
{
    struct twin *t = arg;
    const struct file_state *s = &entry->state;
    bool other = s->ino != t->file->ino || s->dev != t->file->dev;
    if (t->found != NULL || !other || s->head.len == 0 || !tail_copy_is_named(t->file->path, entry->log) || !may_hold(t, s))
        return;
    int original = open_original(entry);
    if (original < 0 || is_packed(t->beginning) || ends_as(t, original))
        t->found = entry;
    t->intact = t->found != NULL && original >= 0;
    if (original >= 0)
        close(original);
}

/* What is there of a file that may be a copy. */
struct sight {
    const struct checkpoint_entry *twin; /* of what; NULL: nothing, as far as can be seen */
    bool seen, empty, packed;
    bool intact; /* that is where it was, and as it was */
    bool busy;   /* there is no descriptor to look */
    uint64_t size;
};

/* ${whole}: it is not being copied or compressed any more. */
static struct sight look_at(struct tail_files *fs, struct tail_file *f, bool whole)
{
    const struct stage_env *env = fs->reader->env;
    struct tail_beginning beginning;
    struct stat st;
    struct sight sight = {0};
    struct twin t = {.file = f, .beginning = &beginning, .whole = whole};
    t.fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    sight.busy = t.fd < 0 && file_busy(errno);
    if (t.fd < 0)
        return sight;
    sight.seen = fstat(t.fd, &st) == 0;
    sight.empty = sight.seen && st.st_size == 0;
    if (sight.seen && !sight.empty && tail_beginning_read(&beginning, t.fd, (uint64_t)st.st_size)) {
        t.size = (uint64_t)st.st_size;
        checkpoint_each(env->checkpoint, env->pipeline, env->name, compare, &t);
        sight.twin = t.found;
        sight.intact = t.intact;
        sight.size = t.size;
        sight.packed = is_packed(&beginning);
    }
    close(t.fd);
    return sight;
}

bool tail_lost_hold(struct tail_files *fs, struct tail_file *f)
{
    if (f->vetted || f->gone || f->resumed || f->offset > 0 || !fs->known)
        return false;
    struct sight sight = look_at(fs, f, false);
    if (sight.empty)
        return true; /* the first bytes make it ready */
    if (!sight.seen)
        return false; /* reading will tell why */
    f->vetted = true;
    if (sight.twin == NULL)
        return false;
    log_info(fs->reader->env->scope, "%s looks like a copy of %s: waiting to see if it takes its place", f->path, sight.twin->log);
    f->grown = loop_now();
    list_push(&fs->held, &f->held);
    return true;
}

static void let_go(struct tail_files *fs, struct tail_file *f)
{
    log_debug(fs->reader->env->scope, "%s is read as a file of its own", f->path);
    list_remove(&f->held);
    tail_files_ready(fs, f);
}

void tail_lost_review(struct tail_files *fs, struct tail_file *f)
{
    struct sight sight = look_at(fs, f, false);
    if (sight.seen && sight.twin == NULL && !sight.empty)
        let_go(fs, f);
    else if (sight.packed)
        f->grown = loop_now();
}

/* Is ${found}, what ${f} is a copy of, about to be finished, or may it be? Then that takes its place, or not. (${last}: nothing more comes of those
 * that are followed.) */
static bool is_twin_ending(struct tail_files *fs, struct tail_file *f, const struct checkpoint_entry *found, bool last)
{
    const struct stage_env *env = fs->reader->env;
    const struct stat st = {.st_dev = (dev_t)found->state.dev, .st_ino = (ino_t)found->state.ino};
    const struct tail_file *twin = tail_places_inode(fs, &st);
    if (twin != NULL)
        return !last && (twin->gone || twin->lost != TAIL_FOUND);
    if (found->claimed)
        return !last; /* finished, and not delivered yet: let it be looked for then */
    if (f->twin_tried)
        return false;
    f->twin_tried = true; /* nobody follows it: let it be looked for, once */
    struct checkpoint_entry *entry = checkpoint_find(env->checkpoint, env->pipeline, env->name, found->state.dev, found->state.ino, "");
    if (entry != NULL)
        tail_files_resume(fs, entry);
    return entry != NULL;
}

/* Is it still being made? What is copied is there until it is. */
static bool has_grown(struct tail_file *f, const struct sight *sight)
{
    if ((!sight->packed && !sight->intact) || sight->size == f->size)
        return false;
    f->size = sight->size;
    f->grown = loop_now();
    return true;
}

/* ${f} has been held for rotate_wait, or (${all}) long enough. Is it to wait on? A copy is made before its original goes, so one that did not grow is complete:
 * else a short file would be a copy of anything that is longer, and had to wait for all of that. */
static bool is_to_wait(struct tail_files *fs, struct tail_file *f, bool all)
{
    struct sight sight = look_at(fs, f, false);
    if (sight.busy)
        return !all;
    if (sight.twin != NULL && !all && has_grown(f, &sight))
        return true;
    if (sight.twin != NULL)
        sight = look_at(fs, f, true);
    return sight.twin != NULL && is_twin_ending(fs, f, sight.twin, all && list_empty(&fs->ready));
}

double tail_lost_release(struct tail_files *fs, bool all)
{
    double next = 0, now = loop_now(), wait = fs->reader->set->rotate_wait;
    LIST_EACH(node, &fs->held) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, held);
        double due = all ? now : f->grown + wait;
        if (due <= now && is_to_wait(fs, f, all))
            due = now + wait;
        if (due <= now)
            let_go(fs, f);
        else
            next = next == 0 || due < next ? due : next;
    }
    return next;
}

void tail_lost_init(struct tail_files *fs)
{
    tail_searches_init(&fs->searches, fs->reader->env->work, on_found, fs);
}
