/* The gzip transform: records to gzip members (RFC 1952), by ISA-L at its levels if it is built in, else by zlib. */
#include <zlib.h>

#include "base/buf.h"
#include "transform/compress.h"
#include "transform/gzip_isal.h"

#define OUT_STEP ((size_t)32 << 10)

static const struct option options[] = {
    {.key = "level", .type = OPTION_INT, .offset = COMPRESS_AT(level), .fallback = "6", .min = 1, .max = 9,
     .words = "1 is fastest, 9 smallest. 1 to 3 are ISA-L's where it is built in (see weir version), several times as fast as zlib's."},
    COMPRESS_OPTIONS("member"),
    {0},
};

static int init(void *self, int level)
{
    return deflateInit2(self, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK ? 0 : -1;
}

static int deflate_all(z_stream *z, int flush, struct buf *out)
{
    int rc;
    do {
        if (!buf_reserve(out, OUT_STEP))
            return -1;
        z->next_out = (unsigned char *)out->data + out->len;
        z->avail_out = (uInt)(out->cap - out->len);
        rc = deflate(z, flush);
        out->len = out->cap - z->avail_out;
    } while (z->avail_in > 0 || (flush == Z_FINISH && rc != Z_STREAM_END) || z->avail_out == 0);
    return 0;
}

static int add(void *self, const void *data, size_t len, struct buf *out)
{
    z_stream *z = self;
    z->next_in = (z_const Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    return deflate_all(z, Z_NO_FLUSH, out);
}

static int finish(void *self, struct buf *out)
{
    z_stream *z = self;
    z->avail_in = 0;
    int rc = deflate_all(z, Z_FINISH, out);
    deflateReset(z);
    return rc;
}

static void clear(void *self)
{
    deflateEnd(self);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct compress_codec codec = {sizeof(z_stream), init, add, finish, clear};
    const struct compress_codec *isal = gzip_isal_codec();
    bool fast = isal != NULL && ((const struct compress_settings *)settings)->level <= GZIP_ISAL_LEVEL_MAX;
    return compress_open(fast ? isal : &codec, env, settings, e);
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
    .settings_size = sizeof(struct compress_settings),
    .open = open_stage,
};
