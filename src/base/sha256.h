/*
 * sha256: the hash of FIPS 180-4, section 6.2.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <stddef.h>

#define SHA256_HEX 64

/* The hash of the ${len} bytes at ${data}, as 64 lower-case hexadecimal digits (no NUL) in ${hex}. */
void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX]);

#endif
