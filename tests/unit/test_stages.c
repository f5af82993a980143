/* Transforms and the queue that drops: what goes in comes out or is counted, tickets follow. */
#include "rig.h"

#include <stdio.h>
#include <zlib.h>

#include "agent/queue.h"

static struct rig r;
static struct config *config;
static struct stream *s;
static struct catcher c;

static void setup(void)
{
    rig_open(&r, 16 << 20, 65536);
    rig_hush();
    config = NULL;
    s = NULL;
    c = (struct catcher){0};
    receipt_count = 0;
}

static void start(const char *transform)
{
    struct err e = {0};
    config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],'sinks':[{'type':'blackhole'}]}}}",
                        transform);
    const struct stage_config *stage = &config->pipelines[0].transforms.items[0];
    s = stage->type->open(&r.env, stage->settings, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    catcher_on(&c, s);
}

static void stop(void)
{
    stream_destroy(s, NULL);
    RIG_UNTIL(&r, c.is_closed, 3);
    catcher_off(&c);
    stream_free(&s);
    loop_tick(r.loop);
    config_free(&config);
    c = (struct catcher){0};
}

static void teardown(void)
{
    if (s != NULL)
        stop();
    rig_close(&r);
}

static void feed(const char *text, struct ticket *t)
{
    struct chunk *chunk = rig_lines(&r, text, t);
    ck_assert_ptr_nonnull(chunk);
    stream_write(s, chunk, NULL, NULL);
    loop_tick(r.loop);
}

/* ${len} bytes of gzip at ${data}, decompressed behind *${out}. Fails unless it is whole members. */
static void gunzip(struct buf *out, const char *data, size_t len)
{
    while (len > 0) {
        z_stream z = {0};
        int rc;
        ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
        z.next_in = (unsigned char *)(uintptr_t)data;
        z.avail_in = (uInt)len;
        do {
            ck_assert(buf_reserve(out, 65536));
            z.next_out = (unsigned char *)out->data + out->len;
            z.avail_out = (uInt)(out->cap - out->len);
            rc = inflate(&z, Z_NO_FLUSH);
            out->len = out->cap - z.avail_out;
        } while (rc == Z_OK);
        ck_assert_int_eq(rc, Z_STREAM_END);
        data += z.total_in;
        len -= z.total_in;
        inflateEnd(&z);
    }
}

/* ---- gzip -------------------------------------------------------------------------------------- */

#define CHUNKS 300

START_TEST(gzip_makes_whole_members_and_keeps_tickets)
{
    struct receipt t[CHUNKS];
    struct buf want = {0}, out = {0};
    size_t ends[CHUNKS];
    uint64_t seed = 3;
    char stage[100];
    c.hold = true;
    snprintf(stage, sizeof stage, "{'type':'gzip','level':%d,'flush_bytes':'4KiB','flush_interval':'1h'}", _i);
    start(stage);
    for (size_t i = 0; i < CHUNKS; i++) {
        char text[2000];
        size_t n = 0, lines = 1 + rig_random(&seed) % 20;
        for (size_t k = 0; k < lines; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "chunk %zu line %zu %llx\n", i, k,
                                  (unsigned long long)rig_random(&seed));
        receipt_init(&t[i]);
        feed(text, &t[i].ticket);
        buf_str(&want, text);
        ends[i] = want.len;
        ck_assert_uint_eq(t[i].settled, 0);
    }
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.ended, 3);
    ck_assert_uint_gt(c.chunks, 10);
    ck_assert_uint_eq(r.stats.records_in, r.stats.records_out);
    ck_assert_uint_eq(c.records, r.stats.records_in);
    ck_assert_uint_eq(r.stats.bytes_in, want.len);
    ck_assert_uint_eq(r.stats.bytes_out, c.bytes.len);
    /* After any number of members: what is readable is exactly what their tickets cover. */
    size_t settled = 0, at = 0;
    for (size_t m = 0; m < c.chunks; m++) {
        gunzip(&out, c.bytes.data + at, c.ends[m] - at);
        at = c.ends[m];
        ck_assert_uint_le(out.len, want.len);
        ck_assert_mem_eq(out.data, want.data, out.len);
        struct chunk *blob = LIST_ENTRY(list_shift(&c.held), struct chunk, queued);
        chunk_delivered(&blob);
        while (settled < CHUNKS && t[settled].settled) {
            ck_assert(t[settled].delivered);
            ck_assert_uint_eq(t[settled].order, settled + 1);
            settled++;
        }
        ck_assert_uint_eq(ends[settled - 1], out.len);
        for (size_t i = settled; i < CHUNKS; i++)
            ck_assert_uint_eq(t[i].settled, 0);
    }
    ck_assert_uint_eq(settled, CHUNKS);
    buf_clear(&want);
    buf_clear(&out);
}
END_TEST

