#include "sink/gzip_tail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"
#include "base/mem.h"

#define BUFFER 65536

struct scan {
    z_stream z;
    unsigned char in[BUFFER], out[BUFFER];
    off_t read;  /* bytes read from the file */
    off_t whole; /* end of the last whole member */
    bool bad;    /* what follows is no gzip */
};

/* Decompress what was read, noting where members end. */
static void consume(struct scan *s)
{
    while (s->z.avail_in > 0 && !s->bad) {
        s->z.next_out = s->out;
        s->z.avail_out = BUFFER;
        int rc = inflate(&s->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END) {
            s->whole = s->read - (off_t)s->z.avail_in;
            inflateReset(&s->z);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            s->bad = true;
        }
    }
}

static int scan_file(struct scan *s, int fd)
{
    for (;;) {
        ssize_t n = pread(fd, s->in, BUFFER, s->read);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        if (s->read == 0 && (s->in[0] != 0x1f || (n > 1 && s->in[1] != 0x8b)))
            return 0; /* other bytes: not ours to judge. A single 0x1f is all that was written of a header. */
        s->read += n;
        s->z.next_in = s->in;
        s->z.avail_in = (uInt)n;
        consume(s);
        if (s->bad)
            return 0;
    }
}

int gzip_tail_mend(int fd, const char *scope, const char *path)
{
    int rc = -1;
    struct scan *s = mem_zalloc(1, sizeof *s);
    if (s == NULL || inflateInit2(&s->z, 15 + 16) != Z_OK) {
        errno = ENOMEM;
        goto err0;
    }
    rc = scan_file(s, fd);
    off_t size = lseek(fd, 0, SEEK_END);
    if (rc == 0 && s->bad) {
        log_warn(scope, "%s holds something else than gzip after byte %" PRId64 ": left as it is", path,
                 (int64_t)s->whole);
    } else if (rc == 0 && s->read > 0 && s->whole < size) {
        log_warn(scope, "%s ends inside a gzip member: cutting its last %" PRId64 " bytes off", path,
                 (int64_t)(size - s->whole));
        rc = ftruncate(fd, s->whole);
    }
    int error = errno;
    inflateEnd(&s->z);
    errno = error;
err0:
    mem_free(s);
    return rc;
}
