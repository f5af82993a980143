/* A spool: round trips, torn ends at every byte, flipped bytes at every position, missing segments, bounds. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "delivery/spool.h"
#include "delivery/spool_dir.h"

#define MAX_BYTES SPOOL_BYTES_MIN
#define FIRST     "0000000000000000.seg"

static struct rig r;
static struct spool s;
static char path[96];

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    rig_hush();
    snprintf(path, sizeof path, "%s/queue/p/s", r.dir);
}

static void teardown(void)
{
    rig_close(&r);
}

static int try_open(uint64_t max_bytes)
{
    struct err e = {0};
    int fd = spool_dir_open(r.dir, "p", "s", &e);
    return fd < 0 ? -1 : spool_open(&s, fd, path, max_bytes, "test", &e);
}

static void open_it(void)
{
    ck_assert_int_eq(try_open(MAX_BYTES), 0);
}

/* Add entry number ${n}: ${records} records and a payload of ${len} bytes, which can be told from others. */
static enum spool_fit add(struct spool_write *w, unsigned n, size_t len)
{
    char head[16];
    enum spool_fit fit = spool_entry_begin(&s, w);
    if (fit != SPOOL_FITS)
        return fit;
    snprintf(head, sizeof head, "%08u", n);
    for (size_t i = 0; i < len; i++)
        buf_char(&w->bytes, i < 8 ? head[i] : (char)(n + i));
    return spool_entry_end(&s, w, 1, 2, 1000 + n);
}

static void write_out(struct spool_write *w)
{
    struct spool_round round;
    ck_assert(spool_round_prepare(&s, &round, w));
    spool_round_run(&round);
    ck_assert_int_eq(round.write_err.code, 0);
    ck_assert_int_eq(round.state_err.code, 0);
    spool_round_done(&s, &round);
    if (w != NULL)
        spool_write_clear(w, true);
}

/* Write entries ${from} up to ${to}, ${each} in one round. */
static void fill(unsigned from, unsigned to, unsigned each, size_t len)
{
    struct spool_write w = {0};
    for (unsigned n = from; n < to; n++) {
        enum spool_fit fit = add(&w, n, len);
        if (fit == SPOOL_LATER) {
            write_out(&w);
            fit = add(&w, n, len);
        }
        ck_assert_int_eq(fit, SPOOL_FITS);
        if ((n - from) % each == each - 1)
            write_out(&w);
    }
    if (w.entries > 0)
        write_out(&w);
    spool_write_clear(&w, true);
}

/* Read everything. Which entries came is in seen[]; returns how many. Never more than ${most} calls. */
static unsigned char seen[20000];
static uint64_t read_end, read_records;

static unsigned read_all(size_t room)
{
    static char buf[1 << 20];
    struct spool_got got;
    struct spool_entry entry;
    unsigned count = 0, last = 0;
    memset(seen, 0, sizeof seen);
    for (unsigned calls = 0;; calls++) {
        ck_assert_uint_lt(calls, 20000);
        enum spool_read result = spool_read(&s, buf, room, &got);
        if (result == SPOOL_EMPTY)
            return count;
        ck_assert_int_ne(result, SPOOL_TROUBLE);
        if (result == SPOOL_ROOM) {
            ck_assert_uint_gt(got.need, room);
            room = got.need;
            ck_assert_uint_le(room, sizeof buf);
        }
        while (result == SPOOL_READ && spool_next(&got, &entry)) {
            unsigned n = 0;
            ck_assert_int_eq(sscanf(entry.payload, "%8u", &n), 1);
            ck_assert_uint_lt(n, sizeof seen);
            ck_assert(count == 0 || n > last);
            ck_assert_uint_eq(entry.records, 2);
            bool same = true; /* one assertion: each is a write of Check's */
            for (size_t i = 8; i < entry.length; i++)
                same = same && entry.payload[i] == (char)(n + i);
            ck_assert(same);
            last = n;
            seen[n] = 1;
            count++;
            read_end = entry.at + spool_entry_bytes(entry.length);
            read_records = entry.first + entry.records;
        }
    }
}

