/* One followed file, read turn by turn and compared with a simple model. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <zlib.h>

#include "config.h"
#include "record/record.h"
#include "source/tail.h"
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define SLAB ((size_t)64 << 10)

static struct rig r;
static struct tail_settings set;
static struct tail_reader reader;
static struct tail_file *f;
static struct buf got;    /* records, each as "OFFSET:TEXT\n" */
static struct list held;  /* chunks not delivered yet */
static bool hold;
static char path[200];

static void open_file(void)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    f = tail_file_new(&reader, path, path, &st, NULL);
    ck_assert_ptr_nonnull(f);
}

static void setup(void)
{
    rig_open(&r, 64 * SLAB, SLAB);
    rig_hush();
    set = (struct tail_settings){.max_line_bytes = 1 << 20, .follow_symlinks = true};
    reader = (struct tail_reader){.env = &r.env, .set = &set, .window = mem_alloc(TAIL_WINDOW)};
    got = (struct buf){0};
    hold = false;
    list_init(&held);
    snprintf(path, sizeof path, "%s/file", r.dir);
    rig_write(path, "", 0);
    open_file();
}

static void teardown(void)
{
    struct list *node;
    while ((node = list_shift(&held)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_free(&c);
    }
    tail_unpack_let_go(&reader, f);
    tail_file_free(&f);
    tail_reader_let_go(&reader);
    mem_free(reader.window);
    buf_clear(&got);
    rig_close(&r);
}

static void add(struct buf *out, uint64_t offset, const char *text, size_t len)
{
    buf_fmt(out, "%llu:", (unsigned long long)offset);
    buf_add(out, text, len);
    buf_char(out, '\n');
}

/* Turn until there is nothing to do. Returns the last outcome. */
static enum tail_outcome read_all(bool finish)
{
    for (unsigned turns = 0;; turns++) {
        struct batch *b = NULL;
        struct err e = {0};
        ck_assert_uint_lt(turns, 100000); /* spins */
        enum tail_outcome rc = tail_file_read(&reader, f, finish, &b, &e);
        ck_assert((rc == TAIL_BATCH) == (b != NULL));
        if (rc == TAIL_ANEW) {
            ck_assert_int_eq(tail_file_start_over(&reader, f, e.text), 0);
            continue;
        }
        if (rc != TAIL_BATCH && rc != TAIL_MORE)
            return rc;
        if (b == NULL)
            continue;
        ck_assert_uint_gt(b->count, 0);
        for (size_t i = 0; i < b->count; i++)
            add(&got, batch_offset(b, &b->records[i]), b->records[i].text, b->records[i].len);
        struct chunk *c = &b->chunk;
        if (hold)
            list_push(&held, &c->queued);
        else
            chunk_delivered(&c);
    }
}

/* What the records of ${text} must be. */
static void model(struct buf *out, const char *text, size_t len, bool last)
{
    size_t max = set.max_line_bytes;
    for (size_t at = 0; at < len;) {
        const char *stop = memchr(text + at, '\n', len - at);
        size_t n = stop != NULL ? (size_t)(stop - text) - at : len - at;
        if (stop == NULL && !last) { /* pieces that are known to be followed by more go at once */
            for (size_t piece = 0; set.on_long_line == TAIL_SPLIT && n - piece > max; piece += max)
                add(out, at + piece, text + at + piece, max);
            break;
        }
        if (n <= max)
            add(out, at, text + at, n);
        else if (set.on_long_line == TAIL_TRUNCATE)
            add(out, at, text + at, max);
        else if (set.on_long_line == TAIL_SPLIT)
            for (size_t piece = 0; piece < n; piece += max)
                add(out, at + piece, text + at + piece, n - piece < max ? n - piece : max);
        at += n + (stop != NULL);
    }
}

static void expect(const struct buf *want)
{
    size_t same = 0;
    while (same < want->len && same < got.len && want->data[same] == got.data[same])
        same++;
    ck_assert_msg(same == want->len && same == got.len,
                  "differs at %zu: %zu bytes, not %zu: %.40s, not %.40s", same, got.len, want->len,
                  buf_cstr(&got) + same, buf_cstr((struct buf *)(uintptr_t)want) + same);
}

/* ---- compressing ---- */

static enum unpack_kind kind; /* of the file that is written */
static z_stream z;
#ifdef HAVE_ZSTD
static ZSTD_CCtx *zstd;
#endif

static void packing(enum unpack_kind now)
{
    kind = now;
    set.compressed = true;
    if (kind == UNPACK_GZIP)
        ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
#ifdef HAVE_ZSTD
    if (kind == UNPACK_ZSTD)
        zstd = ZSTD_createCCtx();
#endif
}

static void packing_done(void)
{
    if (kind == UNPACK_GZIP)
        deflateEnd(&z);
#ifdef HAVE_ZSTD
    ZSTD_freeCCtx(zstd);
    zstd = NULL;
#endif
    kind = UNPACK_PLAIN;
}

/* Write ${text} so that it can be decoded; ${end}: and end the member. */
static void put(int fd, const char *text, size_t len, bool end)
{
    static char out[1 << 20];
    size_t n = len;
    if (kind == UNPACK_GZIP) {
        z.next_in = (z_const Bytef *)(uintptr_t)text;
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)out;
        z.avail_out = sizeof out;
        ck_assert_int_ge(deflate(&z, end ? Z_FINISH : Z_SYNC_FLUSH), Z_OK);
        n = sizeof out - z.avail_out;
        if (end)
            deflateReset(&z);
    }
#ifdef HAVE_ZSTD
    if (kind == UNPACK_ZSTD) {
        ZSTD_inBuffer in = {text, len, 0};
        ZSTD_outBuffer room = {out, sizeof out, 0};
        ck_assert_uint_eq(ZSTD_compressStream2(zstd, &room, &in, end ? ZSTD_e_end : ZSTD_e_flush), 0);
        n = room.pos;
    }
#endif
    ck_assert_int_eq(write(fd, kind > UNPACK_PLAIN ? out : text, n), (ssize_t)n);
}

