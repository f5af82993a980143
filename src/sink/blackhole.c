/* The blackhole sink: takes everything and keeps nothing. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/render.h"
#include "record/wire.h"
#include "stage/stage.h"
#include "stream/stream.h"

static const struct option options[] = {{0}};

static void blackhole_write(struct stream *s, void *self, struct chunk *c)
{
    struct stage_env *env = self;
    struct batch *b = chunk_batch(c);
    size_t bytes = b != NULL ? b->text : chunk_blob(c)->len;
    env->stats->records_in += chunk_records(c);
    env->stats->records_out += chunk_records(c);
    env->stats->bytes_in += bytes;
    env->stats->bytes_out += bytes;
    chunk_delivered(&c);
    stream_write_done(s, NULL);
}

static const struct stream_ops ops = {.type = "blackhole", .write = blackhole_write};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    (void)settings;
    struct stream_opts o = stage_stream_opts(env);
    return stream_writable_new(&ops, env, &o, e);
}

static int preview(const void *settings, const struct stage_env *env, struct chunk *c,
                   struct buf *out, struct buf *place)
{
    (void)settings;
    (void)env;
    buf_str(place, "nowhere");
    return wire_preview(c, RENDER_AUTO, WIRE_NEWLINE, out);
}

const struct stage stage_blackhole = {
    .kind = STAGE_SINK,
    .type = "blackhole",
    .summary = "Takes everything and keeps nothing.",
    .description = "For measuring a pipeline, or to switch a branch off. Delivered means: arrived here.",
    .example = "{ \"type\": \"blackhole\" }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = 0,
    .open = open_stage,
    .preview = preview,
};
