#include "transform/gzip_isal.h"

#include "config.h"
#include "transform/compress.h"

#ifdef HAVE_ISAL

#include <isa-l/igzip_lib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define OUT_STEP ((size_t)32 << 10)

struct isal {
    struct isal_zstream *z; /* of mem_alloc: 64 KiB of history and more */
};

static size_t buffer_size(int level)
{
    return level == 1 ? ISAL_DEF_LVL1_DEFAULT : level == 2 ? ISAL_DEF_LVL2_DEFAULT : ISAL_DEF_LVL3_DEFAULT;
}

/* As for the first member: a reset keeps the level and its buffer. */
static void begin(struct isal_zstream *z)
{
    z->gzip_flag = IGZIP_GZIP;
    z->flush = NO_FLUSH;
    z->end_of_stream = 0;
}

static int init(void *self, int level)
{
    struct isal *i = self;
    size_t size = buffer_size(level);
    i->z = mem_alloc(sizeof *i->z);
    unsigned char *buffer = mem_alloc(size);
    if (i->z == NULL || buffer == NULL) {
        mem_free(i->z);
        mem_free(buffer);
        return -1;
    }
    isal_deflate_init(i->z);
    i->z->level = (uint32_t)level;
    i->z->level_buf = buffer;
    i->z->level_buf_size = (uint32_t)size;
    begin(i->z);
    return 0;
}

/* Hand over ${len} bytes; with ${end} until the member is closed. */
static int deflate_all(struct isal_zstream *z, const void *data, size_t len, bool end, struct buf *out)
{
    z->next_in = (uint8_t *)(uintptr_t)data;
    z->avail_in = (uint32_t)len;
    z->end_of_stream = end;
    do {
        if (!buf_reserve(out, OUT_STEP))
            return -1;
        z->next_out = (uint8_t *)out->data + out->len;
        z->avail_out = (uint32_t)(out->cap - out->len);
        isal_deflate(z); /* refuses wrong parameters only */
        out->len = out->cap - z->avail_out;
    } while (z->avail_in > 0 || z->avail_out == 0 || (end && z->internal_state.state != ZSTATE_END));
    return 0;
}

static int add(void *self, const void *data, size_t len, struct buf *out)
{
    return deflate_all(((struct isal *)self)->z, data, len, false, out);
}

static int finish(void *self, struct buf *out)
{
    struct isal_zstream *z = ((struct isal *)self)->z;
    int rc = deflate_all(z, "", 0, true, out);
    isal_deflate_reset(z);
    begin(z);
    return rc;
}

static void clear(void *self)
{
    struct isal *i = self;
    mem_free(i->z->level_buf);
    mem_free(i->z);
}

const struct compress_codec *gzip_isal_codec(void)
{
    static const struct compress_codec codec = {sizeof(struct isal), init, add, finish, clear};
    return &codec;
}

#else

const struct compress_codec *gzip_isal_codec(void)
{
    return NULL;
}

#endif
