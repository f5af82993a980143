/* Bytes cut into records: by every framing, whole and in pieces of any size, too long ones, hostile lengths; and as a source reads them,
 * with what is begun kept between two reads. */
#include "rig.h"

#include <stdio.h>

#include "source/feed.h"
#include "source/frames.h"
#include "source/intake.h"

/* ---- the table ----------------------------------------------------------------------------------- */

struct row {
    const char *framing; /* n, o, a; with t: tidy; with r: strip_cr */
    int on_long_line;
    size_t max;
    const char *input;
    const char *want; /* each record behind it a '|'; a cut one has a '~' too. Then '!' bad, '?' short; '+' for each that was too long */
};

static const struct row rows[] = {
    {"n", 0, 64, "a\nbb\n\nccc", "a|bb||ccc|"},
    {"n", 0, 64, "", ""},
    {"n", 0, 64, "\n", "|"},
    {"n", 0, 64, "a\r\nb\r\rc\r\n", "a\r|b\r\rc\r|"},
    {"nr", 0, 64, "a\r\nb\r\r\n\r\n\r", "a|b\r|||"},
    {"n", 0, 4, "abcd\nabcde\nx\n", "abcd|abcd~|x|+"},
    {"n", 0, 4, "abcdefghijkl\nx", "abcd~|x|+"},
    {"n", 1, 4, "abcdefghij\nx\n", "abcd|efgh|ij|x|++"},
    {"n", 2, 4, "abcde\nabcd\nabcdefghijkl", "abcd|++"},
    {"n", 0, 64, "3 abc\n", "3 abc|"},
    {"n", 0, 64, "\xff\xfe\n\x01", "\xff\xfe|\x01|"},

    {"o", 0, 64, "3 abc5 a\nb\nc", "abc|a\nb\nc|"},
    {"o", 0, 64, "0 0 1 x", "||x|"},
    {"o", 0, 64, "", ""},
    {"o", 0, 64, "3 ab", "?"},
    {"o", 0, 64, "1 x3", "x|?"},
    {"o", 0, 64, "1 x3 ", "x|?"},
    {"o", 0, 64, "1 xabc", "x|!"},
    {"o", 0, 64, " 1 x", "!"},
    {"o", 0, 64, "-1 x", "!"},
    {"o", 0, 64, "+1 x", "!"},
    {"o", 0, 64, "01 x", "!"},
    {"o", 0, 64, "1\tx", "!"},
    {"o", 0, 64, "1\nx", "!"},
    {"o", 0, 64, "\n", "!"},
    {"o", 0, 64, "99999999999999999999 x", "!"},
    {"o", 0, 64, "1000000000 x", "!"},
    {"o", 0, 64, "999999999 abc", "?+"},
    {"o", 2, 64, "999999999 abc", "?+"},
    {"o", 0, 64, "18446744073709551617 x", "!"},
    {"o", 0, 64, "4294967297 x", "!"},
    {"o", 0, 4, "4 abcd9 abcdefghi1 x", "abcd|abcd~|x|+"},
    {"o", 1, 4, "9 abcdefghi1 x", "abcd|efgh|i|x|+"},
    {"o", 1, 4, "8 abcdefgh1 x", "abcd|efgh|x|+"},
    {"o", 2, 4, "9 abcdefghi4 xyzw", "xyzw|+"},
    {"o", 0, 64, "4 abc\n", "abc\n|"},
    {"ot", 0, 64, "4 abc\n0 1 \n2 \n\n", "abc|\n|"},

    {"a", 0, 64, "<1>a\n4 <1>b<2>c\n5 <1>\nd", "<1>a|<1>b|<2>c|<1>\nd|"},
    {"a", 0, 64, "2026-01-01 x\n12:00 y\n1\n22 z", "2026-01-01 x|12:00 y|1|?"},
    {"a", 0, 64, "1", "1|"},
    {"a", 0, 64, "123456789", "123456789|"},
    {"a", 0, 64, "1234567890 x\n", "1234567890 x|"},
    {"a", 0, 64, "012 x\n", "012 x|"},
    {"a", 0, 64, "\n\n3 abc\n", "||abc||"},
    {"at", 0, 64, "\n\n3 abc\n<1>x\n", "abc|<1>x|"},
    {"a", 0, 4, "abcdefg\n3 xyz", "abcd~|xyz|+"},
    {"a", 1, 4, "abcdef1 g\n1 x", "abcd|ef1 |g|x|++"},
    {"a", 2, 4, "abcdefg\n9 123456789x\n", "x|++"},
    {"ar", 0, 64, "a\r\n2 b\rc\r\n", "a|b\r|c|"},
};

