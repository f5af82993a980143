/* Descriptors of followed files, kept within bounds: see tail.h. */
#include <sys/resource.h>

#include "base/loop.h"
#include "source/tail.h"

#define OPEN_MAX_FILES 512

unsigned tail_open_most(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 4 >= OPEN_MAX_FILES)
        return OPEN_MAX_FILES;
    return limit.rlim_cur < 16 ? 4 : (unsigned)(limit.rlim_cur / 4);
}

static void close_file(struct tail_files *fs, struct tail_file *f)
{
    tail_file_close(f);
    list_remove(&f->open);
    fs->open_count--;
}

bool tail_open_close_one(struct tail_files *fs)
{
    LIST_EACH(node, &fs->open) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, open);
        if (f->gone)
            continue; /* no way back to it */
        close_file(fs, f);
        return true;
    }
    return false;
}

void tail_open_used(struct tail_files *fs, struct tail_file *f)
{
    f->read_at = loop_now();
    if (f->fd < 0) {
        if (!list_empty(&f->open)) {
            list_remove(&f->open);
            fs->open_count--;
        }
        return;
    }
    if (list_empty(&f->open))
        fs->open_count++;
    list_remove(&f->open);
    list_push(&fs->open, &f->open);
    while (fs->open_count > fs->open_max && tail_open_close_one(fs))
        ;
}

double tail_open_close_inactive(struct tail_files *fs, double seconds)
{
    double now = loop_now();
    LIST_EACH(node, &fs->open) {
        struct tail_file *f = LIST_ENTRY(node, struct tail_file, open);
        if (f->gone)
            continue;
        if (f->read_at + seconds > now)
            return f->read_at + seconds;
        close_file(fs, f);
    }
    return 0;
}