/* Write ${text} in random pieces, read after each (${always}) or sometimes, and compare. */
static void grow_and_compare(const char *text, size_t len, size_t piece, uint64_t seed, bool last)
{
    struct buf want = {0};
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (size_t at = 0; at < len;) {
        size_t n = piece == 1 ? 1 : 1 + rig_random(&seed) % piece;
        if (n > len - at)
            n = len - at;
        put(fd, text + at, n, at + n == len || rig_random(&seed) % 8 == 0);
        at += n;
        if (piece != 1 && rig_random(&seed) % 4 == 0)
            continue;
        ck_assert_int_eq(read_all(false), TAIL_IDLE);
        if (rig_random(&seed) % 16 == 0)
            tail_file_close(f); /* opened again by itself */
        if (rig_random(&seed) % 16 == 0)
            tail_unpack_let_go(&reader, f); /* decoded again */
    }
    close(fd);
    ck_assert_int_eq(read_all(last), TAIL_IDLE);
    model(&want, text, len, last);
    expect(&want);
    buf_clear(&want);
    ck_assert_uint_eq(pool_held(r.pool), reader.unpack.held);
    uint64_t end = len;
    while (!last && end > 0 && text[end - 1] != '\n')
        end--;
    if (set.on_long_line != TAIL_SPLIT) {
        ck_assert_uint_eq(f->offset, end);
        ck_assert_uint_eq(ledger_acked(f->ledger), end);
    }
}

