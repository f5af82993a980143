/* The zstd transform: records to Zstandard frames (RFC 8878), by libzstd. */
#include "config.h"

#include "transform/compress.h"

static const struct option options[] = {
    {.key = "level", .type = OPTION_INT, .offset = COMPRESS_AT(level), .fallback = "3", .min = 1, .max = 19,
     .words = "1 is fastest, 19 smallest."},
    COMPRESS_OPTIONS("frame"),
    {0},
};

#ifdef HAVE_ZSTD

#include <zstd.h>

#include "base/buf.h"

struct zstd {
    ZSTD_CCtx *context;
};

static int init(void *self, int level)
{
    struct zstd *z = self;
    z->context = ZSTD_createCCtx();
    if (z->context == NULL)
        return -1;
    ZSTD_CCtx_setParameter(z->context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(z->context, ZSTD_c_checksumFlag, 1);
    return 0;
}

/* Hand ${in} to the library until it has taken it all and, at the end of a frame, given everything back. */
static int compress_all(struct zstd *z, ZSTD_inBuffer *in, ZSTD_EndDirective how, struct buf *out)
{
    size_t left;
    do {
        if (!buf_reserve(out, ZSTD_CStreamOutSize()))
            return -1;
        ZSTD_outBuffer room = {out->data, out->cap, out->len};
        left = ZSTD_compressStream2(z->context, &room, in, how);
        out->len = room.pos;
        if (ZSTD_isError(left))
            return -1; /* nothing but memory can fail here */
    } while (in->pos < in->size || (how == ZSTD_e_end && left > 0));
    return 0;
}

static int add(void *self, const void *data, size_t len, struct buf *out)
{
    ZSTD_inBuffer in = {data, len, 0};
    return compress_all(self, &in, ZSTD_e_continue, out);
}

static int finish(void *self, struct buf *out)
{
    ZSTD_inBuffer in = {NULL, 0, 0};
    return compress_all(self, &in, ZSTD_e_end, out);
}

static void clear(void *self)
{
    struct zstd *z = self;
    ZSTD_freeCCtx(z->context);
}

static const struct compress_codec codec = {sizeof(struct zstd), init, add, finish, clear};
#define CODEC &codec

#else
#define CODEC NULL
#endif

static void check(const void *settings, struct config_report *report)
{
    (void)settings;
    compress_check(CODEC, "zstd is not built in (weir was built without libzstd)", report);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    return compress_open(CODEC, env, settings, e);
}

const struct stage stage_zstd = {
    .kind = STAGE_TRANSFORM,
    .type = "zstd",
    .summary = "Compresses records with Zstandard.",
    .description =
        "Records become a sequence of whole frames, each with a checksum, which zstd -dc reads as one. As with gzip a frame ends where something "
        "can be acknowledged. Faster and smaller than gzip.",
    .example = "{ \"type\": \"zstd\", \"level\": 3 }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_BYTES,
    .options = options,
    .settings_size = sizeof(struct compress_settings),
    .check = check,
    .open = open_stage,
};
