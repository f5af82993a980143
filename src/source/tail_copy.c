#include "source/tail_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/work.h"

#define BLOCK ((size_t)64 << 10)

/* One search. */
struct search {
    struct list node;
    void *owner; /* NULL: nobody waits */
    char *dir, *log;
    struct file_state state; /* of what is looked for */
    struct tail_copy copy;
    time_t found_mtime;      /* of the copy: the newest that fits is it */
};

/* What one job does. */
struct tail_search_job {
    struct job job;
    struct tail_searches *all; /* NULL: nobody waits */
    struct list searches;
    atomic_bool cancelled;
};

/* ---- names --------------------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool tail_copy_is_named(const char *path, const char *log)
{
    const char *name = last_part(path), *of = last_part(log), *dot = strrchr(of, '.');
    size_t len = strlen(of), stem = dot != NULL && dot > of ? (size_t)(dot - of) : len;
    if (strncmp(name, of, len) == 0)
        return name[len] != '\0';
    return strncmp(name, of, stem) == 0 && strchr("-._", name[stem]) != NULL && name[stem] != '\0' &&
           name[stem + 1] >= '0' && name[stem + 1] <= '9';
}

/* ---- what a file begins with ------------------------------------------------------------------- */

static uint32_t crc_of(const void *text, size_t len)
{
    return (uint32_t)crc32(0, text, (uInt)len);
}

/* Decode until ${b} is full. */
static void decode_beginning(struct tail_beginning *b, int fd, uint64_t size)
{
    struct err e = {0};
    struct unpack *u = unpack_new(b->kind, &e);
    size_t got = 1;
    b->len = 0;
    enum unpack_state state = u != NULL ? UNPACK_MORE : UNPACK_ERROR;
    while (state == UNPACK_MORE && got > 0 && b->len < HEAD_BYTES) {
        state = unpack_read(u, fd, size, b->text + b->len, HEAD_BYTES - b->len, &got, &e);
        b->len += got;
    }
    unpack_free(&u);
}

bool tail_beginning_read(struct tail_beginning *b, int fd, uint64_t size)
{
    ssize_t n = file_pread(fd, b->text, HEAD_BYTES, 0);
    if (n <= 0)
        return false;
    b->len = (size_t)n;
    b->head = (struct mark){(uint32_t)n, crc_of(b->text, b->len)};
    b->kind = unpack_recognise(b->text, b->len);
    if (b->kind == UNPACK_GZIP || b->kind == UNPACK_ZSTD)
        decode_beginning(b, fd, size);
    return true;
}

bool tail_beginning_fits(const struct tail_beginning *b, struct mark head)
{
    return b->len >= head.len && crc_of(b->text, head.len) == head.crc;
}

/* ---- searching: on the worker ------------------------------------------------------------------ */

/* Does the text of ${fd} have ${mark} in front of ${offset}? *${whole}: it has nothing behind it. */
static bool text_goes_on(const struct tail_search_job *job, enum unpack_kind kind, int fd, uint64_t size, uint64_t offset,
                         struct mark mark, bool *whole)
{
    struct err e = {0};
    struct unpack *u = unpack_new(kind, &e);
    char *block = mem_alloc(MARK_BYTES + BLOCK);
    size_t kept = 0, got = 1;
    enum unpack_state state = u != NULL && block != NULL ? UNPACK_MORE : UNPACK_ERROR;
    uint64_t at = 0;
    while (state == UNPACK_MORE && at < offset && !atomic_load(&job->cancelled)) {
        size_t len = offset - at < BLOCK ? (size_t)(offset - at) : BLOCK;
        state = unpack_read(u, fd, size, block + kept, len, &got, &e);
        size_t have = kept + got;
        at += got;
        kept = have < MARK_BYTES ? have : MARK_BYTES;
        memmove(block, block + have - kept, kept);
    }
    bool fits = at == offset && kept >= mark.len && block != NULL &&
                mark_equal(mark_of(block + kept - mark.len, mark.len), mark);
    if (fits && state == UNPACK_MORE)
        *whole = unpack_read(u, fd, size, block, 1, &got, &e) == UNPACK_END;
    mem_free(block);
    unpack_free(&u);
    return fits;
}