static char *random_lines(uint64_t seed, size_t lines, size_t typical, size_t *len)
{
    struct buf text = {0};
    for (size_t i = 0; i < lines; i++) {
        size_t n;
        switch (rig_random(&seed) % 8) {
        case 0: n = 0; break;
        case 1: n = set.max_line_bytes - 2 + rig_random(&seed) % 5; break; /* around the bound */
        case 2: n = set.max_line_bytes * 2 - 2 + rig_random(&seed) % 5; break;
        case 3: n = rig_random(&seed) % (4 * typical); break;
        default: n = rig_random(&seed) % typical; break;
        }
        for (size_t k = 0; k < n; k++)
            buf_char(&text, (char)('a' + rig_random(&seed) % 26));
        buf_char(&text, '\n');
    }
    *len = text.len;
    char *copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    buf_clear(&text);
    return copy;
}

/* max_line_bytes, typical line, lines, largest append */
static const struct {
    size_t max, typical, lines, piece;
} shapes[] = {
    {64, 40, 60, 1},
    {64, 40, 400, 50},
    {100, 90, 400, 1000},
    {1000, 500, 200, 3000},
    {32700, 2000, 60, 50000},                /* the room of a slab */
    {65535, 3000, 30, 70000},                /* the window */
    {65536, 3000, 30, 70000},
    {65537, 3000, 30, 200000},
    {SLAB - MARK_BYTES, 3000, 20, 100000},   /* slab and mark */
    {SLAB - MARK_BYTES - 1, 3000, 20, 9000},
    {300000, 3000, 12, 400000},              /* larger than a slab */
};
#define SHAPES ((int)(sizeof shapes / sizeof shapes[0]))

static void compare_with_model(int shape)
{
    for (int mode = TAIL_TRUNCATE; mode <= TAIL_SKIP; mode++) {
        for (uint64_t seed = 1; seed < 4; seed++) {
            size_t len;
            set.max_line_bytes = shapes[shape].max;
            set.on_long_line = mode;
            char *text = random_lines(seed * 31 + (uint64_t)mode, shapes[shape].lines, shapes[shape].typical, &len);
            if (seed != 1) /* an unfinished last line, short or too long */
                len -= text[len - 2] != '\n' ? 2 : 1;
            grow_and_compare(text, len, shapes[shape].piece, seed, seed != 3);
            free(text);
            tail_unpack_let_go(&reader, f);
            tail_file_free(&f);
            buf_clear(&got);
            rig_write(path, "", 0);
            open_file();
        }
    }
}

START_TEST(equals_the_model)
{
    compare_with_model(_i);
}
END_TEST

START_TEST(gzip_equals_the_model)
{
    packing(UNPACK_GZIP);
    compare_with_model(_i);
    packing_done();
}
END_TEST

#ifdef HAVE_ZSTD
START_TEST(zstd_equals_the_model)
{
    packing(UNPACK_ZSTD);
    compare_with_model(_i);
    packing_done();
}
END_TEST
#endif

/* Start at what the checkpoint knows of it. */
static void resume(const struct file_state *state)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    tail_unpack_let_go(&reader, f);
    tail_file_free(&f);
    f = tail_file_new(&reader, path, path, &st, state);
    buf_clear(&got);
}

START_TEST(a_compressed_file_is_resumed_within_its_text)
{
    struct buf want = {0};
    packing(UNPACK_GZIP);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\ntwo\nthr", 11, false);
    read_all(false);
    struct file_state state = f->entry->state;
    checkpoint_remove(r.checkpoint, f->entry);
    ck_assert_uint_eq(state.offset, 8);
    ck_assert_uint_eq(state.whole, 0);
    put(fd, "ee\n", 3, true);
    resume(&state);
    read_all(false);
    add(&want, 8, "three", 5);
    expect(&want);
    state = f->entry->state;
    ck_assert_uint_eq(state.whole, f->size);
    checkpoint_remove(r.checkpoint, f->entry);
    resume(&state);
    ck_assert_int_eq(read_all(true), TAIL_IDLE);
    ck_assert_ptr_null(reader.unpack.owner); /* nothing was decoded to find that there is nothing new */
    put(fd, "four\n", 5, true);
    want.len = 0;
    add(&want, 14, "four", 4);
    read_all(false);
    expect(&want);
    close(fd);
    packing_done();
    buf_clear(&want);
}
END_TEST

