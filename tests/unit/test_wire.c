/* Text to records, and records to the bytes of a sink. */
#include "rig.h"

#include <stdio.h>

#include "fixture.h"
#include "record/wire.h"

/* ---- lines ------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t longest;
    bool strip;
    const char *records; /* with | between; a trailing | is an empty last record */
    size_t used, too_long;
} lines[] = {
    {"", 10, false, NULL, 0, 0},
    {"a", 10, false, NULL, 0, 0},
    {"\n", 10, false, "", 1, 0},
    {"\n\n\n", 10, false, "||", 3, 0},
    {"a\nbc\n\nd", 10, false, "a|bc|", 6, 0},
    {"a\r\nb\r\n", 10, false, "a\r|b\r", 6, 0},
    {"a\r\nb\r\n", 10, true, "a|b", 6, 0},
    {"\r\n\r\r\nx\n", 10, true, "|\r|x", 7, 0},
    {"a\rb\n", 10, true, "a\rb", 4, 0},
    {"0123456789\nx\n", 10, false, "0123456789|x", 13, 0},
    {"0123456789a\nx\n", 10, false, NULL, 0, 12},
    {"x\n0123456789a\ny\n", 10, false, "x", 2, 12},
    {"012345678\r\n", 9, true, NULL, 0, 11}, /* the bound counts what stands before the '\n' */
    {"ab\n", 2, false, "ab", 3, 0},
    {"ab\n", 1, false, NULL, 0, 3},
    {"\n", 0, false, "", 1, 0},
};

START_TEST(cuts_lines)
{
    size_t used, too_long, len = strlen(lines[_i].text);
    struct batch *b = batch_new(NULL, NULL, NULL);
    char *text = malloc(len + 1); /* exact, so that a sanitizer sees a byte too far */
    memcpy(text, lines[_i].text, len);
    ck_assert_int_eq(lines_add(b, text, len, lines[_i].longest, lines[_i].strip, &used, &too_long), 0);
    ck_assert_uint_eq(used, lines[_i].used);
    ck_assert_uint_eq(too_long, lines[_i].too_long);
    ck_assert_uint_eq(b->bytes, used);
    struct buf joined = {0};
    for (size_t i = 0; i < b->count; i++) {
        if (i > 0)
            buf_char(&joined, '|');
        buf_add(&joined, b->records[i].text, b->records[i].len);
        bool ended = b->records[i].text[b->records[i].len] == '\n';
        ck_assert_int_eq(b->records[i].flags, ended ? RECORD_ENDED : 0);
    }
    if (lines[_i].records == NULL)
        ck_assert_uint_eq(b->count, 0);
    else
        ck_assert_str_eq(buf_cstr(&joined), lines[_i].records);
    buf_clear(&joined);
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    free(text);
}
END_TEST

START_TEST(a_rest_is_a_record_without_end)
{
    struct batch *b = batch_new(NULL, NULL, NULL);
    ck_assert_int_eq(lines_add_rest(b, "rest\r", 5, false), 0);
    ck_assert_int_eq(lines_add_rest(b, "rest\r", 5, true), 0);
    ck_assert_int_eq(lines_add_rest(b, "", 0, true), 0);
    ck_assert_uint_eq(b->records[0].len, 5);
    ck_assert_uint_eq(b->records[1].len, 4);
    ck_assert_uint_eq(b->records[2].len, 0);
    ck_assert_uint_eq(b->records[0].flags | b->records[1].flags, 0);
    ck_assert_uint_eq(b->bytes, 10);
    struct chunk *c = &b->chunk;
    chunk_free(&c);
}
END_TEST

