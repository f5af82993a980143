#include "sink/file_rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int exists(int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0 : -1;
}

static int move(int dir, const char *from, const char *to)
{
    if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    int taken = exists(dir, to); /* a file system that cannot do both at once */
    if (taken != 0) {
        errno = taken > 0 ? EEXIST : errno;
        return -1;
    }
    return renameat(dir, from, dir, to);
}

static int drop(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

static const struct rotate_calls system_calls = {exists, move, drop};

static int numbered(const struct rotation *r, unsigned number, char out[NAME_MAX + 1])
{
    int n = number == 0 ? snprintf(out, NAME_MAX + 1, "%s", r->name) : snprintf(out, NAME_MAX + 1, "%s.%u", r->name, number);
    if (n <= NAME_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int look(struct rotation *r, const struct rotate_calls *calls)
{
    char name[NAME_MAX + 1];
    int here = calls->exists(r->dir, r->name);
    if (here <= 0) {
        r->state = here == 0 ? ROTATE_OVER : ROTATE_LOOK; /* it is gone already: nothing has to make room for it */
        return here;
    }
    for (r->free = 1; r->free <= r->keep; r->free++) {
        int there = numbered(r, r->free, name) == 0 ? calls->exists(r->dir, name) : -1;
        if (there < 0)
            return -1;
        if (there == 0)
            break;
    }
    r->state = r->free > r->keep ? ROTATE_DROP : r->free > 1 ? ROTATE_SHIFT : ROTATE_MOVE;
    return 0;
}

/* What bears the number before the free one takes that. */
static int take_free(struct rotation *r, const struct rotate_calls *calls)
{
    char from[NAME_MAX + 1], to[NAME_MAX + 1];
    if (numbered(r, r->free - 1, from) != 0 || numbered(r, r->free, to) != 0)
        return -1;
    return calls->rename(r->dir, from, to);
}

int file_rotate_step(struct rotation *r)
{
    const struct rotate_calls *calls = r->calls != NULL ? r->calls : &system_calls;
    char name[NAME_MAX + 1];
    switch (r->state) {
    case ROTATE_LOOK:
        return look(r, calls);
    case ROTATE_DROP:
        if (numbered(r, r->keep, name) != 0 || calls->remove(r->dir, name) != 0)
            return -1;
        r->free = r->keep;
        r->state = r->free > 1 ? ROTATE_SHIFT : ROTATE_MOVE;
        return 0;
    case ROTATE_SHIFT:
        if (take_free(r, calls) != 0)
            return -1;
        r->free--;
        r->state = r->free > 1 ? ROTATE_SHIFT : ROTATE_MOVE;
        return 0;
    case ROTATE_MOVE:
        if (take_free(r, calls) != 0)
            return -1;
        r->state = ROTATE_OVER;
        return 0;
    case ROTATE_OVER:
        break;
    }
    abort(); /* nothing is left to be done */
}