static struct frames_options options_of(const struct row *row)
{
    struct frames_options o = {.on_long_line = row->on_long_line, .max_line_bytes = row->max};
    o.framing = row->framing[0] == 'n'   ? FRAMING_NEWLINE
                : row->framing[0] == 'o' ? FRAMING_OCTET_COUNTING
                                         : FRAMING_AUTO;
    o.strip_cr = strchr(row->framing, 'r') != NULL;
    return o;
}

static void add_records(struct buf *out, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct record *r = &b->records[i];
        buf_add(out, r->text, r->len);
        if (r->flags & RECORD_TRUNCATED)
            buf_char(out, '~');
        buf_char(out, '|');
        if (r->flags & RECORD_ENDED)
            ck_assert_int_eq(r->text[r->len], '\n');
    }
}

/* Cut ${len} bytes at ${text} that come in pieces of ${step} bytes, the first of ${first}: as whoever reads them does. */
static void cut(struct rig *r, const struct row *row, const char *text, size_t len, size_t first, size_t step, struct buf *out)
{
    struct frames_options set = options_of(row);
    struct frames f;
    struct slab *slab = pool_slab(r->pool, len + 1);
    struct batch *b = batch_new(r->pool, slab, NULL);
    size_t at = 0, have = 0, longs = 0;
    enum frames_result result = FRAMES_MORE;
    memcpy(slab->data, text, len);
    frames_init(&f, &set, strchr(row->framing, 't') != NULL);
    for (size_t n = first; result == FRAMES_MORE; n = step) {
        size_t come = n < len - have ? n : len - have, begun = have - at;
        bool last = have + come == len;
        bool ends = frames_ends(&f, begun, slab->data + have, come);
        have += come;
        if (!ends && !last)
            continue;
        do {
            size_t used, count = b->count;
            result = frames_cut(&f, b, slab->data + at, have - at, last, &used);
            ck_assert_uint_le(used, have - at);
            ck_assert_msg(ends || last || (b->count == count && used == 0), "frames_ends was wrong");
            at += used;
            longs += result == FRAMES_LONG;
        } while (result == FRAMES_LONG);
        if (last)
            break;
        ck_assert_uint_le(result == FRAMES_MORE ? have - at : 0, row->max > FRAMES_HEAD_MAX ? row->max : FRAMES_HEAD_MAX);
    }
    add_records(out, b);
    if (result != FRAMES_MORE)
        buf_char(out, result == FRAMES_BAD ? '!' : '?');
    else
        ck_assert_uint_eq(at, len);
    for (; longs > 0; longs--)
        buf_char(out, '+');
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    slab_unref(slab);
}

static void expect(struct rig *r, const struct row *row, size_t first, size_t step)
{
    struct buf out = {0};
    cut(r, row, row->input, strlen(row->input), first, step, &out);
    ck_assert_msg(strcmp(buf_cstr(&out), row->want) == 0, "%s %d %zu \"%s\" in %zu and %zu: got \"%s\", want \"%s\"", row->framing,
                  row->on_long_line, row->max, row->input, first, step, buf_cstr(&out), row->want);
    buf_clear(&out);
}