START_TEST(one_byte_at_a_time_equals_whole)
{
    static const char text[] = "one\n\ntwo\r\n\r\n\rthree\nfour\n\n\nlonger than the others\nrest";
    size_t len = strlen(text), at = 0, used, too_long;
    struct batch *whole = batch_new(NULL, NULL, NULL), *bytes = batch_new(NULL, NULL, NULL);
    ck_assert_int_eq(lines_add(whole, text, len, 100, true, &used, &too_long), 0);
    for (size_t have = 1; have <= len; have++) {
        size_t took;
        ck_assert_int_eq(lines_add(bytes, text + at, have - at, 100, true, &took, &too_long), 0);
        at += took;
    }
    ck_assert_uint_eq(at, used);
    ck_assert_uint_eq(bytes->count, whole->count);
    for (size_t i = 0; i < whole->count; i++) {
        ck_assert_ptr_eq(bytes->records[i].text, whole->records[i].text);
        ck_assert_uint_eq(bytes->records[i].len, whole->records[i].len);
        ck_assert_uint_eq(bytes->records[i].flags, whole->records[i].flags);
    }
    struct chunk *a = &whole->chunk, *b = &bytes->chunk;
    chunk_free(&a);
    chunk_free(&b);
}
END_TEST

/* ---- wire -------------------------------------------------------------------------------------- */

enum kind { PLAIN, UNENDED, DOC, CHANGED, KINDS };

static const char *const json_line = "{\"b\": 1.50, \"message\":\"mé \\u0041\"}";

/* What one record must be, by the independent way: rendered by itself, framed by hand. */
static void expect_record(struct buf *out, const struct record *r, enum render_encoding encoding,
                          enum wire_framing framing)
{
    struct buf body = {0};
    render_record(&body, r, encoding);
    if (framing == WIRE_OCTET_COUNTING)
        buf_fmt(out, "%zu ", body.len);
    for (int shift = 24; framing == WIRE_LENGTH_PREFIX && shift >= 0; shift -= 8)
        buf_char(out, (char)(body.len >> shift & 0xff));
    buf_add(out, body.data, body.len);
    if (framing == WIRE_NEWLINE)
        buf_char(out, '\n');
    buf_clear(&body);
}

/* A batch of ${n} records: runs of plain lines of ${size} bytes each, with other kinds in between as ${mix} says (base KINDS,
 * one digit a record, repeated). */
static struct chunk *make(struct rig *r, unsigned n, size_t size, unsigned mix, struct ticket *t)
{
    struct buf text = {0};
    struct path *message = fixture_path(".message"), *added = fixture_path(".added");
    unsigned digits = mix;
    for (unsigned i = 0; i < n; i++, digits = digits >= KINDS ? digits / KINDS : mix) {
        enum kind k = digits % KINDS;
        if (k == DOC || k == CHANGED) {
            buf_str(&text, json_line);
        } else {
            for (size_t j = 0; j < size; j++)
                buf_char(&text, (char)('a' + (i + j) % 26));
        }
        buf_char(&text, '\n');
    }
    struct chunk *c = rig_chunk(r, text.data, text.len, t);
    struct batch *b = chunk_batch(c);
    digits = mix;
    for (unsigned i = 0; i < n; i++, digits = digits >= KINDS ? digits / KINDS : mix) {
        enum kind k = digits % KINDS;
        struct record *rec = &b->records[i];
        if (k == UNENDED)
            rec->flags = 0;
        if (k == DOC || k == CHANGED)
            ck_assert_int_eq(record_parse(b, rec, message, NULL, NULL), DOC_OK);
        if (k == CHANGED) {
            struct value v = {.type = VALUE_BOOL, .u.b = true};
            ck_assert_int_eq(record_set(b, rec, added, &v), DOC_OK);
            ck_assert(rec->flags & RECORD_CHANGED);
        }
    }
    path_free(&message);
    path_free(&added);
    buf_clear(&text);
    batch_weigh(b);
    return c;
}

static void check_wire(struct rig *r, struct chunk *c, struct receipt *t,
                       enum render_encoding encoding, enum wire_framing framing)
{
    struct batch *b = chunk_batch(c);
    struct buf want = {0}, preview = {0};
    size_t n = b->count, *ends = malloc(n * sizeof *ends);
    for (size_t i = 0; i < n; i++) {
        expect_record(&want, &b->records[i], encoding, framing);
        ends[i] = want.len;
    }
    ck_assert_int_eq(wire_preview(c, encoding, framing, &preview), 0);
    ck_assert_uint_eq(preview.len, want.len);
    ck_assert_mem_eq(preview.data, want.data, want.len);

