#include "source/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "config.h"
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define INPUT     ((size_t)64 << 10)
#define ZSTD_BLOCK_HEAD 3
#define DRY_INPUT ((size_t)1 << 20) /* input that gives no text, until the caller has its say */

struct unpack {
    enum unpack_kind kind;
    z_stream z;
#ifdef HAVE_ZSTD
    ZSTD_DCtx *zstd;
    size_t hint; /* what it asked for last */
    bool full;   /* it may have more text than there was room for */
#endif
    struct err broken; /* it cannot go on */
    bool inside;       /* a member is begun and not ended */
    bool dry;          /* and all text was taken that its input gives */
    uint64_t fetched;  /* bytes of the file that were read */
    size_t at, filled; /* what of the input is not decoded yet */
    unsigned char input[INPUT];
};

enum unpack_kind unpack_recognise(const void *head, size_t len)
{
    const unsigned char *p = head;
    static const unsigned char gzip[] = {0x1f, 0x8b, 8}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skippable[] = {0x2a, 0x4d, 0x18}; /* behind a byte 0x50 to 0x5f */
    if (len == 0)
        return UNPACK_UNSURE;
    size_t n = len < sizeof gzip ? len : sizeof gzip;
    if (memcmp(p, gzip, n) == 0)
        return n == sizeof gzip ? UNPACK_GZIP : UNPACK_UNSURE;
    n = len < sizeof zstd ? len : sizeof zstd;
    if (memcmp(p, zstd, n) == 0)
        return n == sizeof zstd ? UNPACK_ZSTD : UNPACK_UNSURE;
    if (p[0] >> 4 == 5 && memcmp(p + 1, skippable, n - 1) == 0)
        return n == sizeof zstd ? UNPACK_ZSTD : UNPACK_UNSURE;
    return UNPACK_PLAIN;
}

const char *unpack_name(enum unpack_kind kind)
{
    return kind == UNPACK_GZIP ? "gzip" : "zstd";
}

static int init(struct unpack *u, struct err *e)
{
    if (u->kind == UNPACK_GZIP)
        return inflateInit2(&u->z, 15 + 16) == Z_OK ? 0 : err_nomem(e);
#ifdef HAVE_ZSTD
    u->zstd = ZSTD_createDCtx();
    if (u->zstd == NULL)
        return err_nomem(e);
    ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG);
    return 0;
#else
    return err_set(e, ERR_INVALID, "is zstd data, which is not built in (weir was built without libzstd)");
#endif
}

struct unpack *unpack_new(enum unpack_kind kind, struct err *e)
{
    struct unpack *u = mem_zalloc(1, sizeof *u);
    if (u == NULL) {
        err_nomem(e);
        return NULL;
    }
    u->kind = kind;
    if (init(u, e) != 0) {
        mem_free(u);
        return NULL;
    }
    return u;
}

void unpack_free(struct unpack **u)
{
    struct unpack *dead = *u;
    *u = NULL;
    if (dead == NULL)
        return;
    inflateEnd(&dead->z); /* does nothing to one that was not begun */
#ifdef HAVE_ZSTD
    ZSTD_freeDCtx(dead->zstd);
#endif
    mem_free(dead);
}

size_t unpack_memory(enum unpack_kind kind)
{
    size_t window = kind == UNPACK_GZIP ? (size_t)44 << 10 : ((size_t)1 << UNPACK_WINDOW_LOG) + ((size_t)256 << 10);
    return sizeof(struct unpack) + window;
}

uint64_t unpack_raw(const struct unpack *u)
{
    return u->fetched - (u->filled - u->at);
}

static int bad(const struct unpack *u, struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "holds %s data that cannot be decoded, at byte %" PRIu64 ": %s",
                   unpack_name(u->kind), unpack_raw(u), why);
}

/* Some input, some output. -1: it cannot be decoded. */
static int step_gzip(struct unpack *u, char *to, size_t len, size_t *got, struct err *e)
{
    if (!u->inside && u->input[u->at] == 0) { /* padding */
        u->at++;
        return 0;
    }
    u->inside = true;
    u->z.next_in = u->input + u->at;
    u->z.avail_in = (uInt)(u->filled - u->at);
    u->z.next_out = (Bytef *)to;
    u->z.avail_out = len < INT32_MAX ? (uInt)len : INT32_MAX;
    uInt room = u->z.avail_out;
    int rc = inflate(&u->z, Z_NO_FLUSH);
    u->at = u->filled - u->z.avail_in;
    *got += room - u->z.avail_out;
    if (rc == Z_STREAM_END) {
        u->inside = false;
        return inflateReset(&u->z) == Z_OK ? 0 : err_nomem(e);
    }
    if (rc == Z_MEM_ERROR)
        return err_nomem(e);
    if (rc != Z_OK && rc != Z_BUF_ERROR)
        return bad(u, e, u->z.msg != NULL ? u->z.msg : "wrong data");
    return 0;
}