static uint64_t size_of(const char *name)
{
    struct stat st;
    char full[200];
    snprintf(full, sizeof full, "%s/%s", path, name);
    return stat(full, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static const char *in(const char *name)
{
    static char full[4][200];
    static unsigned next;
    char *to = full[next++ % 4];
    snprintf(to, sizeof full[0], "%s/%s", path, name);
    return to;
}

/* Let the first segment be ${text}: a new file, since file systems flush one that was truncated and written again. */
static void put_first(const char *text, size_t len)
{
    unlink(in(FIRST));
    rig_write(in(FIRST), text, len);
}

/* Delete files of the spool. */
static void forget(const char *pattern)
{
    char all[200];
    glob_t found_files;
    snprintf(all, sizeof all, "%s/%s", path, pattern);
    int rc = glob(all, 0, NULL, &found_files);
    ck_assert(rc == 0 || rc == GLOB_NOMATCH);
    for (size_t i = 0; rc == 0 && i < found_files.gl_pathc; i++)
        ck_assert_int_eq(unlink(found_files.gl_pathv[i]), 0);
    globfree(&found_files);
}

START_TEST(what_is_written_is_read_in_order)
{
    static const size_t rooms[] = {64, 200, 4096, 65536, 1 << 20};
    open_it();
    fill(0, 300, 7, 100 + (size_t)_i * 37);
    ck_assert_uint_eq(read_all(rooms[_i]), 300);
    ck_assert_uint_eq(spool_waiting(&s), 600);
    ck_assert_int_eq(spool_oldest(&s), 1000);
    spool_acked(&s, read_end, read_records);
    ck_assert_int_eq(spool_save(&s, NULL), 0);
    ck_assert_uint_eq(spool_waiting(&s), 0);
    ck_assert_uint_eq(s.bytes, 2 * SPOOL_SLOT_APART); /* nothing but the state is left */
    spool_close(&s);
    open_it();
    ck_assert_uint_eq(read_all(4096), 0);
    fill(300, 310, 1, 50); /* numbers go on */
    ck_assert_uint_eq(read_all(4096), 10);
    ck_assert_uint_eq(s.lost_records, 0);
    ck_assert_uint_eq(read_records, 620);
    spool_close(&s);
}
END_TEST

START_TEST(reading_goes_on_where_the_state_says)
{
    static char buf[4096];
    struct spool_got got;
    struct spool_entry entry;
    open_it();
    fill(0, 10, 3, 1000);
    ck_assert_int_eq(spool_read(&s, buf, sizeof buf, &got), SPOOL_SKIPPED); /* the head */
    ck_assert_int_eq(spool_read(&s, buf, sizeof buf, &got), SPOOL_READ);
    ck_assert(spool_next(&got, &entry) && spool_next(&got, &entry));
    spool_acked(&s, entry.at + spool_entry_bytes(entry.length), entry.first + entry.records);
    write_out(NULL);
    spool_close(&s);
    open_it();
    ck_assert_uint_eq(read_all(4096), 8);
    ck_assert(!seen[1] && seen[2]);
    spool_close(&s);
}
END_TEST

/* All files together, counted on the disk. */
static uint64_t on_disk(void)
{
    char command[200], text[32] = "";
    snprintf(command, sizeof command, "cat %s/* | wc -c", path);
    FILE *p = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(text, sizeof text, p));
    pclose(p);
    return strtoull(text, NULL, 10);
}

/* The end is cut off at every byte of the last entry: all before it is there, nothing is told to be lost, and writing goes on. */
START_TEST(a_torn_end_is_cut_off)
{
    size_t len;
    open_it();
    fill(0, 5, 1, 90);
    spool_close(&s);
    char *whole = rig_read(in(FIRST), &len);
    size_t entry = (size_t)spool_entry_bytes(90);
    for (size_t cut = 0; cut < SPOOL_SEGMENT_HEAD; cut++) { /* it was just being made */
        put_first(whole, cut);
        open_it();
        ck_assert_uint_eq(read_all(4096), 0);
        ck_assert_uint_eq(s.damages, 0);
        ck_assert_uint_eq(on_disk(), 2 * SPOOL_SLOT_APART);
        spool_close(&s);
    }
    for (size_t cut = len - entry; cut < len; cut++) {
        put_first(whole, cut);
        open_it();
        fill(5, 7, 2, 90);
        ck_assert_uint_eq(read_all(4096), 6);
        ck_assert(!seen[4] && seen[3] && seen[5] && seen[6]);
        ck_assert_uint_eq(s.lost_records, 0);
        ck_assert_uint_eq(s.bad_bytes, 0);
        spool_close(&s);
    }
    free(whole);
}
END_TEST

/* A last write of several entries of which the machine kept any part: what is not whole, and what follows it, was never counted. */
START_TEST(a_last_write_that_is_there_in_part_is_cut_off)
{
    size_t len;
    open_it();
    fill(0, 3, 3, 90);
    fill(3, 6, 3, 90);
    spool_close(&s);
    char *whole = rig_read(in(FIRST), &len);
    size_t entry = (size_t)spool_entry_bytes(90), from = len - 3 * entry;
    for (size_t hole = from; hole < from + 2 * entry; hole += 8) {
        char *text = malloc(len);
        memcpy(text, whole, len);
        memset(text + hole, 0, 8);
        put_first(text, len);
        if (memcmp(text, whole, len) != 0) {
            open_it();
            unsigned kept = 3 + (unsigned)((hole - from) / entry);
            ck_assert_msg(read_all(4096) == kept, "hole at %zu", hole);
            ck_assert(seen[2] && !seen[kept] && !seen[5]);
            ck_assert_uint_eq(s.lost_records, 0);
            spool_close(&s);
        }
        free(text);
        forget("*.bad");
    }
    free(whole);
}
END_TEST

/* Every byte of a segment is flipped: everything else is read, the damage is told and kept, and what is missing is counted. */
START_TEST(a_flipped_byte_costs_one_entry)
{
    size_t len;
    open_it();
    fill(0, 6, 1, 40);
    fill(6, 7, 1, 40); /* so that the one before is not the last write */
    spool_close(&s);
    char *text = rig_read(in(FIRST), &len);
    size_t entry = (size_t)spool_entry_bytes(40);
    for (size_t at = 0; at < len - entry; at++) {
        text[at] ^= 0x21;
        put_first(text, len);
        open_it();
        unsigned count = read_all(4096);
        if (at < SPOOL_SEGMENT_HEAD) { /* there are two */
            ck_assert_uint_eq(count, 7);
        } else {
            unsigned hit = (unsigned)((at - SPOOL_SEGMENT_HEAD) / entry);
            size_t inside = (at - SPOOL_SEGMENT_HEAD) % entry;
            bool padding = inside >= SPOOL_ENTRY_HEAD + 40;
            ck_assert_msg(count == (padding ? 7 : 6), "byte %zu: %u entries", at, count);
            ck_assert_int_eq(seen[hit], padding);
            ck_assert_uint_eq(s.lost_records, padding ? 0 : 2);
            ck_assert_uint_eq(s.bad_bytes, padding ? 0 : entry);
        }
        spool_close(&s);
        text[at] ^= 0x21;
        forget("*.bad");
    }
    free(text);
}
END_TEST

/* Three segments or more. */
static void fill_segments(void)
{
    open_it();
    fill(0, 400, 20, 2000);
    ck_assert_uint_ge(s.count, 3);
}

static uint64_t second_base(void)
{
    return LIST_ENTRY(s.segments.next->next, struct spool_segment, node)->base;
}

START_TEST(a_missing_segment_is_counted)
{
    char name[SPOOL_NAME];
    fill_segments();
    uint64_t base = second_base(), size = LIST_ENTRY(s.segments.next->next, struct spool_segment, node)->size;
    snprintf(name, sizeof name, "%s", spool_name(&s, base, ".seg"));
    if (_i == 0)
        spool_close(&s);
    ck_assert_int_eq(unlink(in(name)), 0);
    if (_i == 0)
        open_it(); /* else it vanishes while it runs */
    unsigned gone = (unsigned)((size - SPOOL_SEGMENT_HEAD) / spool_entry_bytes(2000));
    ck_assert_uint_eq(read_all(65536), 400 - gone);
    ck_assert_uint_eq(s.lost_records, 2 * gone);
    ck_assert_uint_eq(s.damages, 1);
    spool_acked(&s, s.read_at, s.read_record);
    ck_assert_int_eq(spool_save(&s, NULL), 0);
    ck_assert_uint_eq(s.bytes, 2 * SPOOL_SLOT_APART);
    spool_close(&s);
}
END_TEST

START_TEST(a_segment_without_head_is_set_aside)
{
    char name[SPOOL_NAME], bad[SPOOL_NAME];
    fill_segments();
    /* the second, or the last */
    const struct list *node = _i == 0 ? s.segments.next->next : s.segments.prev;
    uint64_t base = LIST_ENTRY(node, struct spool_segment, node)->base, size = LIST_ENTRY(node, struct spool_segment, node)->size;
    unsigned gone = (unsigned)((size - SPOOL_SEGMENT_HEAD) / spool_entry_bytes(2000));
    snprintf(name, sizeof name, "%s", spool_name(&s, base, ".seg"));
    snprintf(bad, sizeof bad, "%s", spool_name(&s, base, ".bad"));
    spool_close(&s);
    int fd = open(in(name), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "xxxxxxxx", 8, 0), 8);
    ck_assert_int_eq(pwrite(fd, "xxxxxxxx", 8, 40), 8);
    close(fd);
    open_it();
    ck_assert_uint_eq(read_all(65536), 400 - gone);
    ck_assert_uint_eq(size_of(bad), size);
    ck_assert_uint_eq(size_of(name), 0);
    fill(400, 402, 1, 100);
    ck_assert_uint_eq(read_all(65536), 2);
    ck_assert_uint_eq(s.lost_records, _i == 0 ? 2 * gone : 0); /* the last one's records have no number behind them any more */
    spool_close(&s);
}
END_TEST