START_TEST(a_compressed_file_with_other_text_starts_over)
{
    struct buf want = {0};
    packing(UNPACK_GZIP);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\ntwo\n", 8, true);
    read_all(false);
    struct file_state state = f->entry->state;
    checkpoint_remove(r.checkpoint, f->entry);
    state.mark.crc ^= 1;
    state.whole = 0;
    resume(&state);
    read_all(false);
    model(&want, "one\ntwo\n", 8, false);
    expect(&want);
    checkpoint_remove(r.checkpoint, f->entry);
    state = (struct file_state){.dev = state.dev, .ino = state.ino, .head = state.head, .offset = 1000};
    resume(&state); /* shorter than the offset */
    read_all(false);
    expect(&want);
    close(fd);
    packing_done();
    buf_clear(&want);
}
END_TEST

START_TEST(what_is_damaged_is_read_up_to_there_and_told_once)
{
    struct buf want = {0};
    packing(UNPACK_GZIP);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\ntw", 6, true);
    ck_assert_int_eq(write(fd, "\x1f\x8b\x08\x00garbage that is no member", 28), 28);
    ck_assert_int_eq(read_all(false), TAIL_FAILED);
    add(&want, 0, "one", 3);
    add(&want, 4, "tw", 2);
    expect(&want);
    ck_assert_int_eq(read_all(true), TAIL_IDLE);
    ck_assert_ptr_null(reader.unpack.owner);
    close(fd);
    packing_done();
    buf_clear(&want);
}
END_TEST

START_TEST(padding_is_passed_over_and_a_torn_end_told)
{
    struct buf want = {0};
    packing(UNPACK_GZIP);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\n", 4, true);
    ck_assert_int_eq(write(fd, "\0\0\0\0", 4), 4);
    put(fd, "two\nthr", 7, false);
    ck_assert_int_eq(read_all(false), TAIL_IDLE);
    model(&want, "one\ntwo\n", 8, false);
    expect(&want);
    ck_assert_uint_eq(r.stats.errors, 0);
    ck_assert_int_eq(read_all(true), TAIL_IDLE);
    ck_assert_int_eq(read_all(true), TAIL_IDLE);
    add(&want, 8, "thr", 3);
    expect(&want);
    ck_assert_uint_eq(r.stats.errors, 1);
    close(fd);
    packing_done();
    buf_clear(&want);
}
END_TEST

START_TEST(a_compressed_file_is_plain_unless_asked_for)
{
    packing(UNPACK_GZIP);
    set.compressed = false;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\n", 4, true);
    close(fd);
    read_all(true);
    ck_assert(got.len > 4 && memcmp(got.data, "0:\x1f\x8b", 4) == 0);
    packing_done();
}
END_TEST

START_TEST(what_was_there_can_be_passed_over)
{
    struct buf want = {0};
    struct err e = {0};
    packing(UNPACK_GZIP);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    put(fd, "one\ntwo\n", 8, true);
    ck_assert_int_eq(tail_file_skip(&reader, f, &e), TAIL_IDLE);
    read_all(false);
    ck_assert_uint_eq(got.len, 0);
    put(fd, "three\n", 6, true);
    read_all(false);
    add(&want, 8, "three", 5);
    expect(&want);
    close(fd);
    packing_done();
    buf_clear(&want);
}
END_TEST

START_TEST(counts_long_lines)
{
    char text[400];
    memset(text, 'x', sizeof text);
    text[399] = '\n';
    set.max_line_bytes = 100;
    for (int mode = TAIL_TRUNCATE; mode <= TAIL_SKIP; mode++) {
        set.on_long_line = mode;
        r.stats = (struct stage_stats){0};
        rig_append(path, text, sizeof text);
        ck_assert_int_eq(read_all(false), TAIL_IDLE);
        ck_assert_uint_eq(r.stats.truncated > 0, mode != TAIL_SKIP);
        ck_assert_uint_eq(r.stats.dropped[0].records, mode == TAIL_SKIP);
        ck_assert_uint_eq(r.stats.records_out, mode == TAIL_TRUNCATE ? 1 : mode == TAIL_SPLIT ? 4 : 0);
    }
}
END_TEST

