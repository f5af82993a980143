#include "transform/compress.h"

#include <ev.h>
#include <stdalign.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/batch.h"
#include "record/pool.h"
#include "record/render.h"
#include "record/wire.h"
#include "stream/stream.h"

struct compress {
    const struct compress_codec *codec;
    struct stream *stream;
    struct stage_env *env;
    const struct compress_settings *set;
    struct buf out;            /* the member so far */
    struct ticket_set tickets; /* of what is in it */
    size_t records;
    uint64_t bytes; /* that went into it */
    ev_timer timer;
    bool open; /* a member is begun */
    alignas(max_align_t) char self[];
};

const char *const compress_encodings[] = {"auto", "json", "text", NULL};

/* Close the member and pass it on. -1: no memory. */
static int close_member(struct compress *t)
{
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    if (!t->open)
        return 0;
    if (t->codec->finish(t->self, &t->out) != 0)
        return -1;
    struct blob *b = blob_new(t->env->pool, t->out.data, t->out.len);
    if (b == NULL)
        return -1;
    b->records = t->records;
    b->tickets = t->tickets;
    t->env->stats->records_out += t->records;
    t->env->stats->bytes_out += t->out.len;
    t->out = (struct buf){0};
    t->tickets = (struct ticket_set){0};
    t->records = 0;
    t->bytes = 0;
    t->open = false;
    stream_push(t->stream, &b->chunk);
    return 0;
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct compress *t = w->data;
    struct err e = {0};
    if (close_member(t) == 0)
        return;
    err_nomem(&e);
    stream_destroy(t->stream, &e);
}

static void begin_member(struct compress *t)
{
    struct ev_loop *ev = loop_ev(t->env->loop);
    t->open = true;
    if (t->env->dry)
        return; /* no clock decides what a dry run shows */
    ev_now_update(ev);
    ev_timer_set(&t->timer, t->set->flush_interval, 0.);
    ev_timer_start(ev, &t->timer);
}

/* ${c} goes into the member; its tickets stay. -1: no memory. */
static int compress_chunk(struct compress *t, struct chunk *c)
{
    struct wire *w = wire_new(t->env->pool, c, (enum render_encoding)t->set->encoding, WIRE_NEWLINE);
    if (w == NULL)
        return -1;
    int rc = 0;
    if (!t->open)
        begin_member(t);
    for (size_t i = 0; i < w->count && rc == 0; i++)
        rc = t->codec->add(t->self, w->pieces[i].iov_base, w->pieces[i].iov_len, &t->out);
    t->records += w->records;
    t->bytes += w->bytes;
    t->env->stats->bytes_in += w->bytes;
    if (rc == 0)
        rc = ticket_set_move(&t->tickets, &w->tickets);
    wire_free(&w);
    return rc;
}

static void compress_transform(struct stream *s, void *self, struct chunk *c)
{
    struct compress *t = self;
    struct err e = {0};
    t->env->stats->records_in += chunk_records(c);
    if (compress_chunk(t, c) != 0 || (t->bytes >= t->set->flush_bytes && close_member(t) != 0))
        err_nomem(&e);
    stream_transform_done(s, &e);
}

static void compress_flush(struct stream *s, void *self)
{
    struct err e = {0};
    if (close_member(self) != 0)
        err_nomem(&e);
    stream_flush_done(s, &e);
}

static void compress_destroy(struct stream *s, void *self, const struct err *e)
{
    struct compress *t = self;
    ev_timer_stop(loop_ev(t->env->loop), &t->timer);
    ticket_set_end(&t->tickets, false);
    stream_destroy_done(s, e);
}

static void compress_free(void *self)
{
    struct compress *t = self;
    t->codec->clear(t->self);
    buf_clear(&t->out);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "compress",
    .transform = compress_transform,
    .flush = compress_flush,
    .destroy = compress_destroy,
    .free = compress_free,
};

void compress_check(const struct compress_codec *codec, const char *words, struct config_report *report)
{
    if (codec == NULL)
        report_key(report, "", "%s", words);
}

struct stream *compress_open(const struct compress_codec *codec, struct stage_env *env,
                             const void *settings, struct err *e)
{
    if (codec == NULL) {
        err_set(e, ERR_INVALID, "this format is not built in");
        return NULL;
    }
    struct compress *t = mem_zalloc(1, sizeof *t + codec->self_size);
    if (t == NULL)
        goto err0;
    t->codec = codec;
    t->env = env;
    t->set = settings;
    ev_timer_init(&t->timer, on_timer, 0., 0.);
    t->timer.data = t;
    if (codec->init(t->self, (int)t->set->level) != 0)
        goto err1;
    struct stream_opts o = stage_stream_opts(env);
    t->stream = stream_transform_new(&ops, t, &o, e);
    if (t->stream == NULL)
        goto err2;
    return t->stream;
err2:
    codec->clear(t->self);
err1:
    mem_free(t);
err0:
    err_nomem(e);
    return NULL;
}