START_TEST(gzip_closes_a_member_by_time)
{
    struct receipt t;
    receipt_init(&t);
    start("{'type':'gzip','flush_interval':'50ms'}");
    double before = loop_now();
    feed("one\n", &t.ticket);
    ck_assert_uint_eq(c.chunks, 0);
    RIG_UNTIL(&r, c.chunks == 1, 3);
    ck_assert(loop_now() - before > 0.04);
    ck_assert(t.settled == 1 && t.delivered);
    rig_run(&r, 0.15); /* no empty members */
    ck_assert_uint_eq(c.chunks, 1);
    feed("two\n", NULL);
    feed("three\n", NULL);
    RIG_UNTIL(&r, c.chunks == 2, 3);
    struct buf out = {0};
    gunzip(&out, c.bytes.data, c.bytes.len);
    ck_assert_str_eq(buf_cstr(&out), "one\ntwo\nthree\n");
    buf_clear(&out);
}
END_TEST

START_TEST(gzip_destroyed_in_a_member_fails_its_tickets)
{
    struct receipt t[2];
    receipt_init(&t[0]);
    receipt_init(&t[1]);
    start("{'type':'gzip','flush_interval':'1h'}");
    feed("one\n", &t[0].ticket);
    feed("two\n", &t[1].ticket);
    stop();
    ck_assert(t[0].settled == 1 && !t[0].delivered);
    ck_assert(t[1].settled == 1 && !t[1].delivered);
}
END_TEST

START_TEST(transforms_without_memory)
{
    static const char *const stages[] = {"{'type':'gzip','flush_bytes':1024}", "{'type':'gzip','level':1,'flush_bytes':1024}", "{'type':'json'}",
                                         "{'type':'filter','where':'.message contains \\\"o\\\"'}"};
    for (int i = 0; i < 4; i++) {
        bool over = false;
        for (unsigned long n = 1; !over; n++) {
            struct err e = {0};
            struct receipt t[3];
            size_t settled = 0;
            config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],"
                                "'sinks':[{'type':'blackhole'}]}}}", stages[i]);
            const struct stage_config *stage = &config->pipelines[0].transforms.items[0];
            mem_fail_at(n);
            s = stage->type->open(&r.env, stage->settings, &e);
            if (s != NULL) {
                catcher_on(&c, s);
                for (int k = 0; k < 3; k++) {
                    receipt_init(&t[k]);
                    struct chunk *chunk = rig_lines(&r, "{\"a\":[1,2,{\"b\":null}]}\none\n", &t[k].ticket);
                    if (chunk == NULL)
                        t[k].settled = 1;
                    else
                        stream_write(s, chunk, NULL, NULL);
                    loop_tick(r.loop);
                }
                stream_end(s, NULL);
                loop_tick(r.loop);
            }
            over = !mem_failed();
            mem_fail_at(0);
            if (s == NULL) {
                ck_assert_int_eq(e.code, ERR_NOMEM);
                config_free(&config);
                continue;
            }
            ck_assert(over == !err_is(&c.err) || !over);
            stop();
            for (int k = 0; k < 3; k++)
                settled += t[k].settled;
            ck_assert_uint_eq(settled, 3);
            ck_assert_uint_eq(pool_used(r.pool), 0);
        }
    }
}
END_TEST

/* ---- filter and json --------------------------------------------------------------------------- */

static const struct {
    const char *stage, *in, *out;
    unsigned dropped, errors;
} cases[] = {
    {"{'type':'filter','where':'.message == \\'a\\''}", "a\nb\na\n", "a\na\n", 1, 0},
    {"{'type':'filter','where':'true'}", "a\n\n", "a\n\n", 0, 0},
    {"{'type':'filter','where':'false'}", "a\n\nb\n", "", 3, 0},
    {"{'type':'filter','where':'.none'}", "a\n", "", 1, 0},
    {"{'type':'json'}", "{\"a\":1}\nnot\n[]\n", "{\"a\":1}\nnot\n[]\n", 0, 2},
    {"{'type':'json','on_error':'drop'}", "{\"a\":1}\nnot\n[]\n{}\n", "{\"a\":1}\n{}\n", 2, 2},
};