START_TEST(the_table_whole_and_in_pieces)
{
    struct rig r;
    rig_open(&r, 16 << 20, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].input);
        expect(&r, &rows[i], len, len);
        for (size_t at = 0; at <= len; at++) /* every place to split at */
            expect(&r, &rows[i], at, len);
        for (size_t step = 1; step < 5; step++)
            expect(&r, &rows[i], step, step);
    }
    rig_close(&r);
}
END_TEST

START_TEST(random_bytes_are_cut_the_same_in_any_pieces)
{
    static const char alphabet[] = "\n\n\r 0123456789ab<";
    static const char *const framings[] = {"n", "nr", "o", "a", "ar", "at"};
    struct rig r;
    uint64_t seed = 11;
    rig_open(&r, 16 << 20, 65536);
    for (int i = 0; i < 20000; i++) {
        char text[80];
        size_t len = rig_random(&seed) % sizeof text;
        struct row row = {framings[rig_random(&seed) % 6], (int)(rig_random(&seed) % 3), 2 + rig_random(&seed) % 20, NULL, NULL};
        for (size_t k = 0; k < len; k++)
            text[k] = alphabet[rig_random(&seed) % (sizeof alphabet - 1)];
        struct buf whole = {0}, pieces = {0};
        cut(&r, &row, text, len, len, len, &whole);
        cut(&r, &row, text, len, rig_random(&seed) % 9, 1 + rig_random(&seed) % 9, &pieces);
        ck_assert_str_eq(buf_cstr(&whole), buf_cstr(&pieces));
        buf_clear(&whole);
        buf_clear(&pieces);
    }
    rig_close(&r);
}
END_TEST

/* ---- as a source reads them ------------------------------------------------------------------------ */

struct reader {
    struct intake intake;
    struct feed feed;
    struct catcher c;
    struct frames_options set;
};

static void on_read(struct stream *s, void *self)
{
    (void)s;
    intake_want(self);
}

static void nothing(struct intake *in)
{
    (void)in;
}

static const struct stream_ops reader_ops = {.type = "reader", .read = on_read};

static void reader_open(struct rig *r, struct reader *x, struct frames_options set)
{
    struct err e = {0};
    struct stream_opts o = stage_stream_opts(&r->env);
    struct origin *origin = origin_new_peer("peer", "peer#1", NULL, "tcp", "p");
    memset(x, 0, sizeof *x);
    x->set = set;
    intake_init(&x->intake, &r->env, nothing, nothing);
    feed_init(&x->feed, &x->set, false, origin, "peer", NULL);
    origin_unref(origin);
    x->intake.stream = stream_readable_new(&reader_ops, x, &o, &e);
    catcher_on(&x->c, x->intake.stream);
    loop_tick(r->loop);
}

static void reader_close(struct rig *r, struct reader *x)
{
    stream_destroy(x->intake.stream, NULL);
    loop_tick(r->loop);
    catcher_off(&x->c);
    feed_clear(&x->feed, &x->intake);
    intake_clear(&x->intake);
    stream_free(&x->intake.stream);
    loop_tick(r->loop);
}

/* ${len} bytes come. False: there was no room for them. */
static bool come(struct rig *r, struct reader *x, const char *text, size_t len, bool last)
{
    while (len > 0 || last) {
        size_t room;
        char *to = feed_space(&x->feed, &x->intake, &room);
        if (to == NULL)
            return false;
        size_t n = len < room ? len : room;
        memcpy(to, text, n);
        ck_assert_int_eq(feed_take(&x->feed, &x->intake, n, last && n == len), FEED_ON);
        loop_tick(r->loop);
        text += n;
        len -= n;
        if (len == 0)
            break;
    }
    return true;
}

