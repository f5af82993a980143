/* The decoders of compressed files: the text does not depend on how much of it is asked for at a time, or on how the file grows. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "source/unpack.h"

#define TEXT_MAX ((size_t)4 << 20)

/* All text of ${fd}, asked for in pieces of ${piece}, as the file grows by ${step}; how it ends. */
static enum unpack_state decode(int fd, size_t size, enum unpack_kind kind, size_t piece, size_t step, struct buf *out)
{
    struct err e = {0};
    struct unpack *u = unpack_new(kind, &e);
    assert(u != NULL);
    size_t limit = step < size ? step : size, got = 0;
    enum unpack_state state = UNPACK_MORE;
    while (out->len < TEXT_MAX) {
        assert(buf_reserve(out, piece));
        state = unpack_read(u, fd, limit, out->data + out->len, piece, &got, &e);
        assert(got <= piece && unpack_raw(u) <= limit);
        assert(got == 0 || state == UNPACK_MORE);
        out->len += got;
        if (state == UNPACK_BAD)
            break;
        assert(state != UNPACK_ERROR);
        if (state == UNPACK_MORE)
            continue;
        if (limit == size)
            break;
        limit = size - limit < step ? size : limit + step;
    }
    if (state == UNPACK_BAD) { /* for good */
        struct err again = {0};
        char c;
        assert(unpack_read(u, fd, limit, &c, 1, &got, &again) == UNPACK_BAD && got == 0 && strcmp(e.text, again.text) == 0);
    }
    unpack_free(&u);
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6)
        return 0;
    size_t piece = 1 + data[0], step = 1 + data[1];
    data += 2;
    size -= 2;
    enum unpack_kind kind = unpack_recognise(data, size);
    if (kind == UNPACK_PLAIN || kind == UNPACK_UNSURE)
        return 0;
    for (size_t n = 0; n < UNPACK_MAGIC; n++) /* what is not yet there changes no mind */
        assert(unpack_recognise(data, n) == UNPACK_UNSURE || unpack_recognise(data, n) == kind);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    struct buf small = {0}, large = {0};
    enum unpack_state a = decode(fd, size, kind, piece, step, &small), b = decode(fd, size, kind, 1 << 16, size, &large);
    size_t len = small.len < large.len ? small.len : large.len;
    assert(len == 0 || memcmp(small.data, large.data, len) == 0);
    assert(len >= TEXT_MAX || (a == b && small.len == large.len));
    buf_clear(&small);
    buf_clear(&large);
    close(fd);
    assert(mem_live() == 0);
    return 0;
}