START_TEST(books_balance)
{
    struct receipt t;
    receipt_init(&t);
    start(cases[_i].stage);
    feed(cases[_i].in, &t.ticket);
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.ended, 3);
    ck_assert_str_eq(buf_cstr(&c.bytes), cases[_i].out);
    ck_assert_uint_eq(r.stats.dropped[0].records, cases[_i].dropped);
    ck_assert_uint_eq(r.stats.errors, cases[_i].errors);
    ck_assert_uint_eq(r.stats.records_in, r.stats.records_out + cases[_i].dropped);
    ck_assert(t.settled == 1 && t.delivered); /* also when all were dropped */
}
END_TEST

/* ---- the queue that drops ---------------------------------------------------------------------- */

#define OFFERED 200

START_TEST(a_full_queue_drops_and_counts)
{
    bool oldest = _i == 1;
    struct err e = {0};
    struct receipt t[OFFERED];
    struct chunk *probe = rig_lines(&r, "line 000\n", NULL);
    size_t weight = probe->weight;
    chunk_free(&probe);
    c.hold = true;
    s = queue_new(&r.env, 10 * weight, oldest, &e);
    ck_assert_ptr_nonnull(s);
    catcher_on(&c, s);
    loop_tick(r.loop);
    stream_pause(s); /* nobody takes anything */
    for (unsigned i = 0; i < OFFERED; i++) {
        char line[20];
        snprintf(line, sizeof line, "line %03u\n", i);
        receipt_init(&t[i]);
        feed(line, &t[i].ticket);
        ck_assert(!stream_needs_drain(s)); /* takes everything at once */
    }
    unsigned dropped = 0;
    for (unsigned i = 0; i < OFFERED; i++)
        if (t[i].settled) {
            ck_assert(t[i].delivered); /* given up on purpose */
            dropped++;
        }
    ck_assert_uint_eq(r.stats.dropped[0].records, dropped);
    ck_assert_str_eq(r.stats.dropped[0].reason, "queue full");
    ck_assert_uint_eq(r.stats.records_in, dropped); /* the stage behind counts the others itself */
    stream_end(s, NULL);
    stream_resume(s);
    RIG_UNTIL(&r, c.ended, 3);
    ck_assert_uint_eq(c.records + dropped, OFFERED);
    ck_assert_uint_ge(c.records, 10);
    ck_assert_uint_le(c.records, 13);
    ck_assert_int_eq(t[OFFERED - 1].settled, !oldest);
    char last[20];
    unsigned kept = 0;
    for (unsigned i = 0; i < OFFERED; i++) { /* in order */
        if (t[i].settled)
            continue;
        snprintf(last, sizeof last, "line %03u\n", i);
        ck_assert_mem_eq(c.bytes.data + 9 * kept++, last, 9);
    }
    catcher_release(&c, true);
    for (unsigned i = 0; i < OFFERED; i++)
        ck_assert(t[i].settled == 1 && t[i].delivered);
}
END_TEST

START_TEST(a_destroyed_queue_fails_what_waits)
{
    struct err e = {0};
    struct receipt t[5];
    s = queue_new(&r.env, 1 << 20, true, &e);
    catcher_on(&c, s);
    stream_pause(s);
    for (unsigned i = 0; i < 5; i++) {
        receipt_init(&t[i]);
        feed("x\n", &t[i].ticket);
    }
    stop();
    for (unsigned i = 0; i < 5; i++)
        ck_assert(t[i].settled == 1 && !t[i].delivered);
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        ck_assert_ptr_null(queue_new(&r.env, 1 << 20, true, &e));
        mem_fail_at(0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stages");
    TCase *t = tcase_create("stages");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, gzip_makes_whole_members_and_keeps_tickets, 1, 10); /* every level */
    tcase_add_test(t, gzip_closes_a_member_by_time);
    tcase_add_test(t, gzip_destroyed_in_a_member_fails_its_tickets);
    tcase_add_test(t, transforms_without_memory);
    tcase_add_loop_test(t, books_balance, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(t, a_full_queue_drops_and_counts, 0, 2);
    tcase_add_test(t, a_destroyed_queue_fails_what_waits);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