START_TEST(strips_carriage_returns)
{
    struct buf want = {0};
    set.strip_cr = true;
    rig_append(path, "a\r\n\r\nb\n\rc\r", 10);
    read_all(true);
    add(&want, 0, "a", 1);
    add(&want, 3, "", 0);
    add(&want, 5, "b", 1);
    add(&want, 7, "\rc", 2);
    expect(&want);
    buf_clear(&want);
}
END_TEST

START_TEST(a_truncated_file_starts_over)
{
    struct buf want = {0};
    rig_append(path, "one\ntwo\npart", 12);
    read_all(false);
    rig_write(path, "new\n", 4); /* shorter */
    read_all(false);
    add(&want, 0, "one", 3);
    add(&want, 4, "two", 3);
    add(&want, 0, "new", 3);
    expect(&want);
    ck_assert_uint_eq(ledger_acked(f->ledger), 4);
    ck_assert_uint_eq(f->entry->state.offset, 4);
    rig_write(path, "", 0);
    ck_assert_int_eq(read_all(false), TAIL_IDLE);
    ck_assert_uint_eq(f->offset, 0);
    rig_append(path, "next\n", 5);
    read_all(false);
    add(&want, 0, "next", 4);
    expect(&want);
    buf_clear(&want);
}
END_TEST

/* Written anew while nobody looked: longer, as long, with the same first line or not, open or closed. */
START_TEST(a_file_written_anew_is_noticed)
{
    static const char *const second[] = {"ONE\nTWO\nTHREE\n", "ONE\nTWO\n", "one\nTWO\n", "one\nTWO\nthree\n"};
    for (int i = 0; i < 4; i++) {
        for (int closed = 0; closed < 2; closed++) {
            struct buf want = {0};
            buf_clear(&got);
            tail_file_free(&f);
            rig_write(path, "one\ntwo\n", 8);
            open_file();
            read_all(false);
            ck_assert_int_eq(read_all(false), TAIL_IDLE);
            if (closed)
                tail_file_close(f);
            usleep(12000); /* more than the grain of a file's time */
            rig_write(path, second[i], strlen(second[i]));
            read_all(false);
            model(&want, "one\ntwo\n", 8, false);
            model(&want, second[i], strlen(second[i]), false);
            expect(&want);
            ck_assert_uint_eq(ledger_acked(f->ledger), strlen(second[i]));
            buf_clear(&want);
        }
    }
}
END_TEST

START_TEST(a_resumed_file_goes_on_if_it_is_the_same)
{
    struct buf want = {0};
    struct stat st;
    rig_append(path, "one\ntwo\n", 8);
    read_all(false);
    struct file_state state = f->entry->state;
    ck_assert_uint_eq(state.offset, 8);
    checkpoint_remove(r.checkpoint, f->entry);
    for (int changed = 0; changed < 3; changed++) {
        tail_file_free(&f);
        buf_clear(&got);
        buf_clear(&want);
        if (changed == 0)
            rig_append(path, "three\n", 6);
        else if (changed == 1)
            rig_write(path, "one\nTWO\nthree\n", 14); /* other bytes before the offset */
        else
            rig_write(path, "one\n", 4); /* shorter than the offset */
        stat(path, &st);
        f = tail_file_new(&reader, path, path, &st, &state);
        read_all(false);
        if (changed == 0)
            add(&want, 8, "three", 5);
        else if (changed == 1)
            model(&want, "one\nTWO\nthree\n", 14, false);
        else
            model(&want, "one\n", 4, false);
        expect(&want);
        checkpoint_remove(r.checkpoint, f->entry);
    }
    buf_clear(&want);
}
END_TEST

