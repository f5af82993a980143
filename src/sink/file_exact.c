#include "sink/file_exact.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "delivery/cut.h"
#include "record/wire.h"
#include "sink/file_out.h"

int file_exact_begin(struct file_out *o)
{
    struct stat st;
    if (fstat(o->fd, &st) != 0)
        return -1;
    o->size = (uint64_t)st.st_size;
    o->output = cut_output_open(o->rules->cut, o->rules->stage, o->path, o->fd, &st);
    if (o->output == NULL)
        errno = ENOMEM;
    return o->output != NULL ? 0 : -1;
}

bool file_exact_is_whole(const struct file_out *o, const struct stat *st)
{
    return o->rules->cut != NULL && cut_knows(o->rules->cut, st);
}

bool file_exact_may(const struct file_out *o)
{
    return o->output == NULL || cut_output_is_known(o->output);
}

void file_exact_wait(struct file_out *o, struct checkpoint_waiter *w)
{
    cut_output_wait(o->output, w);
}

void file_exact_look(struct file_out *o)
{
    struct stat st;
    if (o->output == NULL || fstat(o->fd, &st) != 0 || (uint64_t)st.st_size == o->size)
        return;
    if (!o->foreign)
        log_error(o->rules->scope, "%s is %" PRIu64 " bytes long where %" PRIu64 " were written: somebody else writes to it, or has truncated it",
                  o->path, (uint64_t)st.st_size, o->size);
    o->foreign = true;
    o->size = (uint64_t)st.st_size;
    cut_output_is(o->output, o->size, NULL);
}

void file_exact_wrote(struct file_out *o, struct wire *w)
{
    if (o->output != NULL)
        cut_output_is(o->output, o->size, &w->tickets);
}

void file_exact_leave(struct file_out *o, struct wire *w)
{
    size_t whole = wire_boundary(w, w->sent), torn = w->sent - whole;
    if (torn > 0 && ftruncate(o->fd, (off_t)(o->size - torn)) != 0)
        log_error(o->rules->scope, "cannot cut the unfinished record off the end of %s, which is left", o->path);
    o->size -= torn;
    if (o->output != NULL && whole > 0)
        cut_output_is(o->output, o->size, &w->tickets);
    w->sent = whole;
}

void file_exact_close(struct file_out *o)
{
    cut_output_close(&o->output);
    o->fd = -1;
}
