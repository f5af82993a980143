/*
 * err: why something failed, for a person to read.
 *
 * A struct err lives in its owner (on the stack, in an object), has a fixed size and never allocates. The
 * first failure wins: setting an error that is already set changes nothing, so that the cause is what is
 * reported and not its consequences. Texts say where, what, and what was expected; no final newline.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdbool.h>

/* Kinds of failure that callers act on. The stream module adds its own from ERR_STREAM on. */
enum err_code {
    ERR_NONE = 0,
    ERR_NOMEM,   /* an allocation failed */
    ERR_SYSTEM,  /* a system call failed: see sys for its errno */
    ERR_INVALID, /* input (configuration, record, file) is not what it must be */
    ERR_INTERNAL,
    ERR_STREAM = 100, /* first code of src/stream */
};

struct err {
    int code;       /* enum err_code or a stream code; 0: no error */
    int sys;        /* errno, when code is ERR_SYSTEM; else 0 */
    char text[504]; /* cut at its end when longer */
};

/* Forget what ${e} holds. */
void err_clear(struct err *e);

/* Is an error set? ${e} may be NULL (then: no). */
bool err_is(const struct err *e);

/* Set ${code} and the formatted text, unless an error is set already. ${e} may be NULL. Returns -1, so that a
 * failing function can say return err_set(...). */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_SYSTEM; ": " and the words for ${errnum} are appended. Returns -1. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_NOMEM and a standard text. Returns -1. */
int err_nomem(struct err *e);

#endif
