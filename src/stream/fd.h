/*
 * fd: streams of bytes (stream/bytes.h) over a file descriptor.
 *
 * The descriptor becomes the stream's on success: it is made non-blocking, and closed when the
 * stream is destroyed. At most one read(2) of FD_READ bytes a turn of the loop, so that one busy
 * descriptor does not shut out the others. Short writes go on when the descriptor is ready again.
 * Works with pipes, sockets, terminals and regular files. SIGPIPE must be ignored by the process;
 * writing to a closed pipe is an error like any other.
 */
#ifndef WEIR_STREAM_FD_H
#define WEIR_STREAM_FD_H

#include "stream/stream.h"

#define FD_READ 65536

/* `end` at the end of the file. */
struct stream *fd_readable_new(int fd, const struct stream_opts *o, struct err *e);
struct stream *fd_writable_new(int fd, const struct stream_opts *o, struct err *e);
/* A socket. stream_end shuts its sending side down. */
struct stream *fd_duplex_new(int fd, const struct stream_opts *o, struct err *e);

#endif
