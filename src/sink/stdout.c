/* The stdout sink: writes records to standard output. */
#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/wire.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define PIECES_MAX 64

struct stdout_settings {
    int encoding;
};

struct stdout_sink {
    struct stream *stream;
    struct stage_env *env;
    const struct stdout_settings *set;
    struct wire *wire;
    bool pollable;
    ev_io io;
};

static const char *const encodings[] = {"auto", "json", "text", NULL};

static const struct option options[] = {
    {.key = "encoding", .type = OPTION_CHOICE, .offset = offsetof(struct stdout_settings, encoding),
     .fallback = "\"auto\"", .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. A line feed follows each. Bytes are written as they are."},
    {0},
};

/* May be written without blocking? The descriptor is shared with others, so it is not made non-blocking: a pipe or socket that is
 * ready takes PIPE_BUF bytes (pipe(7)). */
static bool is_ready(const struct stdout_sink *out)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return !out->pollable || (poll(&p, 1, 0) == 1 && p.revents != 0);
}

static int limit(struct iovec *pieces, int count, size_t most)
{
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len >= most) {
            pieces[i].iov_len = most;
            return i + 1;
        }
        most -= pieces[i].iov_len;
    }
    return count;
}

static void pump(struct stdout_sink *out)
{
    struct wire *w = out->wire;
    struct iovec pieces[PIECES_MAX];
    while (w->sent < w->bytes) {
        if (!is_ready(out)) {
            ev_io_start(loop_ev(out->env->loop), &out->io);
            return;
        }
        int count = wire_pieces(w, w->sent, pieces, PIECES_MAX);
        if (out->pollable)
            count = limit(pieces, count, PIPE_BUF);
        ssize_t n = writev(STDOUT_FILENO, pieces, count);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0) {
            struct err e = {0};
            err_sys(&e, errno, "cannot write to standard output");
            wire_free(&out->wire);
            stream_write_done(out->stream, &e);
            return;
        }
        w->sent += (size_t)n;
    }
    out->env->stats->records_out += w->records;
    out->env->stats->bytes_out += w->bytes;
    wire_delivered(&out->wire);
    stream_write_done(out->stream, NULL);
}

static void on_io(struct ev_loop *ev, ev_io *io, int events)
{
    (void)events;
    struct stdout_sink *out = io->data;
    ev_io_stop(ev, io);
    pump(out);
}

static void stdout_write(struct stream *s, void *self, struct chunk *c)
{
    struct stdout_sink *out = self;
    out->env->stats->records_in += chunk_records(c);
    out->wire = wire_new(out->env->pool, c, (enum render_encoding)out->set->encoding, WIRE_NEWLINE);
    if (out->wire == NULL) {
        struct err e = {0};
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    out->env->stats->bytes_in += out->wire->bytes;
    pump(out);
}

static void stdout_destroy(struct stream *s, void *self, const struct err *e)
{
    struct stdout_sink *out = self;
    ev_io_stop(loop_ev(out->env->loop), &out->io);
    wire_free(&out->wire);
    stream_destroy_done(s, e);
}

static const struct stream_ops ops = {
    .type = "stdout",
    .write = stdout_write,
    .destroy = stdout_destroy,
    .free = mem_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct stat st;
    struct stdout_sink *out = mem_zalloc(1, sizeof *out);
    if (out == NULL) {
        err_nomem(e);
        return NULL;
    }
    out->env = env;
    out->set = settings;
    out->pollable = fstat(STDOUT_FILENO, &st) == 0 && !S_ISREG(st.st_mode);
    ev_io_init(&out->io, on_io, STDOUT_FILENO, EV_WRITE);
    out->io.data = out;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = out->stream = stream_writable_new(&ops, out, &o, e);
    if (stream == NULL)
        mem_free(out);
    return stream;
}

static int preview(const void *settings, const struct stage_env *env, struct chunk *c,
                   struct buf *out, struct buf *place)
{
    (void)env;
    const struct stdout_settings *set = settings;
    buf_str(place, "standard output");
    return wire_preview(c, (enum render_encoding)set->encoding, WIRE_NEWLINE, out);
}

const struct stage stage_stdout = {
    .kind = STAGE_SINK,
    .type = "stdout",
    .summary = "Writes records to standard output.",
    .description = "Delivered means: written. A reader that is slow throttles the sources; one that goes away is an error that ends weir.",
    .example = "{ \"type\": \"stdout\" }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = sizeof(struct stdout_settings),
    .open = open_stage,
    .preview = preview,
};
