/*
 * Whole members, then any bytes, as a gzip file that a crash left behind: mending never cuts into whole members, never touches what is not
 * gzip, and does nothing the second time. What is appended to a mended file can be read.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"
#include "sink/torn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX ((size_t)1 << 20)

static unsigned char file[FILE_MAX], after[FILE_MAX];

static size_t member(unsigned char *to, size_t room, const uint8_t *data, size_t len)
{
    z_stream z = {0};
    assert(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = to;
    z.avail_out = (uInt)room;
    assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* Bytes of ${data} that are whole members; *${bad}: what follows is not the beginning of one. */
static size_t whole_members(const unsigned char *data, size_t len, int *bad)
{
    static unsigned char out[65536];
    size_t whole = 0;
    *bad = 0;
    while (whole < len) {
        z_stream z = {0};
        int rc;
        assert(inflateInit2(&z, 15 + 16) == Z_OK);
        z.next_in = (unsigned char *)(uintptr_t)data + whole;
        z.avail_in = (uInt)(len - whole);
        do {
            z.next_out = out;
            z.avail_out = sizeof out;
            rc = inflate(&z, Z_NO_FLUSH);
        } while (rc == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
        size_t took = z.total_in;
        inflateEnd(&z);
        if (rc != Z_STREAM_END) {
            *bad = rc != Z_OK && rc != Z_BUF_ERROR;
            break;
        }
        whole += took;
    }
    return whole;
}

static size_t mend(int fd)
{
    assert(torn_mend(fd, NULL, "fuzz") == 0);
    return (size_t)lseek(fd, 0, SEEK_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup((enum log_level)-1, LOG_TEXT, 0);
    if (size < 2 || size > FILE_MAX / 8)
        return 0;
    /* The first two bytes say how: members in front, and where the last of them is torn. */
    size_t len = 0, members = data[0] & 3, cut = data[1];
    data++, size--;
    data++, size--;
    for (size_t i = 0; i < members; i++)
        len += member(file + len, FILE_MAX - len, data, size / (i + 1));
    if (members > 0 && cut > 0)
        len -= cut < len ? cut : len; /* torn */
    else
        memcpy(file + len, data, size), len += size;
    int bad, fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, file, len) == (ssize_t)len);
    size_t whole = whole_members(file, len, &bad), now = mend(fd);
    int gzip = len >= 1 && file[0] == 0x1f && (len < 2 || file[1] == 0x8b);
    assert(now <= len && pread(fd, after, now, 0) == (ssize_t)now && memcmp(file, after, now) == 0);
    assert(now >= whole);                  /* no whole member is touched */
    /* What may be a frame of another format, or the first bytes of one, is judged by its own rules. */
    int other = len >= 1 && (file[0] == 0x28 || file[0] == 0x04);
    assert(other || now == (gzip && !bad ? whole : len));
    assert(mend(fd) == now);
    if (gzip && !bad) { /* what comes next can be read */
        size_t more = member(file + now, FILE_MAX - now, data, size);
        assert(whole_members(file, now + more, &bad) == now + more);
    }
    close(fd);
    return 0;
}