START_TEST(a_damaged_state_sends_again)
{
    open_it();
    fill(0, 10, 1, 100);
    read_all(4096);
    spool_acked(&s, read_end - spool_entry_bytes(100), read_records - 2);
    write_out(NULL);
    spool_acked(&s, read_end - spool_entry_bytes(100), read_records - 2);
    spool_close(&s);
    if (_i == 0) {
        int fd = open(in("state"), O_WRONLY);
        ck_assert_int_eq(pwrite(fd, "xxxx", 4, 0), 4);
        ck_assert_int_eq(pwrite(fd, "xxxx", 4, SPOOL_SLOT_APART), 4);
        close(fd);
    } else {
        ck_assert_int_eq(unlink(in("state")), 0);
    }
    open_it();
    ck_assert_uint_eq(read_all(4096), 10);
    ck_assert_uint_eq(s.lost_records, 0);
    spool_close(&s);
    int fd = open(in("state"), O_WRONLY); /* one slot of two: the other counts */
    ck_assert_int_eq(pwrite(fd, "xxxx", 4, 0), 4);
    close(fd);
    open_it();
    ck_assert_uint_eq(read_all(4096), 10);
    spool_close(&s);
}
END_TEST

START_TEST(links_are_not_followed)
{
    open_it();
    fill(0, 2, 1, 100);
    spool_close(&s);
    rig_write(rig_path(&r, "victim"), "precious", 8);
    ck_assert_int_eq(symlink(rig_path(&r, "victim"), in("00000000000fffff.seg")), 0); /* a later segment */
    open_it();
    ck_assert_uint_eq(read_all(4096), 2);
    spool_close(&s);
    ck_assert_int_eq(unlink(in(FIRST)), 0);
    ck_assert_int_eq(symlink(rig_path(&r, "victim"), in(FIRST)), 0);
    open_it();
    struct spool_write w = {0};
    struct spool_round round;
    ck_assert_int_eq(add(&w, 0, 100), SPOOL_FITS);
    ck_assert(spool_round_prepare(&s, &round, &w));
    spool_round_run(&round);
    ck_assert_int_eq(round.write_err.sys, ELOOP);
    spool_round_done(&s, &round);
    spool_write_clear(&w, true);
    spool_close(&s);
    ck_assert_int_eq(unlink(in("state")), 0);
    ck_assert_int_eq(symlink(rig_path(&r, "victim"), in("state")), 0);
    ck_assert_int_eq(try_open(MAX_BYTES), -1);
    forget("*");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkdir(rig_path(&r, "elsewhere"), 0700), 0);
    ck_assert_int_eq(symlink(rig_path(&r, "elsewhere"), path), 0);
    ck_assert_int_eq(try_open(MAX_BYTES), -1);
    size_t len;
    char *text = rig_read(rig_path(&r, "victim"), &len);
    ck_assert_mem_eq(text, "precious", 8);
    ck_assert_uint_eq(len, 8);
    free(text);
}
END_TEST

