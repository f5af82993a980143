/*
 * gzip_isal: gzip members by ISA-L (Intel's storage acceleration library, also for ARM), several times as fast as zlib at its fast levels.
 */
#ifndef WEIR_TRANSFORM_GZIP_ISAL_H
#define WEIR_TRANSFORM_GZIP_ISAL_H

#define GZIP_ISAL_LEVEL_MAX 3 /* it has no slower ones */

struct compress_codec;

/* For levels up to that. NULL: weir was built without it. */
const struct compress_codec *gzip_isal_codec(void);

#endif