    struct wire *w = wire_new(r->pool, c, encoding, framing);
    ck_assert_ptr_nonnull(w);
    ck_assert_uint_eq(w->bytes, want.len);
    ck_assert_uint_eq(w->records, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(w->ends[i], ends[i]);
    bool in_slab = false;
    size_t step = want.len > 20000 ? 997 : want.len > 1000 ? 13 : 1;
    for (size_t from = 0; from <= want.len; from += from < 50 || from + 50 > want.len ? 1 : step) {
        struct iovec v[512];
        size_t at = from;
        int max = from % 3 == 0 ? 1 : 512, count; /* few at a time too */
        while ((count = wire_pieces(w, at, v, max)) > 0) {
            ck_assert_int_le(count, max);
            for (int i = 0; i < count; i++) {
                ck_assert_uint_gt(v[i].iov_len, 0);
                ck_assert_uint_le(at + v[i].iov_len, want.len);
                ck_assert_mem_eq(v[i].iov_base, want.data + at, v[i].iov_len);
                at += v[i].iov_len;
                in_slab |= v[i].iov_len >= 4096;
            }
        }
        ck_assert_uint_eq(at, want.len);
    }
    size_t record = 0;
    for (size_t at = 0; at <= want.len; at++) {
        while (record < n && ends[record] <= at)
            record++;
        ck_assert_uint_eq(wire_boundary(w, at), record == 0 ? 0 : ends[record - 1]);
    }
    ck_assert_uint_eq(t->settled, 0);
    if (w->chunk == NULL && w->slab == NULL) /* let go at once: only what was copied is charged */
        ck_assert_uint_eq(pool_used(r->pool), w->charged);
    wire_delivered(&w);
    ck_assert(t->settled == 1 && t->delivered);
    ck_assert_uint_eq(pool_used(r->pool), 0);
    buf_clear(&want);
    buf_clear(&preview);
    free(ends);
}

enum { FRAMINGS = 3 };
static const enum wire_framing framings[FRAMINGS] = {WIRE_NEWLINE, WIRE_OCTET_COUNTING, WIRE_LENGTH_PREFIX};
static const enum render_encoding encodings[] = {RENDER_AUTO, RENDER_JSON, RENDER_TEXT};

START_TEST(every_framing_encoding_and_kind)
{
    struct rig r;
    rig_open(&r, 1 << 24, 1 << 16);
    for (int f = 0; f < FRAMINGS; f++) {
        for (int e = 0; e < 3; e++) {
            for (unsigned mix = 0; mix < 256; mix++) {
                struct receipt t;
                receipt_init(&t);
                struct chunk *c = make(&r, 9, mix % 7, mix, &t.ticket);
                check_wire(&r, c, &t, encodings[e], framings[f]);
            }
        }
    }
    rig_close(&r);
}
END_TEST

START_TEST(runs_around_the_size_that_is_copied)
{
    struct rig r;
    rig_open(&r, 1 << 24, 1 << 16);
    /* Runs of untouched lines of 16 KiB in all, and some less and more, alone and with others around. */
    for (size_t run = 16378; run <= 16389; run++) {
        for (unsigned mix = 0; mix < 3; mix++) {
            static const unsigned mixes[] = {PLAIN, PLAIN + DOC * KINDS, CHANGED + PLAIN * KINDS};
            for (int f = 0; f < FRAMINGS; f++) {
                struct receipt t;
                receipt_init(&t);
                struct chunk *c = make(&r, 5, run - 1, mixes[mix], &t.ticket);
                check_wire(&r, c, &t, RENDER_AUTO, framings[f]);
            }
        }
    }
    rig_close(&r);
}
END_TEST

START_TEST(dropped_records_break_a_run)
{
    struct rig r;
    rig_open(&r, 1 << 24, 1 << 16);
    for (unsigned keep = 1; keep < 256; keep++) {
        struct receipt t;
        receipt_init(&t);
        struct chunk *c = make(&r, 8, 6000, PLAIN, &t.ticket);
        struct batch *b = chunk_batch(c);
        size_t kept = 0;
        for (unsigned i = 0; i < 8; i++)
            if (keep & 1u << i)
                b->records[kept++] = b->records[i];
        b->count = kept;
        check_wire(&r, c, &t, RENDER_AUTO, WIRE_NEWLINE);
    }
    rig_close(&r);
}
END_TEST

START_TEST(a_blob_is_one_whole)
{
    struct rig r;
    struct receipt t;
    struct iovec v[4];
    rig_open(&r, 1 << 20, 4096);
    receipt_init(&t);
    struct blob *b = blob_new(r.pool, mem_strdup("0123456789"), 10);
    ticket_set_add(&b->tickets, &t.ticket);
    b->records = 3;
    struct wire *w = wire_new(r.pool, &b->chunk, RENDER_AUTO, WIRE_OCTET_COUNTING);
    ck_assert_uint_eq(w->bytes, 10);
    ck_assert_uint_eq(w->records, 3);
    for (size_t at = 0; at < 10; at++) {
        ck_assert_uint_eq(wire_boundary(w, at), 0);
        ck_assert_int_eq(wire_pieces(w, at, v, 4), 1);
        ck_assert_uint_eq(v[0].iov_len, 10 - at);
        ck_assert_mem_eq(v[0].iov_base, "0123456789" + at, 10 - at);
    }
    ck_assert_uint_eq(wire_boundary(w, 10), 10);
    ck_assert_int_eq(wire_pieces(w, 10, v, 4), 0);
    wire_free(&w);
    ck_assert(t.settled == 1 && !t.delivered);
    rig_close(&r);
}
END_TEST

START_TEST(a_wire_without_memory)
{
    struct rig r;
    rig_open(&r, 1 << 24, 1 << 16);
    for (int f = 0; f < FRAMINGS; f++) {
        bool over = false;
        for (unsigned long n = 1; !over; n++) {
            struct receipt t;
            receipt_init(&t);
            struct chunk *c = make(&r, 40, 17000, PLAIN + CHANGED * KINDS, &t.ticket);
            mem_fail_at(n);
            struct wire *w = wire_new(r.pool, c, RENDER_AUTO, framings[f]);
            over = !mem_failed();
            mem_fail_at(0);
            ck_assert_int_eq(w == NULL, !over);
            ck_assert_int_eq(t.settled, !over);
            ck_assert(!t.delivered);
            wire_free(&w);
            ck_assert_uint_eq(pool_used(r.pool), 0);
        }
        over = false;
        struct receipt t;
        receipt_init(&t);
        struct chunk *c = make(&r, 4, 10, PLAIN + CHANGED * KINDS, &t.ticket);
        for (unsigned long n = 1; !over; n++) {
            struct buf out = {0};
            mem_fail_at(n);
            int rc = wire_preview(c, RENDER_AUTO, framings[f], &out);
            over = !mem_failed();
            mem_fail_at(0);
            ck_assert(over == (rc == 0 && !out.failed));
            buf_clear(&out);
        }
        chunk_delivered(&c);
    }
    rig_close(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("lines");
    tcase_add_loop_test(t, cuts_lines, 0, (int)(sizeof lines / sizeof lines[0]));
    tcase_add_test(t, a_rest_is_a_record_without_end);
    tcase_add_test(t, one_byte_at_a_time_equals_whole);
    suite_add_tcase(s, t);
    t = tcase_create("wire");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_framing_encoding_and_kind);
    tcase_add_test(t, runs_around_the_size_that_is_copied);
    tcase_add_test(t, dropped_records_break_a_run);
    tcase_add_test(t, a_blob_is_one_whole);
    tcase_add_test(t, a_wire_without_memory);
    suite_add_tcase(s, t);
    return rig_main(s);
}
