#include "config.h"

#include "sink/torn_format.h"

#include <stdint.h>
#include <zlib.h>

#include "base/mem.h"

#define OUT_BYTES 65536

/* ---- gzip, RFC 1952 ---------------------------------------------------------------------------- */

struct gzip {
    z_stream z;
    unsigned char out[OUT_BYTES];
};

static void *gzip_open(void)
{
    struct gzip *g = mem_zalloc(1, sizeof *g);
    if (g != NULL && inflateInit2(&g->z, 15 + 16) != Z_OK) {
        mem_free(g);
        g = NULL;
    }
    return g;
}

static enum torn_step gzip_step(void *self, const unsigned char *in, size_t len, size_t *used)
{
    struct gzip *g = self;
    g->z.next_in = (z_const Bytef *)(uintptr_t)in;
    g->z.avail_in = (uInt)len;
    g->z.next_out = g->out;
    g->z.avail_out = OUT_BYTES;
    int rc = inflate(&g->z, Z_NO_FLUSH);
    *used = len - g->z.avail_in;
    if (rc == Z_STREAM_END) {
        inflateReset(&g->z);
        return TORN_WHOLE;
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? TORN_MORE : TORN_BAD;
}

static void gzip_close(void *self)
{
    struct gzip *g = self;
    inflateEnd(&g->z);
    mem_free(g);
}

/* ---- Zstandard, RFC 8878 ----------------------------------------------------------------------- */

#ifdef HAVE_ZSTD

#include <zstd.h>

struct zstd {
    ZSTD_DStream *z;
    unsigned char out[OUT_BYTES];
};

static void *zstd_open(void)
{
    struct zstd *s = mem_zalloc(1, sizeof *s);
    if (s != NULL && (s->z = ZSTD_createDStream()) == NULL) {
        mem_free(s);
        s = NULL;
    }
    return s;
}

static enum torn_step zstd_step(void *self, const unsigned char *in, size_t len, size_t *used)
{
    struct zstd *s = self;
    ZSTD_inBuffer from = {in, len, 0};
    ZSTD_outBuffer to;
    size_t rc;
    do { /* what did not fit into the output is still to come, also when all input was taken */
        to = (ZSTD_outBuffer){s->out, OUT_BYTES, 0};
        rc = ZSTD_decompressStream(s->z, &to, &from);
    } while (!ZSTD_isError(rc) && rc != 0 && to.pos == to.size);
    *used = from.pos;
    if (ZSTD_isError(rc))
        return TORN_BAD;
    return rc == 0 ? TORN_WHOLE : TORN_MORE;
}

static void zstd_close(void *self)
{
    struct zstd *s = self;
    ZSTD_freeDStream(s->z);
    mem_free(s);
}

#endif

/* ---- LZ4 frames -------------------------------------------------------------------------------- */

#ifdef HAVE_LZ4

#include <lz4frame.h>

struct lz4 {
    LZ4F_dctx *z;
    unsigned char out[OUT_BYTES];
};

static void *lz4_open(void)
{
    struct lz4 *s = mem_zalloc(1, sizeof *s);
    if (s != NULL && LZ4F_isError(LZ4F_createDecompressionContext(&s->z, LZ4F_VERSION))) {
        mem_free(s);
        s = NULL;
    }
    return s;
}

static enum torn_step lz4_step(void *self, const unsigned char *in, size_t len, size_t *used)
{
    struct lz4 *s = self;
    size_t room, took, rc;
    *used = 0;
    do { /* as above */
        room = OUT_BYTES;
        took = len - *used;
        rc = LZ4F_decompress(s->z, s->out, &room, in + *used, &took, NULL);
        *used += took;
    } while (!LZ4F_isError(rc) && rc != 0 && room == OUT_BYTES);
    if (LZ4F_isError(rc))
        return TORN_BAD;
    return rc == 0 ? TORN_WHOLE : TORN_MORE;
}

static void lz4_close(void *self)
{
    struct lz4 *s = self;
    LZ4F_freeDecompressionContext(s->z);
    mem_free(s);
}

#endif

const struct torn_format torn_formats[] = {
    {"gzip", {0x1f, 0x8b}, 2, gzip_open, gzip_step, gzip_close},
#ifdef HAVE_ZSTD
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, zstd_open, zstd_step, zstd_close},
#endif
#ifdef HAVE_LZ4
    {"lz4", {0x04, 0x22, 0x4d, 0x18}, 4, lz4_open, lz4_step, lz4_close},
#endif
    {0},
};
