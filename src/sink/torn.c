#include "sink/torn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "sink/torn_format.h"

#define IN_BYTES 65536

struct scan {
    const struct torn_format *format;
    void *decoder;
    off_t read;  /* bytes read from the file */
    off_t whole; /* end of the last whole member */
    bool bad;    /* what follows is no member */
    unsigned char in[IN_BYTES];
};

static ssize_t read_some(struct scan *s, int fd)
{
    ssize_t n;
    do
        n = pread(fd, s->in, IN_BYTES, s->read);
    while (n < 0 && errno == EINTR);
    return n;
}

/* What the ${len} bytes at the beginning of a file say it is; NULL: something else. A file cut inside the magic counts. */
static const struct torn_format *recognize(const unsigned char *in, size_t len)
{
    for (const struct torn_format *f = torn_formats; f->name != NULL; f++)
        if (memcmp(in, f->magic, len < f->magic_len ? len : f->magic_len) == 0)
            return f;
    return NULL;
}

/* Decompress ${len} bytes, noting where members end. */
static void consume(struct scan *s, size_t len)
{
    for (size_t at = 0; at < len && !s->bad;) {
        size_t used;
        enum torn_step step = s->format->step(s->decoder, s->in + at, len - at, &used);
        at += used;
        if (step == TORN_WHOLE)
            s->whole = s->read - (off_t)(len - at);
        s->bad = step == TORN_BAD;
    }
}

static int scan_file(struct scan *s, int fd)
{
    ssize_t n;
    while (!s->bad && (n = read_some(s, fd)) != 0) {
        if (n < 0)
            return -1;
        s->read += n;
        consume(s, (size_t)n);
    }
    return 0;
}

/* Act on what the scan found. */
static int mend(const struct scan *s, int fd, const char *scope, const char *path)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (s->bad)
        log_warn(scope, "%s holds something else than %s after byte %" PRId64 ": left as it is", path, s->format->name,
                 (int64_t)s->whole);
    if (s->bad || s->whole >= size)
        return 0;
    log_warn(scope, "%s ends inside a %s member: cutting its last %" PRId64 " bytes off", path, s->format->name,
             (int64_t)(size - s->whole));
    return ftruncate(fd, s->whole);
}

int torn_mend(int fd, const char *scope, const char *path)
{
    int rc = -1;
    struct scan *s = mem_zalloc(1, sizeof *s);
    if (s == NULL)
        goto nomem;
    ssize_t n = read_some(s, fd);
    s->format = n > 0 ? recognize(s->in, (size_t)n) : NULL;
    if (s->format == NULL) {
        rc = n < 0 ? -1 : 0;
        goto done;
    }
    s->decoder = s->format->open();
    if (s->decoder == NULL)
        goto nomem;
    rc = scan_file(s, fd);
    if (rc == 0)
        rc = mend(s, fd, scope, path);
    goto done;
nomem:
    errno = ENOMEM;
done:;
    int error = errno;
    if (s != NULL && s->decoder != NULL)
        s->format->close(s->decoder);
    mem_free(s);
    errno = error;
    return rc;
}
