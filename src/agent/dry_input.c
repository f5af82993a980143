#include "agent/dry_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop.h"
#include "record/batch.h"
#include "stream/stream.h"

/* A source under way. */
struct reading {
    struct dry_input *in;
    struct stage_stats stats; /* of the source itself, which reads ahead */
    struct stream *stream;
    struct listener data, error, end;
    struct list chunks;
    bool ended;
    struct err err;
};

static void on_data(void *arg, struct stream_news *n)
{
    struct reading *r = arg;
    struct chunk *c = stream_take(n);
    list_push(&r->chunks, &c->queued);
    stream_pause(r->stream);
    loop_stop(r->in->env.loop);
}

static void on_end(void *arg, struct stream_news *n)
{
    struct reading *r = arg;
    (void)n;
    r->ended = true;
    loop_stop(r->in->env.loop);
}

static void on_error(void *arg, struct stream_news *n)
{
    struct reading *r = arg;
    r->err = *n->err;
    r->ended = true;
    loop_stop(r->in->env.loop);
}

static bool is_enough(const struct dry_input *in)
{
    return *in->interrupted || (in->limit > 0 && in->stats.records_out >= (uint64_t)in->limit);
}

static int look_at_chunk(struct dry_input *in, struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->count && !is_enough(in); i++) {
        in->stats.records_out++;
        in->stats.bytes_out += b->records[i].len + (uint64_t)1;
        in->stats.truncated += (b->records[i].flags & RECORD_TRUNCATED) != 0;
        if (in->record(in->arg, b, i, e) != 0)
            return -1;
    }
    return 0;
}

static int read_on(struct reading *r, struct err *e)
{
    struct dry_input *in = r->in;
    int rc = 0;
    while (rc == 0 && !is_enough(in)) {
        struct list *node = list_shift(&r->chunks);
        if (node != NULL) {
            struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
            rc = look_at_chunk(in, chunk_batch(c), e);
            chunk_free(&c);
        } else if (r->ended) {
            break;
        } else {
            stream_resume(r->stream);
            loop_run(in->env.loop);
        }
    }
    if (rc == 0 && err_is(&r->err))
        return err_set(e, r->err.code, "%s: %s", in->env.scope, r->err.text);
    return rc;
}

int dry_input_read(struct dry_input *in, struct err *e)
{
    struct reading r = {.in = in};
    struct list *node;
    list_init(&r.chunks);
    in->stats = (struct stage_stats){0};
    in->env.stats = &r.stats;
    r.stream = in->type->open(&in->env, in->settings, e);
    if (r.stream == NULL)
        return -1;
    stream_on(r.stream, STREAM_ERROR, &r.error, on_error, &r);
    stream_on(r.stream, STREAM_END, &r.end, on_end, &r);
    stream_on(r.stream, STREAM_DATA, &r.data, on_data, &r);
    int rc = read_on(&r, e);
    stream_off(&r.data);
    stream_off(&r.end);
    stream_off(&r.error);
    while ((node = list_shift(&r.chunks)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
    stream_free(&r.stream);
    loop_tick(in->env.loop);
    in->stats.errors = r.stats.errors;
    return rc;
}

int dry_input_redirect(const char *path, struct err *e)
{
    if (strcmp(path, "-") == 0)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s", path);
    int rc = dup2(fd, STDIN_FILENO) < 0 ? err_sys(e, errno, "cannot read %s", path) : 0;
    close(fd);
    return rc;
}
