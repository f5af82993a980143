/*
 * tee: one Writable, several Readables, each chunk to all of them.
 *
 * A write stays in flight until the queue of every branch is below its mark, so the slowest branch
 * sets the pace and each branch queues at most its mark plus one chunk.
 */
#include "base/mem.h"
#include "stream/internal.h"

struct tee;

struct branch {
    struct tee *tee;
    struct stream *stream; /* NULL: closed */
    struct finished finished;
};

struct tee {
    struct stream *input; /* NULL: destroyed */
    size_t count;
    size_t users; /* streams not freed */
    bool waiting; /* a write waits for the branches */
    bool ended;
    struct branch branch[];
};

static bool has_full_branch(const struct tee *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct stream *s = t->branch[i].stream;
        if (s != NULL && s->r.length > 0 && s->r.length >= s->r.mark)
            return true;
    }
    return false;
}

static void go_on(struct tee *t)
{
    if (!t->waiting || t->input == NULL || has_full_branch(t))
        return;
    t->waiting = false;
    stream_write_done(t->input, NULL);
}

/* All forks first: either every branch gets the chunk or none. */
static void tee_write(struct stream *s, void *self, struct chunk *c)
{
    struct tee *t = self;
    struct list forks;
    list_init(&forks);
    for (size_t i = 1; i < t->count; i++) {
        struct chunk *fork = chunk_fork(c);
        if (fork == NULL)
            goto err1;
        list_push(&forks, &fork->queued);
    }
    list_push(&forks, &c->queued);
    for (size_t i = 0; i < t->count; i++) {
        struct chunk *fork = LIST_ENTRY(list_shift(&forks), struct chunk, queued);
        if (t->branch[i].stream != NULL)
            stream_push(t->branch[i].stream, fork);
        else
            chunk_free(&fork);
    }
    t->waiting = true;
    go_on(t);
    return;
err1:
    list_push(&forks, &c->queued);
    LIST_EACH(node, &forks)
    {
        struct chunk *fork = LIST_ENTRY(node, struct chunk, queued);
        list_remove(node);
        chunk_free(&fork);
    }
    struct err e = {0};
    err_nomem(&e);
    stream_write_done(s, &e);
}

static void tee_final(struct stream *s, void *self)
{
    struct tee *t = self;
    t->ended = true;
    for (size_t i = 0; i < t->count; i++)
        if (t->branch[i].stream != NULL)
            stream_end_push(t->branch[i].stream);
    stream_final_done(s, NULL);
}

static void tee_destroy(struct stream *s, void *self, const struct err *e)
{
    struct tee *t = self;
    t->input = NULL;
    struct err early = {0};
    const struct err *why = e != NULL ? e : stream_err(s, &early, ERR_STREAM_PREMATURE_CLOSE);
    for (size_t i = 0; i < t->count && !t->ended; i++)
        if (t->branch[i].stream != NULL)
            stream_destroy(t->branch[i].stream, why);
    stream_destroy_done(s, e);
}

static void leave(struct tee *t)
{
    if (--t->users == 0)
        mem_free(t);
}

static void tee_free(void *self)
{
    leave(self);
}

static void branch_read(struct stream *s, void *self)
{
    (void)s;
    struct branch *b = self;
    go_on(b->tee);
}

static void branch_free(void *self)
{
    struct branch *b = self;
    leave(b->tee);
}

static void on_branch_finished(void *arg, struct stream *s, const struct err *e)
{
    (void)s;
    struct branch *b = arg;
    b->stream = NULL;
    if (e != NULL && b->tee->input != NULL)
        stream_destroy(b->tee->input, e);
    else
        go_on(b->tee);
}

static const struct stream_ops input_ops = {
    .type = "tee",
    .write = tee_write,
    .final = tee_final,
    .destroy = tee_destroy,
    .free = tee_free,
};

static const struct stream_ops branch_ops = {
    .type = "branch",
    .read = branch_read,
    .free = branch_free,
};

int stream_tee(const struct stream_opts *o, size_t count, struct stream **input,
               struct stream **branches, struct err *e)
{
    if (count == 0)
        return err_set(e, ERR_INVALID, "a tee needs at least one branch");
    struct tee *t = mem_zalloc(1, sizeof *t + count * sizeof t->branch[0]);
    if (t == NULL)
        return err_nomem(e);
    struct stream_opts down = *o;
    down.rank++;
    t->count = count;
    size_t made = 0;
    for (; made < count; made++) {
        struct branch *b = &t->branch[made];
        b->tee = t;
        b->stream = stream_readable_new(&branch_ops, b, &down, e);
        if (b->stream == NULL)
            goto err0;
    }
    t->users = count + 1;
    t->input = *input = stream_writable_new(&input_ops, t, o, e);
    if (t->input == NULL)
        goto err0;
    for (size_t i = 0; i < count; i++) {
        struct branch *b = &t->branch[i];
        branches[i] = b->stream;
        stream_finished(b->stream, &b->finished, on_branch_finished, b);
    }
    return 0;
err0:
    t->users = made + 1;
    for (size_t i = 0; i < made; i++)
        stream_discard(t->branch[i].stream);
    leave(t);
    return -1;
}