START_TEST(full_then_drained)
{
    struct spool_write w = {0};
    unsigned n = 0;
    open_it();
    for (unsigned turn = 0; turn < 3; turn++) {
        enum spool_fit fit;
        unsigned from = n;
        while ((fit = add(&w, n, 5000)) != SPOOL_FULL) {
            if (fit == SPOOL_FITS)
                n++;
            if (fit == SPOOL_LATER)
                write_out(&w);
        }
        if (w.entries > 0)
            write_out(&w);
        ck_assert_uint_gt(n - from, 700);
        ck_assert_uint_eq(on_disk(), s.bytes);
        ck_assert_uint_le(s.bytes, MAX_BYTES);
        ck_assert_uint_eq(read_all(65536), n - from);
        ck_assert_int_eq(add(&w, n, 5000), SPOOL_FULL); /* read is not delivered */
        spool_acked(&s, read_end, read_records);
        add(&w, n, 5000);
        ck_assert_uint_eq(w.entries, 0);
        ck_assert(spool_has_dead(&s));
        write_out(NULL);
        ck_assert_uint_eq(s.count, 0);
        ck_assert_uint_eq(on_disk(), 2 * SPOOL_SLOT_APART);
    }
    ck_assert_int_eq(add(&w, n, MAX_BYTES), SPOOL_NEVER);
    ck_assert_uint_eq(w.entries, 0);
    spool_write_clear(&w, true);
    spool_close(&s);
}
END_TEST

