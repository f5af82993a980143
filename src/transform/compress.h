/*
 * compress: transforms that turn records into compressed bytes.
 *
 * What is common to all formats is here: chunks are compressed as they come and their tickets wait; a member (gzip) or frame (zstd, lz4) is
 * closed, and leaves as one blob with all its tickets, when flush_bytes went in or flush_interval has passed. So every blob is whole
 * members, and what is acknowledged ends where a member ends: any number of members from the first on can be read, and the concatenation
 * of all is read as one. A format is a codec of three functions.
 */
#ifndef WEIR_TRANSFORM_COMPRESS_H
#define WEIR_TRANSFORM_COMPRESS_H

#include <stddef.h>

#include "stage/stage.h"

struct buf;

struct compress_settings {
    int64_t level;
    double flush_interval;
    uint64_t flush_bytes;
    int encoding;
};

struct compress_codec {
    size_t self_size; /* of the codec's private struct, zeroed before init */
    /* Prepare for ${level}. -1: no memory (clear is not called). */
    int (*init)(void *self, int level);
    /* Compress ${len} bytes, which may begin a member, and append what comes of it. -1: no memory. */
    int (*add)(void *self, const void *data, size_t len, struct buf *out);
    /* Close the member that was begun, and be ready for another. -1: no memory. */
    int (*finish)(void *self, struct buf *out);
    void (*clear)(void *self);
};

/* For the check hook of a format that may be left out: a problem of ${words} when ${codec} is NULL. */
void compress_check(const struct compress_codec *codec, const char *words, struct config_report *report);

/* The stream of a stage with this ${codec} (NULL: not built in) and struct compress_settings. NULL and ${e} on failure. */
struct stream *compress_open(const struct compress_codec *codec, struct stage_env *env,
                             const void *settings, struct err *e);

extern const char *const compress_encodings[];

/* The options besides `level`, for the tables. */
#define COMPRESS_AT(field) offsetof(struct compress_settings, field)
#define COMPRESS_OPTIONS(MEMBER)                                                                   \
    {.key = "flush_interval", .type = OPTION_DURATION, .offset = COMPRESS_AT(flush_interval),      \
     .fallback = "\"1s\"", .min = 10, .max = 3600000,                                              \
     .words = "A " MEMBER " is closed at the latest so long after it was begun."},                 \
    {.key = "flush_bytes", .type = OPTION_SIZE, .offset = COMPRESS_AT(flush_bytes),                \
     .fallback = "\"1MiB\"", .min = 1024, .max = 1 << 30,                                          \
     .words = "A " MEMBER " is closed when so many bytes went in."},                               \
    {.key = "encoding", .type = OPTION_CHOICE, .offset = COMPRESS_AT(encoding),                    \
     .fallback = "\"auto\"", .choices = compress_encodings,                                        \
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; " \
              "text: .message alone. A line feed follows each."}

#endif
