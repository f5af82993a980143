/*
 * A spool whose segment was damaged: bytes flipped, the end cut off, or any bytes at all in its place. Opening and reading come to an end, what is read was
 * written, what is missing is counted, and what is written afterwards is read. And any bytes as a packed batch: refused, or the same again
 * when packed once more.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "delivery/spool.h"
#include "delivery/spool_dir.h"
#include "record/pack.h"
#include "record/pool.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES 8
#define ROOM    ((size_t)1 << 16)

static char dir[] = "/dev/shm/weir-fuzz-XXXXXX", path[64];
static char pristine[ROOM], now[ROOM];
static size_t pristine_len;
static struct spool s;

static void open_it(void)
{
    struct err e = {0};
    int fd = spool_dir_open(dir, "p", "s", &e);
    assert(fd >= 0 && spool_open(&s, fd, path, SPOOL_BYTES_MIN, "fuzz", &e) == 0);
}

static void add(unsigned n)
{
    struct spool_write w = {0};
    struct spool_round r;
    assert(spool_entry_begin(&s, &w) == SPOOL_FITS);
    buf_fmt(&w.bytes, "entry %08u %.*s", n, (int)(n % 50), "..................................................");
    assert(spool_entry_end(&s, &w, 1, 1, 0) == SPOOL_FITS);
    assert(spool_round_prepare(&s, &r, &w));
    spool_round_run(&r);
    assert(!err_is(&r.write_err));
    spool_round_done(&s, &r);
    spool_write_clear(&w, true);
}

static const char *segment(void)
{
    static char name[96];
    snprintf(name, sizeof name, "%s/0000000000000000.seg", path);
    return name;
}

static void clean(void)
{
    DIR *all = opendir(path);
    const struct dirent *entry;
    assert(all != NULL);
    while ((entry = readdir(all)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(all), entry->d_name, 0);
    closedir(all);
}

static void put(const char *bytes, size_t len)
{
    int fd = open(segment(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static void make_pristine(void)
{
    assert(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/queue/p/s", dir);
    open_it();
    for (unsigned i = 0; i < ENTRIES; i++)
        add(i * 13);
    spool_close(&s);
    int fd = open(segment(), O_RDONLY);
    pristine_len = (size_t)read(fd, pristine, sizeof pristine);
    close(fd);
}

/* Read all; returns how many entries. Each must be one that was written, in order. */
static unsigned read_all(bool any)
{
    static char buf[ROOM];
    struct spool_got got;
    struct spool_entry entry;
    unsigned count = 0, last = 0;
    for (unsigned calls = 0; calls < 10000; calls++) {
        enum spool_read result = spool_read(&s, buf, sizeof buf, &got);
        if (result == SPOOL_EMPTY)
            return count;
        assert(result != SPOOL_TROUBLE && result != SPOOL_ROOM);
        while (result == SPOOL_READ && spool_next(&got, &entry)) {
            unsigned n = 0;
            assert(any || (entry.length >= 14 && sscanf(entry.payload, "entry %8u", &n) == 1 && n % 13 == 0));
            assert(any || count == 0 || n > last);
            last = n;
            count++;
        }
    }
    abort();
}

static void damaged(const uint8_t *data, size_t size, bool any)
{
    size_t len = pristine_len;
    memcpy(now, pristine, len);
    if (any) {
        len = size < ROOM ? size : ROOM;
        memcpy(now, data, len);
    } else if (size > 0) {
        len -= data[0] % 128 < 64 ? data[0] % 64 * 8 % len : 0;
        for (size_t i = 1; i + 2 < size; i += 3)
            now[((size_t)data[i] << 8 | data[i + 1]) % (len > 0 ? len : 1)] ^= (char)data[i + 2];
    }
    clean();
    put(now, len);
    open_it();
    unsigned count = read_all(any);
    assert(count <= ENTRIES && count + s.lost_records <= (any ? UINT64_MAX : ENTRIES));
    if (!any && memcmp(now, pristine, len) == 0 && len == pristine_len)
        assert(count == ENTRIES && s.damages == 0);
    add(999 * 13);
    assert(read_all(true) == 1);
    assert(s.bytes <= s.max_bytes);
    spool_close(&s);
}

static void unpacked(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct pool *pool;
    if (loop == NULL) {
        loop = loop_new(NULL);
        pool = pool_new(loop, 1 << 22, 4096);
    }
    struct chunk *c;
    struct origin *origin = NULL;
    uint32_t records = 0;
    if (size >= 4)
        memcpy(&records, data, 4);
    struct slab *slab = pool_slab_anyway(pool, size);
    memcpy(slab->data, data, size);
    if (unpack(pool, slab, slab->data, size, PACK_BATCH, records, &origin, &c) == UNPACK_OK) {
        struct buf once = {0}, twice = {0};
        struct chunk *d;
        pack_add(&once, c);
        struct slab *other = pool_slab_anyway(pool, once.len);
        memcpy(other->data, once.data, once.len);
        assert(unpack(pool, other, other->data, once.len, PACK_BATCH, records, &origin, &d) == UNPACK_OK);
        pack_add(&twice, d);
        assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
        chunk_free(&c);
        chunk_free(&d);
        slab_unref(other);
        buf_clear(&once);
        buf_clear(&twice);
    }
    origin_unref(origin);
    slab_unref(slab);
    assert(pool_used(pool) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup((enum log_level)-1, LOG_TEXT, 0);
    if (pristine_len == 0)
        make_pristine();
    if (size == 0 || size > ROOM)
        return 0;
    if (data[0] % 3 == 2)
        unpacked(data + 1, size - 1);
    else
        damaged(data + 1, size - 1, data[0] % 3 == 1);
    return 0;
}
