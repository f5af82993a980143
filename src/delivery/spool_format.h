/*
 * spool_format: the bytes of a spool: heads of segments and entries, slots of the state. Nothing here touches a file.
 *
 * Numbers are little-endian, everything begins at a multiple of eight bytes, CRCs are CRC-32 (zlib).
 *
 *     segment   head (40 bytes), the same again, entries
 *     head      "weirseg1"  u64 base  u64 first  u64 salt  u32 CRC of that  u32 0 (40 bytes)
 *     entry     u32 "WQE1"  u32 length  u64 first  u64 synced  i64 time  u32 records  u32 kind  u32 CRC of the payload
 *               u32 CRC of salt, the entry's place in the segment, and the 44 bytes before; the payload, zeros up to a multiple of eight
 *     state     two slots, at 0 and 4096, written in turns (an even one, an odd one): "weirsta1"  u64 turn  u64 acked  u64 records  u32 CRC of that  u32 0
 *
 * base is the place of the segment's first byte in the queue, from which everything is counted; first is the number of its first record since
 * the queue began, so that it is known exactly how many are missing where something is. synced is the place before which everything was on
 * the disk when the entry was written. The salt is random: without it the head of an entry cannot be made up by whoever
 * writes what is logged, so that after damage the next whole entry can be looked for in between.
 */
#ifndef WEIR_DELIVERY_SPOOL_FORMAT_H
#define WEIR_DELIVERY_SPOOL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_SEGMENT_HEAD 80
#define SPOOL_ENTRY_HEAD   48
#define SPOOL_SLOT         40
#define SPOOL_SLOT_APART   4096 /* so that one write cannot damage both */
#define SPOOL_ALIGN        8

struct spool_head {
    uint64_t base, first, salt;
};

struct spool_entry {
    uint64_t at;     /* place of its head in the queue */
    uint32_t length; /* of the payload, in bytes */
    uint32_t records, kind, crc;
    uint64_t first, synced;
    int64_t time; /* when it was written: nanoseconds since the epoch */
    const char *payload; /* where it was read to; not of the format */
};

struct spool_slot {
    uint64_t turn, acked, records;
};

/* Bytes that an entry with ${length} bytes takes. */
static inline uint64_t spool_entry_bytes(uint64_t length)
{
    return (SPOOL_ENTRY_HEAD + length + SPOOL_ALIGN - 1) & ~(uint64_t)(SPOOL_ALIGN - 1);
}

/* The CRC of ${len} bytes, and that of those behind bytes whose CRC is ${crc}. */
uint32_t spool_crc(const void *data, size_t len);
uint32_t spool_crc_more(uint32_t crc, const void *data, size_t len);

/* Write, into SPOOL_SEGMENT_HEAD, SPOOL_ENTRY_HEAD and SPOOL_SLOT bytes. ${head} is that of the segment; the CRC of the payload is the caller's. */
void spool_put_head(char *to, const struct spool_head *head);
void spool_put_entry(char *to, const struct spool_head *head, const struct spool_entry *entry);
void spool_put_slot(char *to, const struct spool_slot *slot);

/* Read. False: it is not one. ${at} is where the head of the entry stands in the queue; its payload is not looked at. */
bool spool_get_head(const char *from, struct spool_head *head);
bool spool_get_entry(const char *from, const struct spool_head *head, uint64_t at, struct spool_entry *entry);
bool spool_get_slot(const char *from, struct spool_slot *slot);

#endif
