#include "stream/fd.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "stream/bytes.h"

#define FD_IOV 64

struct fd {
    struct stream *stream;
    struct loop *loop;
    int fd;
    bool duplex;
    ev_io in, out;
    struct list pending; /* chunks being written */
    size_t sent;         /* bytes of the first of them that are out */
    char buffer[FD_READ];
};

static bool not_now(int errnum)
{
    return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

/* ---- reading ---- */

static void on_in(struct ev_loop *ev, ev_io *w, int events)
{
    (void)events;
    struct fd *f = w->data;
    struct err e = {0};
    ssize_t n = read(f->fd, f->buffer, sizeof f->buffer);
    if (n < 0 && not_now(errno))
        return;
    ev_io_stop(ev, w); /* until the read hook asks again */
    if (n < 0) {
        err_sys(&e, errno, "%s: cannot read", stream_name(f->stream));
        stream_destroy(f->stream, &e);
        return;
    }
    if (n == 0) {
        stream_end_push(f->stream);
        return;
    }
    struct bytes *b = bytes_new(f->buffer, (size_t)n);
    if (b == NULL) {
        err_nomem(&e);
        stream_destroy(f->stream, &e);
        return;
    }
    stream_push(f->stream, &b->chunk);
}

static void fd_read(struct stream *s, void *self)
{
    (void)s;
    struct fd *f = self;
    ev_io_start(loop_ev(f->loop), &f->in);
}

/* ---- writing ---- */

static int gather(const struct fd *f, struct iovec *iov)
{
    int n = 0;
    size_t skip = f->sent;
    LIST_EACH(node, &f->pending)
    {
        const struct bytes *b = bytes_of(LIST_ENTRY(node, struct chunk, queued));
        iov[n++] = (struct iovec){b->data + skip, b->len - skip};
        skip = 0;
        if (n == FD_IOV)
            break;
    }
    return n;
}

static void advance(struct fd *f, size_t written)
{
    f->sent += written;
    while (!list_empty(&f->pending)) {
        struct chunk *c = LIST_ENTRY(f->pending.next, struct chunk, queued);
        size_t len = bytes_of(c)->len;
        if (f->sent < len)
            return;
        f->sent -= len;
        list_remove(&c->queued);
        chunk_free(&c);
    }
}

static void send_pending(struct fd *f)
{
    struct iovec iov[FD_IOV];
    while (!list_empty(&f->pending)) {
        ssize_t n = writev(f->fd, iov, gather(f, iov));
        if (n < 0 && not_now(errno)) {
            ev_io_start(loop_ev(f->loop), &f->out);
            return;
        }
        if (n < 0) {
            struct err e = {0};
            err_sys(&e, errno, "%s: cannot write", stream_name(f->stream));
            ev_io_stop(loop_ev(f->loop), &f->out);
            stream_write_done(f->stream, &e);
            return;
        }
        advance(f, (size_t)n);
    }
    ev_io_stop(loop_ev(f->loop), &f->out);
    stream_write_done(f->stream, NULL);
}

static void on_out(struct ev_loop *ev, ev_io *w, int events)
{
    (void)ev;
    (void)events;
    send_pending(w->data);
}

static void fd_write(struct stream *s, void *self, struct chunk *c)
{
    (void)s;
    struct fd *f = self;
    list_push(&f->pending, &c->queued);
    send_pending(f);
}

static void fd_writev(struct stream *s, void *self, struct list *chunks)
{
    (void)s;
    struct fd *f = self;
    list_splice(&f->pending, chunks);
    send_pending(f);
}

static void fd_final(struct stream *s, void *self)
{
    const struct fd *f = self;
    struct err e = {0};
    if (f->duplex && shutdown(f->fd, SHUT_WR) != 0 && errno != ENOTCONN)
        err_sys(&e, errno, "%s: cannot shut down", stream_name(s));
    stream_final_done(s, &e);
}

/* ---- life ---- */

static void fd_destroy(struct stream *s, void *self, const struct err *e)
{
    struct fd *f = self;
    ev_io_stop(loop_ev(f->loop), &f->in);
    ev_io_stop(loop_ev(f->loop), &f->out);
    LIST_EACH(node, &f->pending)
    {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        list_remove(node);
        chunk_free(&c);
    }
    struct err own = {0};
    if (close(f->fd) != 0 && e == NULL && errno != EINTR)
        err_sys(&own, errno, "%s: cannot close", stream_name(s));
    stream_destroy_done(s, e != NULL ? e : &own);
}

static void fd_free(void *self)
{
    mem_free(self);
}

static const struct stream_ops readable_ops = {
    .type = "fd",
    .read = fd_read,
    .destroy = fd_destroy,
    .free = fd_free,
};

static const struct stream_ops writable_ops = {
    .type = "fd",
    .write = fd_write,
    .writev = fd_writev,
    .destroy = fd_destroy,
    .free = fd_free,
};

static const struct stream_ops duplex_ops = {
    .type = "fd",
    .read = fd_read,
    .write = fd_write,
    .writev = fd_writev,
    .final = fd_final,
    .destroy = fd_destroy,
    .free = fd_free,
};

typedef struct stream *stream_new_fn(const struct stream_ops *ops, void *self,
                                     const struct stream_opts *o, struct err *e);

static struct stream *create(stream_new_fn *make, const struct stream_ops *ops, int fd,
                             const struct stream_opts *o, struct err *e)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        err_sys(e, errno, "cannot make descriptor %d non-blocking", fd);
        return NULL;
    }
    struct fd *f = mem_zalloc(1, sizeof *f);
    if (f == NULL) {
        err_nomem(e);
        return NULL;
    }
    f->loop = o->loop;
    f->fd = fd;
    f->duplex = ops == &duplex_ops;
    list_init(&f->pending);
    ev_io_init(&f->in, on_in, fd, EV_READ);
    ev_io_init(&f->out, on_out, fd, EV_WRITE);
    f->in.data = f->out.data = f;
    f->stream = make(ops, f, o, e);
    if (f->stream == NULL) {
        mem_free(f);
        return NULL;
    }
    return f->stream;
}

struct stream *fd_readable_new(int fd, const struct stream_opts *o, struct err *e)
{
    return create(stream_readable_new, &readable_ops, fd, o, e);
}

struct stream *fd_writable_new(int fd, const struct stream_opts *o, struct err *e)
{
    return create(stream_writable_new, &writable_ops, fd, o, e);
}

struct stream *fd_duplex_new(int fd, const struct stream_opts *o, struct err *e)
{
    return create(stream_duplex_new, &duplex_ops, fd, o, e);
}
