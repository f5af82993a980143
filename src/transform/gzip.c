/*
 * The gzip transform: records to gzip members (RFC 1952).
 *
 * Chunks are compressed as they come; their tickets wait. A member is closed, and leaves as one blob with all its tickets, when
 * flush_bytes went in or flush_interval has passed: so every blob is whole members, and what is acknowledged ends where a member
 * ends.
 */
#include <ev.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/pool.h"
#include "record/render.h"
#include "record/wire.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define OUT_STEP ((size_t)32 << 10)

struct gzip_settings {
    int64_t level;
    double flush_interval;
    uint64_t flush_bytes;
    int encoding;
};

struct gzip {
    struct stream *stream;
    struct stage_env *env;
    const struct gzip_settings *set;
    z_stream z;
    struct buf out;            /* the member so far */
    struct ticket_set tickets; /* of what is in it */
    size_t records;
    ev_timer timer;
    bool open; /* a member is begun */
};

static const char *const encodings[] = {"auto", "json", "text", NULL};

#define AT(field) offsetof(struct gzip_settings, field)
static const struct option options[] = {
    {.key = "level", .type = OPTION_INT, .offset = AT(level), .fallback = "6", .min = 1, .max = 9,
     .words = "1 is fastest, 9 smallest."},
    {.key = "flush_interval", .type = OPTION_DURATION, .offset = AT(flush_interval),
     .fallback = "\"1s\"", .min = 10, .max = 3600000,
     .words = "A member is closed at the latest so long after it was begun."},
    {.key = "flush_bytes", .type = OPTION_SIZE, .offset = AT(flush_bytes), .fallback = "\"1MiB\"",
     .min = 1024, .max = 1 << 30,
     .words = "A member is closed when so many bytes went in."},
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. A line feed follows each."},
    {0},
};

/* Compress what the z_stream's input is set to. -1: no memory. */
static int deflate_all(struct gzip *g, int flush)
{
    int rc;
    do {
        if (!buf_reserve(&g->out, OUT_STEP))
            return -1;
        g->z.next_out = (unsigned char *)g->out.data + g->out.len;
        g->z.avail_out = (uInt)(g->out.cap - g->out.len);
        rc = deflate(&g->z, flush);
        g->out.len = g->out.cap - g->z.avail_out;
    } while (g->z.avail_in > 0 || (flush == Z_FINISH && rc != Z_STREAM_END) || g->z.avail_out == 0);
    return 0;
}

/* Close the member and pass it on. -1: no memory. */
static int close_member(struct gzip *g)
{
    ev_timer_stop(loop_ev(g->env->loop), &g->timer);
    if (!g->open)
        return 0;
    g->z.avail_in = 0;
    if (deflate_all(g, Z_FINISH) != 0)
        return -1;
    struct blob *b = blob_new(g->env->pool, g->out.data, g->out.len);
    if (b == NULL)
        return -1;
    b->records = g->records;
    b->tickets = g->tickets;
    g->env->stats->records_out += g->records;
    g->env->stats->bytes_out += g->out.len;
    g->out = (struct buf){0};
    g->tickets = (struct ticket_set){0};
    g->records = 0;
    g->open = false;
    deflateReset(&g->z);
    stream_push(g->stream, &b->chunk);
    return 0;
}

static void fail(struct gzip *g)
{
    struct err e = {0};
    err_nomem(&e);
    stream_destroy(g->stream, &e);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    if (close_member(w->data) != 0)
        fail(w->data);
}

static void begin_member(struct gzip *g)
{
    struct ev_loop *ev = loop_ev(g->env->loop);
    g->open = true;
    if (g->env->dry)
        return; /* no clock decides what a dry run shows */
    ev_now_update(ev);
    ev_timer_set(&g->timer, g->set->flush_interval, 0.);
    ev_timer_start(ev, &g->timer);
}

/* ${c} goes into the member; its tickets stay. -1: no memory. */
static int compress_chunk(struct gzip *g, struct chunk *c)
{
    struct wire *w = wire_new(g->env->pool, c, (enum render_encoding)g->set->encoding, WIRE_NEWLINE);
    if (w == NULL)
        return -1;
    int rc = 0;
    if (!g->open)
        begin_member(g);
    for (size_t i = 0; i < w->count && rc == 0; i++) {
        g->z.next_in = w->pieces[i].iov_base;
        g->z.avail_in = (uInt)w->pieces[i].iov_len;
        rc = deflate_all(g, Z_NO_FLUSH);
    }
    g->records += w->records;
    g->env->stats->bytes_in += w->bytes;
    if (rc == 0)
        rc = ticket_set_move(&g->tickets, &w->tickets);
    wire_free(&w);
    return rc;
}

static void gzip_transform(struct stream *s, void *self, struct chunk *c)
{
    struct gzip *g = self;
    struct err e = {0};
    g->env->stats->records_in += chunk_records(c);
    if (compress_chunk(g, c) != 0 || (g->z.total_in >= g->set->flush_bytes && close_member(g) != 0))
        err_nomem(&e);
    stream_transform_done(s, &e);
}

static void gzip_flush(struct stream *s, void *self)
{
    struct err e = {0};
    if (close_member(self) != 0)
        err_nomem(&e);
    stream_flush_done(s, &e);
}

static void gzip_destroy(struct stream *s, void *self, const struct err *e)
{
    struct gzip *g = self;
    ev_timer_stop(loop_ev(g->env->loop), &g->timer);
    ticket_set_end(&g->tickets, false);
    stream_destroy_done(s, e);
}

static void gzip_free(void *self)
{
    struct gzip *g = self;
    deflateEnd(&g->z);
    buf_clear(&g->out);
    mem_free(g);
}

static const struct stream_ops ops = {
    .type = "gzip",
    .transform = gzip_transform,
    .flush = gzip_flush,
    .destroy = gzip_destroy,
    .free = gzip_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct gzip *g = mem_zalloc(1, sizeof *g);
    if (g == NULL)
        goto err0;
    g->env = env;
    g->set = settings;
    ev_timer_init(&g->timer, on_timer, 0., 0.);
    g->timer.data = g;
    if (deflateInit2(&g->z, (int)g->set->level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        goto err1;
    struct stream_opts o = stage_stream_opts(env);
    g->stream = stream_transform_new(&ops, g, &o, e);
    if (g->stream == NULL)
        goto err2;
    return g->stream;
err2:
    deflateEnd(&g->z);
err1:
    mem_free(g);
err0:
    err_nomem(e);
    return NULL;
}

const struct stage stage_gzip = {
    .kind = STAGE_TRANSFORM,
    .type = "gzip",
    .summary = "Compresses records with gzip.",
    .description =
        "Records become a sequence of whole gzip members. Each ends where something can be acknowledged, so that any number of "
        "members from the first on can be decompressed, a connection begins with a member, and gzip -dc reads them all as one.",
    .example = "{ \"type\": \"gzip\", \"level\": 6 }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_BYTES,
    .options = options,
    .settings_size = sizeof(struct gzip_settings),
    .open = open_stage,
};
