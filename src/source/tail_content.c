/* What stands in a followed file, and whether it is what was read: see tail.h. */
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "source/tail.h"

ssize_t tail_content_fetch(const struct tail_file *f, char *to, size_t len, uint64_t offset)
{
    return file_pread(f->fd, to, len, offset);
}

/* Learn the head as it grows to its full length. */
void tail_content_learn_head(struct tail_reader *r, struct tail_file *f)
{
    if (f->head.len >= HEAD_BYTES || f->size <= f->head.len)
        return;
    ssize_t n = tail_content_fetch(f, r->window, HEAD_BYTES, 0);
    if (n > 0)
        f->head = (struct mark){(uint32_t)n,
                                (uint32_t)crc32(0, (const unsigned char *)r->window, (uInt)n)};
}

bool tail_content_head_differs(struct tail_reader *r, struct tail_file *f)
{
    if (f->head.len == 0)
        return false;
    ssize_t n = tail_content_fetch(f, r->window, f->head.len, 0);
    return n < (ssize_t)f->head.len ||
           crc32(0, (const unsigned char *)r->window, f->head.len) != f->head.crc;
}

bool tail_content_is(const char *path, const struct file_state *state)
{
    char head[HEAD_BYTES];
    struct tail_file f = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (f.fd < 0)
        return false;
    ssize_t n = tail_content_fetch(&f, head, state->head.len, 0);
    close(f.fd);
    return n > 0 && n == (ssize_t)state->head.len &&
           crc32(0, (const unsigned char *)head, (uInt)n) == state->head.crc;
}

/* The mark of what stands before ${offset}. */
struct mark tail_content_mark_before(struct tail_reader *r, struct tail_file *f, uint64_t offset)
{
    size_t len = offset < MARK_BYTES ? (size_t)offset : MARK_BYTES;
    ssize_t n = tail_content_fetch(f, r->window, len, offset - len);
    return n == (ssize_t)len ? mark_of(r->window, len) : (struct mark){0, 0};
}

/* Is what stands before the offset not what was read? */
bool tail_content_mark_differs(struct tail_reader *r, struct tail_file *f)
{
    size_t len = f->mark.len;
    return len > 0 && (tail_content_fetch(f, r->window, len, f->offset - len) != (ssize_t)len ||
                       !mark_equal(mark_of(r->window, len), f->mark));
}
