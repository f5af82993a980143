#include "delivery/spool_format.h"

#include <endian.h>
#include <string.h>
#include <zlib.h>

#define HEAD_COPY 40

static const char head_magic[8] = "weirseg1", slot_magic[8] = "weirsta1", entry_magic[4] = "WQE1";

static void put32(char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

static void put64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof v);
}

static uint32_t get32(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static uint64_t get64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return le64toh(v);
}

uint32_t spool_crc_more(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32_z(crc, data, len);
}

uint32_t spool_crc(const void *data, size_t len)
{
    return len == 0 ? 0 : spool_crc_more(0, data, len);
}

/* Three numbers behind a magic word, with their CRC: what heads and slots are. */
static void put_three(char *to, const char *magic, uint64_t a, uint64_t b, uint64_t c)
{
    memcpy(to, magic, 8);
    put64(to + 8, a);
    put64(to + 16, b);
    put64(to + 24, c);
    put32(to + 32, spool_crc(to, 32));
    put32(to + 36, 0);
}

static bool get_three(const char *from, const char *magic, uint64_t *a, uint64_t *b, uint64_t *c)
{
    if (memcmp(from, magic, 8) != 0 || get32(from + 32) != spool_crc(from, 32))
        return false;
    *a = get64(from + 8);
    *b = get64(from + 16);
    *c = get64(from + 24);
    return true;
}

void spool_put_head(char *to, const struct spool_head *head)
{
    put_three(to, head_magic, head->base, head->first, head->salt);
    memcpy(to + HEAD_COPY, to, HEAD_COPY);
}

bool spool_get_head(const char *from, struct spool_head *head)
{
    return get_three(from, head_magic, &head->base, &head->first, &head->salt) ||
           get_three(from + HEAD_COPY, head_magic, &head->base, &head->first, &head->salt);
}

void spool_put_slot(char *to, const struct spool_slot *slot)
{
    put_three(to, slot_magic, slot->turn, slot->acked, slot->records);
}

bool spool_get_slot(const char *from, struct spool_slot *slot)
{
    return get_three(from, slot_magic, &slot->turn, &slot->acked, &slot->records);
}

static uint32_t entry_crc(const char *entry, const struct spool_head *head, uint64_t at)
{
    char where[16];
    put64(where, head->salt);
    put64(where + 8, at - head->base);
    uLong crc = crc32_z(0, (const Bytef *)where, sizeof where);
    return (uint32_t)crc32_z(crc, (const Bytef *)entry, SPOOL_ENTRY_HEAD - 4);
}

void spool_put_entry(char *to, const struct spool_head *head, const struct spool_entry *entry)
{
    memcpy(to, entry_magic, 4);
    put32(to + 4, entry->length);
    put64(to + 8, entry->first);
    put64(to + 16, entry->synced);
    put64(to + 24, (uint64_t)entry->time);
    put32(to + 32, entry->records);
    put32(to + 36, entry->kind);
    put32(to + 40, entry->crc);
    put32(to + 44, entry_crc(to, head, entry->at));
}

bool spool_get_entry(const char *from, const struct spool_head *head, uint64_t at, struct spool_entry *entry)
{
    if (memcmp(from, entry_magic, 4) != 0 || get32(from + 44) != entry_crc(from, head, at))
        return false;
    *entry = (struct spool_entry){
        .at = at,
        .length = get32(from + 4),
        .first = get64(from + 8),
        .synced = get64(from + 16),
        .time = (int64_t)get64(from + 24),
        .records = get32(from + 32),
        .kind = get32(from + 36),
        .crc = get32(from + 40),
    };
    return true;
}
