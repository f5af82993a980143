/* The lz4 transform: records to LZ4 frames, by liblz4. */
#include "config.h"

#include "transform/compress.h"

static const struct option options[] = {
    {.key = "level", .type = OPTION_INT, .offset = COMPRESS_AT(level), .fallback = "1", .min = 1, .max = 12,
     .words = "1 and 2 are fastest, from 3 on smaller and slower."},
    COMPRESS_OPTIONS("frame"),
    {0},
};

#ifdef HAVE_LZ4

#include <lz4frame.h>

#include "base/buf.h"

#define STEP ((size_t)64 << 10) /* bytes in at a time, which bounds the room that is needed */

struct lz4 {
    LZ4F_cctx *context;
    LZ4F_preferences_t preferences;
    bool begun;
};

static int init(void *self, int level)
{
    struct lz4 *z = self;
    z->preferences = (LZ4F_preferences_t){
        .compressionLevel = level,
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .contentChecksumFlag = LZ4F_contentChecksumEnabled},
    };
    return LZ4F_isError(LZ4F_createCompressionContext(&z->context, LZ4F_VERSION)) ? -1 : 0;
}

/* What a call of the library said: bytes appended, or an error, which can only be memory. */
static int took(struct buf *out, size_t result)
{
    if (LZ4F_isError(result))
        return -1;
    out->len += result;
    return 0;
}

static int begin(struct lz4 *z, struct buf *out)
{
    if (z->begun)
        return 0;
    z->begun = true;
    if (!buf_reserve(out, LZ4F_HEADER_SIZE_MAX))
        return -1;
    return took(out, LZ4F_compressBegin(z->context, out->data + out->len, out->cap - out->len, &z->preferences));
}

static int add(void *self, const void *data, size_t len, struct buf *out)
{
    struct lz4 *z = self;
    const char *at = data;
    if (begin(z, out) != 0)
        return -1;
    while (len > 0) {
        size_t n = len < STEP ? len : STEP;
        if (!buf_reserve(out, LZ4F_compressBound(n, &z->preferences)) ||
            took(out, LZ4F_compressUpdate(z->context, out->data + out->len, out->cap - out->len, at, n, NULL)) != 0)
            return -1;
        at += n;
        len -= n;
    }
    return 0;
}

static int finish(void *self, struct buf *out)
{
    struct lz4 *z = self;
    if (begin(z, out) != 0 || !buf_reserve(out, LZ4F_compressBound(0, &z->preferences)))
        return -1;
    z->begun = false;
    return took(out, LZ4F_compressEnd(z->context, out->data + out->len, out->cap - out->len, NULL));
}

static void clear(void *self)
{
    struct lz4 *z = self;
    LZ4F_freeCompressionContext(z->context);
}

static const struct compress_codec codec = {sizeof(struct lz4), init, add, finish, clear};
#define CODEC &codec

#else
#define CODEC NULL
#endif

static void check(const void *settings, struct config_report *report)
{
    (void)settings;
    compress_check(CODEC, "lz4 is not built in (weir was built without liblz4)", report);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    return compress_open(CODEC, env, settings, e);
}

const struct stage stage_lz4 = {
    .kind = STAGE_TRANSFORM,
    .type = "lz4",
    .summary = "Compresses records with LZ4.",
    .description =
        "Records become a sequence of whole frames, each with a checksum, which lz4 -dc reads as one. As with gzip a frame ends where something can "
        "be acknowledged. Fastest, and least small.",
    .example = "{ \"type\": \"lz4\" }",
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_BYTES,
    .options = options,
    .settings_size = sizeof(struct compress_settings),
    .check = check,
    .open = open_stage,
};