START_TEST(a_feed_keeps_nothing_but_what_is_begun)
{
    struct rig r;
    struct reader x;
    rig_open(&r, 8 << 20, 65536);
    reader_open(&r, &x, (struct frames_options){.max_line_bytes = 1 << 20});
    ck_assert(come(&r, &x, "one\ntwo\nthr", 11, false));
    ck_assert_uint_eq(x.c.records, 2);
    ck_assert_uint_eq(x.feed.begun, 3);
    ck_assert_uint_eq(pool_kept(r.pool), 0); /* short ones need nothing of the pool */
    ck_assert_uint_eq(x.feed.offset, 8);
    char long_line[1000];
    memset(long_line, 'x', sizeof long_line);
    ck_assert(come(&r, &x, long_line, sizeof long_line, false));
    ck_assert_uint_ge(pool_kept(r.pool), 1003);
    ck_assert(come(&r, &x, "\n", 1, false));
    ck_assert_uint_eq(pool_kept(r.pool), 0);
    ck_assert_uint_eq(x.c.records, 3);
    ck_assert(come(&r, &x, "end", 3, true));
    ck_assert_uint_eq(x.c.records, 4);
    ck_assert_uint_eq(r.stats.records_out, 4);
    ck_assert_uint_eq(r.stats.bytes_out, 8 + 1004 + 3);
    reader_close(&r, &x);
    rig_close(&r);
}
END_TEST

/* CPU seconds for one line of ${len} bytes that come one by one. */
static double byte_by_byte(size_t len)
{
    struct rig r;
    struct reader x;
    rig_open(&r, 8 << 20, 65536);
    reader_open(&r, &x, (struct frames_options){.max_line_bytes = 1 << 20});
    double before = rig_cpu();
    for (size_t i = 0; i < len; i++)
        ck_assert(come(&r, &x, "y", 1, false));
    ck_assert(come(&r, &x, "\n", 1, false));
    double took = rig_cpu() - before;
    ck_assert_uint_eq(x.c.records, 1);
    ck_assert_uint_eq(x.c.bytes.len, len + 1);
    reader_close(&r, &x);
    rig_close(&r);
    return took;
}

/* A byte at a time costs what the line is long, not its square: four times as long is not sixteen times as dear. */
START_TEST(a_long_line_byte_by_byte_is_cheap)
{
    double small = byte_by_byte(1 << 16), large = byte_by_byte(1 << 18);
    ck_assert_msg(large < 9 * small, "%f s and %f s", small, large);
}
END_TEST

/* A hundred peers begin lines that they do not end: what is kept of all of them stays within a quarter of the memory, and a
 * line of another one still passes. */
START_TEST(begun_lines_are_bounded_together)
{
    enum { PEERS = 100 };
    struct rig r;
    struct reader x;
    struct feed own, peers[PEERS];
    static char text[60000];
    rig_hush();
    rig_open(&r, 4 << 20, 65536);
    memset(text, 'z', sizeof text);
    reader_open(&r, &x, (struct frames_options){.max_line_bytes = 1 << 20});
    for (size_t i = 0; i < PEERS; i++)
        feed_init(&peers[i], &x.set, false, x.feed.origin, "peer", NULL);
    own = x.feed;
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < PEERS; i++) {
            x.feed = peers[i];
            ck_assert(come(&r, &x, text, sizeof text, false));
            peers[i] = x.feed;
            ck_assert_uint_le(pool_kept(r.pool), (4 << 20) / 4);
        }
    x.feed = own;
    ck_assert_uint_gt(r.stats.truncated, 50);
    ck_assert(come(&r, &x, "begun", 5, false));
    ck_assert(come(&r, &x, " line\nok\n", 9, false));
    ck_assert(memcmp(x.c.bytes.data + x.c.bytes.len - 14, "begun line\nok\n", 14) == 0);
    for (size_t i = 0; i < PEERS; i++)
        feed_clear(&peers[i], &x.intake);
    ck_assert_uint_eq(pool_kept(r.pool), 0);
    reader_close(&r, &x);
    rig_close(&r);
}
END_TEST

