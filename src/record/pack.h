/*
 * pack: a chunk as bytes that can be kept on disk, and back.
 *
 * Everything that a sink can make use of is kept: the bytes of untouched records, changed ones as the JSON they would be sent as (order and
 * spelling kept), @path and its kin, @offset and @time of each record; the bytes of a blob. Tickets are not. A record that was changed comes back
 * as an untouched one whose text is that JSON: what is sent is the same. But bytes of its fields that are not UTF-8 are U+FFFD then, as in any JSON;
 * a sink that would send one field as it is (encoding text) can tell.
 *
 * Numbers are little-endian. A batch:
 *
 *     u32 records  u32 bytes of the strings  i64 @time
 *     strings: path log peer host source pipeline, each u32 length (2^32 - 1: none), its bytes and a NUL
 *     for each record: u32 length  u32 flags  u64 @offset  i64 time
 *     texts, each with '\n' behind it
 *
 * A blob is its bytes.
 */
#ifndef WEIR_RECORD_PACK_H
#define WEIR_RECORD_PACK_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct chunk;
struct origin;
struct pool;
struct slab;

enum pack_kind { PACK_BATCH = 1, PACK_BLOB = 2 };

/* Append ${c} to ${out}: look at its `failed`. Says what it is. */
enum pack_kind pack_add(struct buf *out, struct chunk *c);

enum unpack_result { UNPACK_OK, UNPACK_NOMEM, UNPACK_BAD };

/* The chunk that the ${len} bytes at ${data} are, ${records} of them; a batch holds ${slab}, in which they lie. *${origin} (NULL at first) is
 * the one of the chunk before, used again when it is the same; the caller's to unref. UNPACK_BAD: they are no such chunk. */
enum unpack_result unpack(struct pool *pool, struct slab *slab, const char *data, size_t len, enum pack_kind kind,
                          uint32_t records, struct origin **origin, struct chunk **out);

#endif
