/*
 * torn_format: what torn.c has to know of a compressed format.
 */
#ifndef WEIR_SINK_TORN_FORMAT_H
#define WEIR_SINK_TORN_FORMAT_H

#include <stddef.h>

enum torn_step {
    TORN_MORE,  /* took some, or all, of the input */
    TORN_WHOLE, /* a member ends behind what was taken */
    TORN_BAD,   /* this is not a member */
};

struct torn_format {
    const char *name;
    unsigned char magic[4]; /* every file begins with the first magic_len of these */
    size_t magic_len;
    void *(*open)(void); /* NULL: no memory */
    /* Decompress from ${in}; *${used}: how many of its ${len} bytes were taken. */
    enum torn_step (*step)(void *self, const unsigned char *in, size_t len, size_t *used);
    void (*close)(void *self);
};

/* Those that are built in, ended by a NULL name. */
extern const struct torn_format torn_formats[];

#endif