/* One line that is longer than all the memory passes alone. */
START_TEST(one_line_may_be_longer_than_the_memory)
{
    struct rig r;
    struct reader x;
    static char text[65536];
    rig_open(&r, 1 << 20, 65536);
    memset(text, 'l', sizeof text);
    reader_open(&r, &x, (struct frames_options){.max_line_bytes = 8 << 20});
    for (int i = 0; i < 64; i++)
        ck_assert(come(&r, &x, text, sizeof text, false));
    ck_assert(come(&r, &x, "\nshort\n", 7, false));
    ck_assert_uint_eq(x.c.records, 2);
    ck_assert_uint_eq(x.c.bytes.len, (4 << 20) + 7);
    ck_assert_uint_eq(r.stats.truncated, 0);
    reader_close(&r, &x);
    rig_close(&r);
}
END_TEST

/* While the pipeline holds all the memory nothing is read; when it lets go, it is. */
START_TEST(a_full_pool_stops_reading)
{
    struct rig r;
    struct reader x;
    static char text[4096];
    size_t n = 0;
    rig_open(&r, 1 << 20, 65536);
    memset(text, 'f', sizeof text);
    text[sizeof text - 1] = '\n';
    reader_open(&r, &x, (struct frames_options){.max_line_bytes = 1 << 20});
    x.c.hold = true;
    while (n < 10000 && come(&r, &x, text, sizeof text, false))
        n++;
    ck_assert_uint_gt(n, 100);
    ck_assert_uint_lt(n, 300);
    ck_assert(intake_waits(&x.intake));
    ck_assert_uint_le(pool_used(r.pool), (1 << 20) + (64 << 10));
    catcher_release(&x.c, true);
    loop_tick(r.loop);
    ck_assert(!intake_waits(&x.intake));
    ck_assert(come(&r, &x, text, sizeof text, false));
    pool_charge(r.pool, 1 << 20); /* a later stage, in full need of memory: there is room in the slab, but nothing may be kept now */
    ck_assert(!come(&r, &x, "begun", 5, false));
    pool_discharge(r.pool, 1 << 20);
    loop_tick(r.loop);
    ck_assert(come(&r, &x, "begun", 5, true));
    reader_close(&r, &x);
    catcher_release(&x.c, true);
    rig_close(&r);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    struct rig r;
    static char text[3000];
    memset(text, 'm', sizeof text);
    text[1000] = '\n';
    for (unsigned long nth = 1; nth < 40; nth++) {
        struct reader x;
        size_t room;
        enum feed_result result = FEED_ON;
        rig_open(&r, 4 << 20, 65536);
        reader_open(&r, &x, (struct frames_options){.max_line_bytes = 1 << 20});
        mem_fail_at(nth);
        for (int i = 0; i < 3 && result == FEED_ON; i++) {
            char *to = feed_space(&x.feed, &x.intake, &room);
            if (to == NULL)
                break;
            memcpy(to, text, sizeof text);
            result = feed_take(&x.feed, &x.intake, sizeof text, i == 2);
            loop_tick(r.loop);
        }
        bool failed = mem_failed();
        mem_fail_at(0);
        reader_close(&r, &x);
        rig_close(&r); /* nothing stays behind */
        if (!failed)
            return;
    }
    ck_abort_msg("there was no end of allocations");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frames");
    TCase *t = tcase_create("frames");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_table_whole_and_in_pieces);
    tcase_add_test(t, random_bytes_are_cut_the_same_in_any_pieces);
    tcase_add_test(t, a_feed_keeps_nothing_but_what_is_begun);
    tcase_add_test(t, a_long_line_byte_by_byte_is_cheap);
    tcase_add_test(t, begun_lines_are_bounded_together);
    tcase_add_test(t, one_line_may_be_longer_than_the_memory);
    tcase_add_test(t, a_full_pool_stops_reading);
    tcase_add_test(t, each_allocation_may_fail);
    suite_add_tcase(s, t);
    return rig_main(s);
}