/* What opening reads does not grow with what is in the segments, but for the last write. */
START_TEST(opening_reads_heads_only)
{
    open_it();
    fill(0, 400, 4, 9000);
    struct spool_file f = {.fd = -1, .size = LIST_ENTRY(s.segments.prev, struct spool_segment, node)->size};
    uint64_t base = LIST_ENTRY(s.segments.prev, struct spool_segment, node)->base;
    struct spool_tail tail;
    f.fd = openat(s.dir_fd, spool_name(&s, base, ".seg"), O_RDONLY);
    ck_assert(spool_file_head(&f, base));
    spool_file_tail(&f, &tail);
    ck_assert_uint_eq(tail.end, f.size);
    ck_assert_uint_eq(tail.records, 800);
    unsigned entries = (unsigned)(f.size / 9000);
    ck_assert_uint_gt(entries, 8);
    ck_assert_uint_le(f.reads, entries + 12);
    ck_assert_uint_le(f.read_bytes, entries * 4096 + 4 * 9200);
    close(f.fd);
    spool_close(&s);
    open_it();
    ck_assert_uint_eq(s.file.reads, 0); /* other segments are not opened */
    ck_assert_uint_eq(read_all(65536), 400);
    spool_close(&s);
}
END_TEST

/* What fails is tried again, and is there once. */
START_TEST(a_write_that_failed_is_tried_again)
{
    struct spool_write w = {0};
    struct spool_round round;
    open_it();
    fill(0, 3, 1, 100);
    ck_assert_int_eq(add(&w, 3, 100), SPOOL_FITS);
    ck_assert_int_eq(rename(in(FIRST), in("x")), 0);
    ck_assert_int_eq(mkdir(in(FIRST), 0700), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(spool_round_prepare(&s, &round, &w));
        spool_round_run(&round);
        ck_assert_int_eq(round.write_err.code, ERR_SYSTEM);
        spool_round_done(&s, &round);
    }
    ck_assert_uint_eq(s.durable_records, 6);
    ck_assert_int_eq(rmdir(in(FIRST)), 0);
    ck_assert_int_eq(rename(in("x"), in(FIRST)), 0);
    rig_append(in(FIRST), "half an entry that was left there", 30);
    write_out(&w);
    ck_assert_uint_eq(read_all(4096), 4);
    ck_assert_uint_eq(s.damages, 0);
    spool_close(&s);
}
END_TEST

static unsigned found;
static void count_spool(void *arg, const char *where, const char *pipeline, const char *sink, uint64_t bytes)
{
    (void)arg;
    ck_assert_str_eq(where, path);
    ck_assert_str_eq(pipeline, "p");
    ck_assert_str_eq(sink, "s");
    ck_assert_uint_gt(bytes, 200);
    found++;
}

START_TEST(spools_are_found_and_private)
{
    struct stat st;
    open_it();
    spool_dir_each(r.dir, count_spool, NULL);
    ck_assert_uint_eq(found, 0); /* empty */
    fill(0, 2, 1, 100);
    spool_close(&s);
    spool_dir_each(r.dir, count_spool, NULL);
    ck_assert_uint_eq(found, 1);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
    ck_assert(stat(in(FIRST), &st) == 0 && (st.st_mode & 0777) == 0600);
    char *dotted = spool_dir_path("d", "..", ".x");
    ck_assert_str_eq(dotted, "d/queue/%2e./%2ex");
    mem_free(dotted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tc = tcase_create("spool");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, what_is_written_is_read_in_order, 0, 5);
    tcase_add_test(tc, reading_goes_on_where_the_state_says);
    tcase_add_test(tc, a_torn_end_is_cut_off);
    tcase_add_test(tc, a_last_write_that_is_there_in_part_is_cut_off);
    tcase_add_test(tc, a_flipped_byte_costs_one_entry);
    tcase_add_loop_test(tc, a_missing_segment_is_counted, 0, 2);
    tcase_add_loop_test(tc, a_segment_without_head_is_set_aside, 0, 2);
    tcase_add_loop_test(tc, a_damaged_state_sends_again, 0, 2);
    tcase_add_test(tc, links_are_not_followed);
    tcase_add_test(tc, full_then_drained);
    tcase_add_test(tc, opening_reads_heads_only);
    tcase_add_test(tc, a_write_that_failed_is_tried_again);
    tcase_add_test(tc, spools_are_found_and_private);
    suite_add_tcase(suite, tc);
    return rig_main(suite);
}
