/* The files that a log was rotated into, from old to new: see tail.h. */
#include <search.h>
#include <string.h>

#include "record/record.h"
#include "source/tail.h"

static int compare_logs(const void *a, const void *b)
{
    const struct tail_file *x = a, *y = b;
    return strcmp(x->origin->log, y->origin->log);
}

static void ignore(void *p)
{
    (void)p;
}

void tail_log_clear(struct tail_files *fs)
{
    tdestroy(fs->by_log, ignore);
    fs->by_log = NULL;
}

/* Does the log's name lead to ${f} now? Then it is the newest. */
static bool is_current(const struct tail_file *f)
{
    return f->placed && strcmp(f->path, f->origin->log) == 0;
}

static bool is_newer(const struct tail_file *a, const struct tail_file *b)
{
    if (is_current(a) || is_current(b))
        return is_current(a);
    if (a->written.tv_sec != b->written.tv_sec)
        return a->written.tv_sec > b->written.tv_sec;
    return a->written.tv_nsec > b->written.tv_nsec;
}

static void link_behind(struct tail_file *older, struct tail_file *newer)
{
    newer->after = older;
    if (older != NULL)
        older->before = newer;
}

void tail_log_add(struct tail_files *fs, struct tail_file *f)
{
    void *node = tsearch(f, &fs->by_log, compare_logs);
    if (node == NULL || *(struct tail_file **)node == f)
        return; /* without memory its order is not kept */
    struct tail_file *at = *(struct tail_file **)node;
    if (is_newer(f, at)) {
        *(struct tail_file **)node = f;
        link_behind(at, f);
        return;
    }
    while (at->after != NULL && is_newer(at->after, f))
        at = at->after;
    link_behind(at->after, f);
    link_behind(f, at);
}

void tail_log_read(struct tail_file *f)
{
    if (f->before != NULL)
        f->before->after = NULL;
    f->before = NULL;
}

void tail_log_remove(struct tail_files *fs, struct tail_file *f)
{
    void *node = tfind(f, &fs->by_log, compare_logs);
    if (node != NULL && *(struct tail_file **)node == f) {
        if (f->after != NULL)
            *(struct tail_file **)node = f->after;
        else
            tdelete(f, &fs->by_log, compare_logs);
    }
    if (f->before != NULL)
        f->before->after = f->after;
    if (f->after != NULL)
        f->after->before = f->before;
    f->before = f->after = NULL;
}

struct tail_file *tail_log_oldest(struct tail_file *f)
{
    while (f->after != NULL)
        f = f->after;
    return f;
}