/* Does ${fd}, which begins as it should, hold what was read? */
static bool holds(const struct tail_search_job *job, const struct search *s, const struct tail_beginning *b, int fd, uint64_t size,
                  bool *whole)
{
    uint64_t offset = s->state.offset;
    struct mark mark = s->state.mark;
    char text[MARK_BYTES];
    if (b->kind == UNPACK_GZIP || b->kind == UNPACK_ZSTD)
        return text_goes_on(job, b->kind, fd, size, offset, mark, whole);
    return size >= offset && file_pread(fd, text, mark.len, offset - mark.len) == (ssize_t)mark.len &&
           mark_equal(mark_of(text, mark.len), mark);
}

/* ${name} in the directory ${dir} is what ${s} looks for. */
static void note(struct search *s, const char *name, const struct stat *st, const struct tail_beginning *b, bool whole)
{
    struct buf path = {0};
    buf_fmt(&path, "%s%s", s->dir, name);
    if (buf_cstr(&path) == NULL) {
        buf_clear(&path);
        s->copy.unsure = true;
        return;
    }
    mem_free(s->copy.path);
    s->copy = (struct tail_copy){path.data, st->st_dev, st->st_ino, (uint64_t)st->st_size, b->head, b->kind, whole ? (uint64_t)st->st_size : 0, false};
    s->found_mtime = st->st_mtime;
}

/* Does anybody look in ${dir} for something that may be called ${name}? */
static bool is_wanted(const struct tail_search_job *job, const char *dir, const char *name)
{
    LIST_EACH(node, &job->searches) {
        const struct search *s = LIST_ENTRY(node, struct search, node);
        if (strcmp(s->dir, dir) == 0 && tail_copy_is_named(name, s->log))
            return true;
    }
    return false;
}

/* Does anybody look in ${dir} for what is in ${fd}? */
static void compare(struct tail_search_job *job, const char *dir, const char *name, int fd, const struct stat *st)
{
    struct tail_beginning b;
    if (!tail_beginning_read(&b, fd, (uint64_t)st->st_size))
        return;
    LIST_EACH(node, &job->searches) {
        struct search *s = LIST_ENTRY(node, struct search, node);
        bool whole = false;
        if (strcmp(s->dir, dir) != 0 || !tail_copy_is_named(name, s->log) || (s->state.ino == st->st_ino && s->state.dev == st->st_dev))
            continue;
        if ((s->copy.path == NULL || s->found_mtime < st->st_mtime) && tail_beginning_fits(&b, s->state.head) &&
            holds(job, s, &b, fd, (uint64_t)st->st_size, &whole))
            note(s, name, st, &b, whole);
    }
}

/* Something in ${dir} could not be looked at: is that so for the moment only? */
static void note_failure(struct tail_search_job *job, const char *dir, int error)
{
    if (!file_busy(error) && error != ENOMEM)
        return;
    LIST_EACH(node, &job->searches) {
        struct search *s = LIST_ENTRY(node, struct search, node);
        s->copy.unsure |= s->copy.path == NULL && strcmp(s->dir, dir) == 0;
    }
}