START_TEST(a_resumed_file_with_its_old_head_may_be_shorter)
{
    struct buf text = {0}, want = {0};
    struct stat st;
    for (int i = 0; i < 500; i++)
        buf_fmt(&text, "line %d\n", i);
    rig_append(path, text.data, text.len);
    read_all(false);
    struct file_state state = f->entry->state;
    checkpoint_remove(r.checkpoint, f->entry);
    tail_file_free(&f);
    got.len = 0;
    ck_assert_int_eq(truncate(path, 2 * HEAD_BYTES), 0); /* in the middle of a line */
    stat(path, &st);
    f = tail_file_new(&reader, path, path, &st, &state);
    read_all(false);
    model(&want, text.data, 2 * HEAD_BYTES, false);
    expect(&want);
    buf_clear(&text);
    buf_clear(&want);
}
END_TEST

START_TEST(the_offset_waits_for_delivery)
{
    hold = true;
    for (int i = 0; i < 5; i++) {
        rig_append(path, "line\n", 5);
        read_all(false);
    }
    ck_assert_uint_eq(f->offset, 25);
    ck_assert_uint_eq(f->entry->state.offset, 0);
    struct chunk *c[5];
    for (int i = 0; i < 5; i++)
        c[i] = LIST_ENTRY(list_shift(&held), struct chunk, queued);
    chunk_delivered(&c[1]);
    ck_assert_uint_eq(f->entry->state.offset, 0);
    chunk_delivered(&c[0]);
    ck_assert_uint_eq(f->entry->state.offset, 10);
    chunk_free(&c[2]); /* failed: blocks */
    chunk_delivered(&c[3]);
    chunk_delivered(&c[4]);
    ck_assert_uint_eq(f->entry->state.offset, 10);
    /* Chunks of a former content say nothing about the new one. */
    rig_append(path, "x\n", 2);
    read_all(false);
    rig_write(path, "", 0);
    hold = false;
    read_all(false);
    rig_append(path, "y\n", 2);
    read_all(false);
    ck_assert_uint_eq(f->entry->state.offset, 2);
    struct chunk *old = LIST_ENTRY(list_shift(&held), struct chunk, queued);
    chunk_delivered(&old);
    ck_assert_uint_eq(f->entry->state.offset, 2);
}
END_TEST

START_TEST(no_room_is_told_and_nothing_is_lost)
{
    struct buf want = {0};
    size_t len;
    set.max_line_bytes = 200000;
    char *text = random_lines(9, 30, 20000, &len);
    rig_write(path, text, len);
    hold = true;
    pool_set_limit(r.pool, 3 * SLAB);
    unsigned stalls = 0;
    while (read_all(false) == TAIL_NO_ROOM) {
        ck_assert_uint_le(pool_used(r.pool), 16 * SLAB);
        ck_assert(!list_empty(&held)); /* else nobody would ever make room */
        ck_assert_uint_lt(stalls++, 1000);
        struct chunk *c = LIST_ENTRY(list_shift(&held), struct chunk, queued);
        chunk_delivered(&c);
    }
    ck_assert_uint_gt(stalls, 3);
    model(&want, text, len, false);
    expect(&want);
    buf_clear(&want);
    free(text);
}
END_TEST

START_TEST(reading_without_memory_loses_nothing)
{
    static const char text[] = "one\ntwo\na line that is longer than sixty-four bytes, so that it is truncated there\nthree\n";
    set.max_line_bytes = 64;
    for (int mode = TAIL_TRUNCATE; mode <= TAIL_SKIP; mode++) {
        bool over = false;
        set.on_long_line = mode;
        for (unsigned long n = 1; !over; n++) {
            struct buf want = {0};
            tail_file_free(&f);
            tail_reader_let_go(&reader);
            got.len = 0;
            buf_reserve(&got, 4096);
            rig_write(path, text, sizeof text - 1);
            open_file();
            mem_fail_at(n);
            enum tail_outcome rc = read_all(false);
            over = !mem_failed();
            mem_fail_at(0);
            ck_assert(over == (rc == TAIL_IDLE));
            ck_assert(rc != TAIL_FAILED || f->offset <= sizeof text - 1);
            if (rc != TAIL_IDLE)
                ck_assert_int_eq(read_all(false), TAIL_IDLE);
            model(&want, text, sizeof text - 1, false);
            expect(&want);
            ck_assert_uint_eq(ledger_acked(f->ledger), sizeof text - 1);
            buf_clear(&want);
        }
    }
}
END_TEST

