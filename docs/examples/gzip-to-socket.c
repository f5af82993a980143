/* gzip-to-socket PORT: send standard input, compressed, to a TCP port of this machine. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "stream/bytes.h"
#include "stream/fd.h"

static void deflate_into(struct stream *s, z_stream *z, int flush, struct err *e)
{
    char out[65536];
    do {
        z->next_out = (Bytef *)out;
        z->avail_out = sizeof out;
        deflate(z, flush);
        struct bytes *b = bytes_new(out, sizeof out - z->avail_out);
        if (b == NULL)
            err_nomem(e);
        else
            stream_push(s, &b->chunk);
    } while (z->avail_out == 0 && !err_is(e));
}

static void gzip_transform(struct stream *s, void *self, struct chunk *c)
{
    struct err e = {0};
    z_stream *z = self;
    z->next_in = (Bytef *)bytes_of(c)->data;
    z->avail_in = (uInt)bytes_of(c)->len;
    deflate_into(s, z, Z_NO_FLUSH, &e);
    chunk_free(&c);
    stream_transform_done(s, &e);
}

static void gzip_flush(struct stream *s, void *self)
{
    struct err e = {0};
    deflate_into(s, self, Z_FINISH, &e);
    stream_flush_done(s, &e);
}

static void gzip_free(void *self)
{
    deflateEnd(self);
}

static const struct stream_ops gzip = {
    .type = "gzip", .transform = gzip_transform, .flush = gzip_flush, .free = gzip_free};

static void on_done(void *arg, const struct err *e)
{
    *(struct err *)arg = e != NULL ? *e : (struct err){0};
}

int main(int argc, char **argv)
{
    struct err e = {0};
    z_stream z = {0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0"));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return perror("gzip-to-socket"), 1;
    struct loop *loop = loop_new(&e);
    struct stream_opts o = stream_defaults(loop);
    struct stream *streams[] = {fd_readable_new(0, &o, &e), stream_transform_new(&gzip, &z, &o, &e),
                                fd_writable_new(fd, &o, &e)};
    if (err_is(&e) || stream_pipeline(streams, 3, on_done, &e, &e) != 0)
        return fprintf(stderr, "%s\n", e.text), 1;
    loop_run(loop);
    if (err_is(&e))
        fprintf(stderr, "%s\n", e.text);
    for (int i = 0; i < 3; i++)
        stream_free(&streams[i]);
    loop_free(&loop);
    return err_is(&e);
}