#ifdef HAVE_ZSTD
/*
 * How much input to give it. When something is wrong it does not tell what text it gave in the same call, and a frame that it sees whole, with room for all
 * text, gives none. What comes of a damaged file must not depend on the sizes of buffers: so a frame's magic number comes alone, then each block, and the
 * head of each, alone. What it asks for is a block with the head of the next.
 */
static size_t zstd_input(const struct unpack *u)
{
    size_t have = u->filled - u->at, want = u->hint > ZSTD_BLOCK_HEAD ? u->hint - ZSTD_BLOCK_HEAD : u->hint;
    if (u->full)
        return 0;
    if (!u->inside)
        want = UNPACK_MAGIC;
    return have < want ? have : want;
}

static int step_zstd(struct unpack *u, char *to, size_t len, size_t *got, struct err *e)
{
    ZSTD_inBuffer in = {u->input, u->at + zstd_input(u), u->at};
    ZSTD_outBuffer out = {to, len, 0};
    size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
    u->at = in.pos;
    *got += out.pos;
    if (ZSTD_isError(rc))
        return bad(u, e, ZSTD_getErrorName(rc));
    u->inside = rc != 0;
    u->hint = rc;
    u->full = u->inside && out.pos == len;
    return 0;
}

static bool is_full(const struct unpack *u)
{
    return u->full;
}
#else
static int step_zstd(struct unpack *u, char *to, size_t len, size_t *got, struct err *e)
{
    (void)to;
    (void)len;
    (void)got;
    return bad(u, e, "not built in");
}

static bool is_full(const struct unpack *u)
{
    (void)u;
    return false;
}
#endif

/* More input, if the one before is used up. UNPACK_MORE: there is some. */
static enum unpack_state fill(struct unpack *u, int fd, uint64_t limit, struct err *e)
{
    enum unpack_state at_end = u->inside ? UNPACK_SHORT : UNPACK_END;
    if (u->fetched >= limit)
        return at_end;
    size_t most = limit - u->fetched < INPUT ? (size_t)(limit - u->fetched) : INPUT;
    ssize_t n;
    do
        n = pread(fd, u->input, most, (off_t)u->fetched);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_sys(e, errno, "cannot be read");
        return UNPACK_ERROR;
    }
    u->at = 0;
    u->filled = (size_t)n;
    u->fetched += (size_t)n;
    u->dry &= n == 0;
    return n > 0 ? UNPACK_MORE : at_end;
}

/* One step of either decoder. UNPACK_MORE: it got somewhere. */
static enum unpack_state step(struct unpack *u, int fd, uint64_t limit, char *to, size_t len, size_t *got, struct err *e)
{
    size_t before = *got, at = u->at;
    bool full = is_full(u);
    /* a decoder may have text left when it has no more input; but that of zstd fails when it is asked too often in vain */
    if (u->at < u->filled || (u->inside && !u->dry)) {
        int rc = u->kind == UNPACK_GZIP ? step_gzip(u, to, len, got, e) : step_zstd(u, to, len, got, e);
        if (rc != 0)
            return e->code == ERR_NOMEM ? UNPACK_ERROR : UNPACK_BAD;
        if (*got > before || u->at > at || full)
            return UNPACK_MORE;
        if (u->at < u->filled) {
            bad(u, e, "it leads nowhere");
            return UNPACK_BAD;
        }
        u->dry = true;
    }
    return fill(u, fd, limit, e);
}

enum unpack_state unpack_read(struct unpack *u, int fd, uint64_t limit, char *to, size_t len, size_t *got, struct err *e)
{
    uint64_t begun = unpack_raw(u);
    *got = 0;
    if (err_is(&u->broken)) {
        *e = u->broken;
        return UNPACK_BAD;
    }
    while (*got < len && (*got > 0 || unpack_raw(u) - begun < DRY_INPUT)) {
        struct err why = {0};
        enum unpack_state state = step(u, fd, limit, to + *got, len - *got, got, &why);
        if (state == UNPACK_BAD)
            u->broken = why;
        if (state == UNPACK_MORE)
            continue;
        if (*got > 0)
            return UNPACK_MORE; /* it comes to this again */
        *e = why;
        return state;
    }
    return UNPACK_MORE;
}
