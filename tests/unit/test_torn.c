/* Compressed files that a crash left unfinished, cut at every byte. */
#include "config.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef HAVE_LZ4
#include <lz4frame.h>
#endif

#include "base/log.h"
#include "base/mem.h"
#include "sink/torn.h"

#define MEMBERS 3
#define ROOM    400000

static unsigned char text[300000]; /* more than the decoders' output takes at once */
static unsigned char file[ROOM];

static size_t gzip_member(unsigned char *to, size_t room, size_t len)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = text;
    z.avail_in = (uInt)len;
    z.next_out = to;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t took = z.total_out;
    deflateEnd(&z);
    return took;
}

#ifdef HAVE_ZSTD
static size_t zstd_member(unsigned char *to, size_t room, size_t len)
{
    size_t n = ZSTD_compress(to, room, text, len, 3);
    ck_assert(!ZSTD_isError(n));
    return n;
}
#endif

#ifdef HAVE_LZ4
static size_t lz4_member(unsigned char *to, size_t room, size_t len)
{
    size_t n = LZ4F_compressFrame(to, room, text, len, NULL);
    ck_assert(!LZ4F_isError(n));
    return n;
}
#endif

static const struct {
    const char *name;
    size_t (*member)(unsigned char *to, size_t room, size_t len);
} formats[] = {
    {"gzip", gzip_member},
#ifdef HAVE_ZSTD
    {"zstd", zstd_member},
#endif
#ifdef HAVE_LZ4
    {"lz4", lz4_member},
#endif
};
#define FORMATS (sizeof formats / sizeof formats[0])

/* Text that is compressed well, but not to nothing. */
static void fill_text(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof text; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = i % 97 == 0 ? (unsigned char)(x >> 24) : 'a';
    }
}

/* The size of the first ${len} bytes of the file after mending. */
static off_t mended(size_t len)
{
    int fd = memfd_create("torn", MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, file, len), (ssize_t)len);
    ck_assert_int_eq(torn_mend(fd, NULL, "file"), 0);
    off_t size = lseek(fd, 0, SEEK_END);
    close(fd);
    return size;
}

START_TEST(cut_anywhere)
{
    size_t ends[MEMBERS], len = 0;
    fill_text();
    log_setup(LOG_ERROR, LOG_TEXT, false);
    for (size_t i = 0; i < MEMBERS; i++) { /* the last one is long: its output comes in several pieces */
        len += formats[_i].member(file + len, ROOM - len, i == MEMBERS - 1 ? sizeof text : 50 * (i + 1));
        ends[i] = len;
    }
    for (size_t cut = 1; cut <= len; cut += cut < ends[1] + 40 || cut + 40 > len ? 1 : 101) {
        size_t whole = 0;
        for (size_t i = 0; i < MEMBERS; i++)
            if (ends[i] <= cut)
                whole = ends[i];
        ck_assert_msg(mended(cut) == (off_t)whole, "%s cut at %zu of %zu: %ld bytes stay, expected %zu", formats[_i].name,
                      cut, len, (long)mended(cut), whole);
    }
    ck_assert_int_eq(mended(len), (off_t)len);
    memcpy(file + ends[0], "something else", 14);
    ck_assert_int_eq(mended(ends[0] + 14), (off_t)(ends[0] + 14));
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    static const char *const texts[] = {"", "a line\n", "{\"a\":1}\n", "\x1f\x20", "\x28\xb5\x2e"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = strlen(texts[i]);
        memcpy(file, texts[i], len);
        ck_assert_int_eq(mended(len), (off_t)len);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("torn");
    TCase *tc = tcase_create("torn");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, cut_anywhere, 0, FORMATS);
    tcase_add_test(tc, other_files_are_left_alone);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