START_TEST(what_stands_in_its_place_is_not_taken_for_it)
{
    struct err e = {0};
    struct batch *b = NULL;
    rig_append(path, "one\n", 4);
    read_all(false);
    tail_file_close(f);
    ck_assert_int_eq(rename(path, rig_path(&r, "other")), 0);
    ck_assert_int_eq(tail_file_read(&reader, f, false, &b, &e), TAIL_VANISHED);
    rig_write(path, "another\n", 8);
    ck_assert_int_eq(tail_file_read(&reader, f, false, &b, &e), TAIL_VANISHED);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not block */
    ck_assert_int_eq(tail_file_read(&reader, f, false, &b, &e), TAIL_VANISHED);
    unlink(path);
    ck_assert_int_eq(symlink("other", path), 0);
    set.follow_symlinks = false;
    ck_assert_int_eq(tail_file_read(&reader, f, false, &b, &e), TAIL_FAILED);
    set.follow_symlinks = true;
    ck_assert_int_eq(read_all(false), TAIL_IDLE); /* the same file */
    tail_file_close(f);
    struct rlimit old, none;
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    enum tail_outcome rc = tail_file_read(&reader, f, false, &b, &e);
    setrlimit(RLIMIT_NOFILE, &old);
    ck_assert_int_eq(rc, TAIL_BUSY);
    ck_assert_int_eq(read_all(false), TAIL_IDLE);
}
END_TEST

START_TEST(starts_at_the_end)
{
    struct err e = {0};
    struct buf want = {0};
    rig_append(path, "old\nold, unfin", 14);
    ck_assert_int_eq(tail_file_skip(&reader, f, &e), TAIL_IDLE);
    rig_append(path, "ished\nnew\n", 10);
    read_all(false);
    add(&want, 14, "ished", 5);
    add(&want, 20, "new", 3);
    expect(&want);
    ck_assert_uint_eq(ledger_acked(f->ledger), 24);
    buf_clear(&want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tail_file");
    TCase *t = tcase_create("tail_file");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, equals_the_model, 0, SHAPES);
    tcase_add_loop_test(t, gzip_equals_the_model, 0, SHAPES);
#ifdef HAVE_ZSTD
    tcase_add_loop_test(t, zstd_equals_the_model, 0, SHAPES);
#endif
    tcase_add_test(t, a_compressed_file_is_resumed_within_its_text);
    tcase_add_test(t, a_compressed_file_with_other_text_starts_over);
    tcase_add_test(t, what_is_damaged_is_read_up_to_there_and_told_once);
    tcase_add_test(t, padding_is_passed_over_and_a_torn_end_told);
    tcase_add_test(t, a_compressed_file_is_plain_unless_asked_for);
    tcase_add_test(t, what_was_there_can_be_passed_over);
    tcase_add_test(t, counts_long_lines);
    tcase_add_test(t, strips_carriage_returns);
    tcase_add_test(t, a_truncated_file_starts_over);
    tcase_add_test(t, a_file_written_anew_is_noticed);
    tcase_add_test(t, a_resumed_file_goes_on_if_it_is_the_same);
    tcase_add_test(t, a_resumed_file_with_its_old_head_may_be_shorter);
    tcase_add_test(t, the_offset_waits_for_delivery);
    tcase_add_test(t, no_room_is_told_and_nothing_is_lost);
    tcase_add_test(t, reading_without_memory_loses_nothing);
    tcase_add_test(t, what_stands_in_its_place_is_not_taken_for_it);
    tcase_add_test(t, starts_at_the_end);
    suite_add_tcase(s, t);
    return rig_main(s);
}
