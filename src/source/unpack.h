/*
 * unpack: the text of a compressed file, in order, from its first byte on.
 *
 * gzip (RFC 1952) and Zstandard (RFC 8878), as many members or frames as there are, one behind the other; zero bytes that
 * pad the end are passed over, as gzip(1) does. The file may still be growing: what it has is decoded, and reading goes on
 * when there is more. Memory is bounded: 64 KiB of input, what zlib needs (some 44 KiB), and a Zstandard window of
 * UNPACK_WINDOW_LOG at most. A file that asks for a larger one is refused.
 */
#ifndef WEIR_SOURCE_UNPACK_H
#define WEIR_SOURCE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct unpack;

enum unpack_kind {
    UNPACK_UNSURE, /* too short to tell */
    UNPACK_PLAIN,  /* neither */
    UNPACK_GZIP,
    UNPACK_ZSTD,
};

#define UNPACK_MAGIC      4  /* bytes that tell for certain */
#define UNPACK_WINDOW_LOG 23 /* 8 MiB: what zstd -19 uses at most; --ultra and --long go beyond */

/* What begins with the ${len} bytes at ${head}? */
enum unpack_kind unpack_recognise(const void *head, size_t len);

/* The name for messages: "gzip", "zstd". */
const char *unpack_name(enum unpack_kind kind);

/* A decoder at the start of a file of ${kind} (gzip or zstd). NULL and ${e}: no memory, or not built in. */
struct unpack *unpack_new(enum unpack_kind kind, struct err *e);
void unpack_free(struct unpack **u);

/* How much memory it takes at most, in bytes. */
size_t unpack_memory(enum unpack_kind kind);

enum unpack_state {
    UNPACK_MORE,  /* there may be more */
    UNPACK_END,   /* the file ends here, behind a whole member */
    UNPACK_SHORT, /* the file ends here, inside a member */
    UNPACK_BAD,   /* what follows cannot be decoded, for good; the error says why and where */
    UNPACK_ERROR, /* reading failed; the error says why */
};

/* Put the next text, ${len} bytes at most, at ${to}, and say in *${got} how much that is: with UNPACK_MORE some, else perhaps none. Nothing of the file
 * ${fd} is read past ${limit} (its size). */
enum unpack_state unpack_read(struct unpack *u, int fd, uint64_t limit, char *to, size_t len, size_t *got, struct err *e);

/* How many bytes of the file have been decoded. */
uint64_t unpack_raw(const struct unpack *u);

#endif