static void look_in(struct tail_search_job *job, const char *path)
{
    DIR *dir = opendir(*path != '\0' ? path : ".");
    struct dirent *d;
    if (dir == NULL)
        note_failure(job, path, errno);
    while (dir != NULL && !atomic_load(&job->cancelled) && (d = readdir(dir)) != NULL) {
        struct stat st;
        if ((d->d_type != DT_REG && d->d_type != DT_UNKNOWN) || !is_wanted(job, path, d->d_name))
            continue;
        int fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
        if (fd < 0) {
            note_failure(job, path, errno);
            continue;
        }
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
            compare(job, path, d->d_name, fd, &st);
        close(fd);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Has ${dir} been looked at for a search before ${s}? */
static bool is_looked_at(const struct tail_search_job *job, const struct search *s)
{
    LIST_EACH(node, &job->searches) {
        const struct search *other = LIST_ENTRY(node, struct search, node);
        if (other == s)
            return false;
        if (strcmp(other->dir, s->dir) == 0)
            return true;
    }
    return false;
}

static void run(struct job *j)
{
    struct tail_search_job *job = LIST_ENTRY(j, struct tail_search_job, job);
    LIST_EACH(node, &job->searches) {
        const struct search *s = LIST_ENTRY(node, struct search, node);
        if (!is_looked_at(job, s))
            look_in(job, s->dir);
    }
}

/* ---- on the loop ------------------------------------------------------------------------------- */

static void free_search(struct search *s)
{
    list_remove(&s->node);
    mem_free(s->dir);
    mem_free(s->log);
    mem_free(s->copy.path);
    mem_free(s);
}

static void done(struct job *j);

/* The next job, if any waits for it. -1: no memory. */
static int start(struct tail_searches *all)
{
    if (all->job != NULL || list_empty(&all->waiting))
        return 0;
    struct tail_search_job *job = mem_zalloc(1, sizeof *job);
    if (job == NULL)
        return -1;
    job->job = (struct job){.run = run, .done = done};
    job->all = all;
    atomic_init(&job->cancelled, false);
    list_init(&job->searches);
    list_splice(&job->searches, &all->waiting);
    all->job = job;
    work_start(all->work, &job->job);
    return 0;
}

static void done(struct job *j)
{
    struct tail_search_job *job = LIST_ENTRY(j, struct tail_search_job, job);
    struct list *node;
    while ((node = list_shift(&job->searches)) != NULL) {
        struct search *s = LIST_ENTRY(node, struct search, node);
        if (job->all != NULL && s->owner != NULL)
            job->all->found(job->all->arg, s->owner, &s->copy); /* may end with nobody waiting */
        free_search(s);
    }
    struct tail_searches *all = job->all;
    mem_free(job);
    if (all == NULL)
        return;
    all->job = NULL;
    start(all); /* without memory the next search starts it */
}

void tail_searches_init(struct tail_searches *all, struct work *work,
                        void (*found)(void *arg, void *owner, struct tail_copy *copy), void *arg)
{
    *all = (struct tail_searches){.work = work, .found = found, .arg = arg};
    list_init(&all->waiting);
}

void tail_searches_clear(struct tail_searches *all)
{
    struct list *node;
    while ((node = list_shift(&all->waiting)) != NULL)
        free_search(LIST_ENTRY(node, struct search, node));
    if (all->job == NULL)
        return;
    atomic_store(&all->job->cancelled, true);
    all->job->all = NULL;
    all->job = NULL;
}

/* A search that is in no list. NULL: no memory. */
static struct search *new_search(const char *path, const char *log, const struct file_state *state, void *owner)
{
    size_t len = (size_t)(last_part(path) - path);
    struct search *s = mem_zalloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    list_init(&s->node);
    s->owner = owner;
    s->state = *state;
    s->dir = mem_strdup(path);
    s->log = mem_strdup(log);
    if (s->dir == NULL || s->log == NULL) {
        free_search(s);
        return NULL;
    }
    s->dir[len] = '\0';
    return s;
}

int tail_search(struct tail_searches *all, const char *path, const char *log, const struct file_state *state, void *owner)
{
    struct search *s = new_search(path, log, state, owner);
    if (s == NULL)
        return -1;
    list_push(&all->waiting, &s->node);
    if (start(all) == 0)
        return 0;
    free_search(s);
    return -1;
}

static void drop(struct list *searches, const void *owner)
{
    LIST_EACH(node, searches) {
        struct search *s = LIST_ENTRY(node, struct search, node);
        if (s->owner == owner)
            s->owner = NULL;
    }
}

void tail_search_drop(struct tail_searches *all, const void *owner)
{
    drop(&all->waiting, owner);
    if (all->job != NULL)
        drop(&all->job->searches, owner);
}

static bool is_awaited(const struct list *searches)
{
    LIST_EACH(node, searches)
        if (LIST_ENTRY(node, struct search, node)->owner != NULL)
            return true;
    return false;
}

bool tail_searches_busy(const struct tail_searches *all)
{
    return is_awaited(&all->waiting) || (all->job != NULL && is_awaited(&all->job->searches));
}
