/* Chunks as bytes and back; the queue on disk as a stream: tickets, order, failures of every allocation. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/disk_queue.h"
#include "base/log.h"
#include "record/doc.h"
#include "record/pack.h"
#include "record/path.h"
#include "record/render.h"

static struct rig r;

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    rig_hush();
}

static void teardown(void)
{
    rig_close(&r);
}

/* ---- pack -------------------------------------------------------------------------------------- */

static struct chunk *packed_and_back(struct chunk *c)
{
    struct buf bytes = {0};
    struct chunk *out;
    struct origin *origin = NULL;
    enum pack_kind kind = pack_add(&bytes, c);
    ck_assert(!bytes.failed);
    struct slab *slab = pool_slab_anyway(r.pool, bytes.len + 8);
    memcpy(slab->data + 8, bytes.data, bytes.len);
    ck_assert_int_eq(unpack(r.pool, slab, slab->data + 8, bytes.len, kind, (uint32_t)chunk_records(c), &origin, &out), UNPACK_OK);
    /* Shorter, or of another number of records, it is refused. */
    for (size_t len = 0; kind == PACK_BATCH && len < bytes.len; len++) {
        struct chunk *none;
        ck_assert_int_eq(unpack(r.pool, slab, slab->data + 8, len, kind, (uint32_t)chunk_records(c), &origin, &none), UNPACK_BAD);
        ck_assert_ptr_null(none);
    }
    origin_unref(origin);
    slab_unref(slab);
    buf_clear(&bytes);
    return out;
}

static void same_records(const struct batch *a, const struct batch *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        for (int e = RENDER_AUTO; e <= RENDER_TEXT; e++) {
            struct buf x = {0}, y = {0};
            render_record(&x, &a->records[i], (enum render_encoding)e);
            render_record(&y, &b->records[i], (enum render_encoding)e);
            ck_assert_uint_eq(x.len, y.len);
            ck_assert(x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
            buf_clear(&x);
            buf_clear(&y);
        }
        ck_assert_uint_eq(batch_offset(a, &a->records[i]), batch_offset(b, &b->records[i]));
        ck_assert_int_eq(batch_time(a, &a->records[i]), batch_time(b, &b->records[i]));
        ck_assert_int_eq(a->records[i].flags & RECORD_TRUNCATED, b->records[i].flags & RECORD_TRUNCATED);
        ck_assert_int_eq(a->records[i].doc != NULL, b->records[i].doc != NULL);
    }
}

/* Records of which some are parsed, some changed, some gone; with every kind of metadata. */
static struct chunk *mixed(void)
{
    struct chunk *c = rig_lines(&r, "plain\n{\"b\":1.50,\"a\":\"\\u00e9\"}\n\n{ \"x\" : 1 }\r\ngone\n{\"m\":{\"n\":12345678901234567890}}\nlast", NULL);
    struct batch *b = chunk_batch(c);
    struct path *message = path_new(".message", 8, NULL), *field = path_new(".m.new", 6, NULL);
    struct value v = value_string("v\"w", 3);
    ck_assert_uint_eq(b->count, 7);
    b->body->origin = origin_new("/var/log/a b.log", "/var/log/a.log", "host", "tail", "p");
    b->body->base_offset = 1000;
    b->body->time = 1234567890123456789;
    for (size_t i = 0; i < b->count; i++)
        record_parse(b, &b->records[i], message, NULL, NULL);
    ck_assert_int_eq(record_set(b, &b->records[5], field, &v), DOC_OK);
    b->records[0].flags |= RECORD_TRUNCATED;
    b->records[2].time = 77;
    memmove(&b->records[4], &b->records[5], 2 * sizeof *b->records); /* filtered */
    b->count--;
    path_free(&message);
    path_free(&field);
    batch_count_text(b);
    batch_weigh(b);
    return c;
}

START_TEST(a_batch_comes_back_as_it_was)
{
    struct chunk *c = mixed(), *back = packed_and_back(c);
    same_records(chunk_batch(c), chunk_batch(back));
    const struct origin *o = chunk_batch(back)->body->origin;
    ck_assert_str_eq(o->path, "/var/log/a b.log");
    ck_assert_str_eq(o->log, "/var/log/a.log");
    ck_assert_str_eq(o->host, "host");
    ck_assert_ptr_null(o->peer);
    ck_assert_uint_eq(batch_offset(chunk_batch(back), &chunk_batch(back)->records[1]), 1006);
    struct chunk *again = packed_and_back(back), *fork = chunk_fork(again);
    same_records(chunk_batch(c), chunk_batch(again));
    same_records(chunk_batch(c), chunk_batch(fork));
    chunk_free(&c);
    chunk_free(&back);
    chunk_free(&again);
    chunk_free(&fork);
}
END_TEST

START_TEST(a_blob_comes_back_as_it_was)
{
    char *data = mem_alloc(5);
    memcpy(data, "\0\1\2\3\4", 5);
    struct blob *b = blob_new(r.pool, data, 5);
    b->records = 3;
    struct chunk *c = &b->chunk, *back = packed_and_back(c);
    ck_assert_uint_eq(chunk_records(back), 3);
    ck_assert_uint_eq(chunk_blob(back)->len, 5);
    ck_assert_mem_eq(chunk_blob(back)->data, "\0\1\2\3\4", 5);
    chunk_free(&c);
    chunk_free(&back);
}
END_TEST

/* ---- the queue --------------------------------------------------------------------------------- */

static struct stage_env env;
static struct stage_stats stats;

static struct stream *open_queue(struct err *e)
{
    env = r.env;
    stats = (struct stage_stats){0};
    env.stats = &stats;
    env.queue_bytes = 1;
    return disk_queue_new(&env, r.dir, "s", 4 << 20, false, e);
}

START_TEST(tickets_end_when_it_is_on_disk_not_when_it_is_out)
{
    struct err e = {0};
    struct stream *s = open_queue(&e);
    struct receipt t[3];
    struct catcher c = {.hold = true};
    ck_assert_ptr_nonnull(s);
    catcher_on(&c, s);
    stream_pause(s);
    for (int i = 0; i < 3; i++) {
        char text[16];
        receipt_init(&t[i]);
        snprintf(text, sizeof text, "line %d\n", i);
        stream_write(s, rig_lines(&r, text, &t[i].ticket), NULL, NULL);
    }
    RIG_UNTIL(&r, t[2].settled, 10);
    ck_assert(t[0].delivered && t[1].delivered && t[2].delivered);
    ck_assert_uint_eq(disk_queue_kept(s), 3);
    ck_assert_uint_eq(disk_queue_unsafe(s), 0);
    stream_resume(s);
    RIG_UNTIL(&r, c.records == 3, 10);
    ck_assert_uint_eq(disk_queue_kept(s), 3);
    ck_assert_mem_eq(c.bytes.data, "line 0\nline 1\nline 2\n", 21);
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.ended, 10);
    rig_run(&r, 0.1);
    ck_assert(!c.is_closed); /* it waits for the sink */
    catcher_release(&c, true);
    RIG_UNTIL(&r, c.is_closed, 10);
    ck_assert_uint_eq(stats.records_out, 3);
    catcher_off(&c);
    stream_free(&s);
    s = open_queue(&e); /* nothing is left */
    ck_assert_uint_eq(disk_queue_kept(s), 0);
    stream_free(&s);
    rig_run(&r, 0.05);
}
END_TEST

START_TEST(what_the_sink_has_not_delivered_comes_again)
{
    struct err e = {0};
    struct stream *s = open_queue(&e);
    struct catcher c = {.hold = true};
    catcher_on(&c, s);
    stream_write(s, rig_lines(&r, "a\n", NULL), NULL, NULL);
    RIG_UNTIL(&r, c.records == 1, 10);
    catcher_release(&c, true);
    stream_write(s, rig_lines(&r, "b\n", NULL), NULL, NULL);
    stream_write(s, rig_lines(&r, "c\n", NULL), NULL, NULL);
    RIG_UNTIL(&r, c.records == 3, 10);
    stream_destroy(s, NULL);
    rig_run(&r, 0.05);
    ck_assert(!c.is_closed);
    catcher_release(&c, false); /* the sink fails */
    RIG_UNTIL(&r, c.is_closed, 10);
    catcher_off(&c);
    stream_free(&s);
    s = open_queue(&e);
    struct catcher d = {0};
    catcher_on(&d, s);
    stream_end(s, NULL);
    RIG_UNTIL(&r, d.is_closed, 10);
    ck_assert_uint_eq(d.bytes.len, 4);
    ck_assert_mem_eq(d.bytes.data, "b\nc\n", 4);
    catcher_off(&d);
    stream_free(&s);
    rig_run(&r, 0.05);
}
END_TEST

/* As long as it cannot be written nothing counts, and nothing comes out; it is tried again. */
START_TEST(nothing_counts_before_it_is_written)
{
    struct err e = {0};
    struct stream *s = open_queue(&e);
    struct catcher c = {0};
    struct receipt t;
    const char *segment = rig_path(&r, "queue/test/s/0000000000000000.seg");
    receipt_init(&t);
    catcher_on(&c, s);
    ck_assert_int_eq(mkdir(segment, 0700), 0);
    stream_write(s, rig_lines(&r, "a line\n", &t.ticket), NULL, NULL);
    rig_run(&r, 0.6);
    ck_assert_uint_eq(t.settled, 0);
    ck_assert_uint_eq(c.records, 0);
    ck_assert_uint_eq(disk_queue_unsafe(s), 1);
    ck_assert_uint_eq(disk_queue_kept(s), 0);
    ck_assert_int_eq(rmdir(segment), 0);
    RIG_UNTIL(&r, t.settled && c.records == 1, 10);
    ck_assert(t.delivered);
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.is_closed, 10);
    catcher_off(&c);
    stream_free(&s);
    rig_run(&r, 0.05);
}
END_TEST

/* Destroyed while it cannot be written: its tickets fail. */
START_TEST(destroyed_before_it_is_written_it_fails)
{
    struct err e = {0};
    struct stream *s = open_queue(&e);
    struct catcher c = {0};
    struct receipt t[2];
    catcher_on(&c, s);
    ck_assert_int_eq(mkdir(rig_path(&r, "queue/test/s/0000000000000000.seg"), 0700), 0);
    for (int i = 0; i < 2; i++) {
        receipt_init(&t[i]);
        stream_write(s, rig_lines(&r, "a line\n", &t[i].ticket), NULL, NULL);
        rig_run(&r, 0.05);
    }
    stream_destroy(s, NULL);
    RIG_UNTIL(&r, c.is_closed, 10);
    ck_assert(t[0].settled == 1 && t[1].settled == 1 && !t[0].delivered && !t[1].delivered);
    catcher_off(&c);
    stream_free(&s);
    rig_run(&r, 0.05);
}
END_TEST

/* Sources fill the whole pool and wait for the queue, which is full: it can still be emptied. */
START_TEST(a_full_pool_does_not_stop_it)
{
    struct err e = {0};
    struct stream *s = open_queue(&e);
    struct catcher c = {0};
    struct receipt t;
    struct slab *taken[400];
    size_t n = 0;
    receipt_init(&t);
    stream_write(s, rig_lines(&r, "a line\n", &t.ticket), NULL, NULL);
    RIG_UNTIL(&r, t.settled, 10);
    while (n < 400 && (taken[n] = pool_slab(r.pool, 0)) != NULL)
        n++;
    ck_assert_uint_lt(n, 400);
    catcher_on(&c, s);
    RIG_UNTIL(&r, c.records == 1, 10);
    while (n > 0)
        slab_unref(taken[--n]);
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.is_closed, 10);
    catcher_off(&c);
    stream_free(&s);
    rig_run(&r, 0.05);
}
END_TEST

/* Write some, read some, with the ${nth} allocation failing: what comes out is what went in or the stream fails; nothing stays behind. */
static bool with_failure(unsigned long nth)
{
    struct err e = {0};
    struct receipt t[4];
    struct catcher c = {0};
    mem_fail_at(nth);
    struct stream *s = open_queue(&e);
    if (s == NULL) {
        ck_assert_int_eq(e.code, ERR_NOMEM);
        return mem_failed();
    }
    mem_fail_at(0);
    struct chunk *chunks[4];
    for (int i = 0; i < 4; i++) {
        receipt_init(&t[i]);
        chunks[i] = rig_lines(&r, "{\"a\":1}\nsecond\n", &t[i].ticket);
    }
    catcher_on(&c, s);
    mem_fail_at(nth);
    for (int i = 0; i < 4; i++)
        stream_write(s, chunks[i], NULL, NULL);
    stream_end(s, NULL);
    RIG_UNTIL(&r, c.is_closed, 10);
    bool failed = mem_failed();
    mem_fail_at(0);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(t[i].settled, 1);
    if (!err_is(&c.err))
        ck_assert_uint_ge(c.records, 8);
    else
        ck_assert_int_eq(c.err.code, ERR_NOMEM);
    catcher_off(&c);
    stream_free(&s);
    rig_run(&r, 0.002);
    struct stream *after = open_queue(&e); /* what was taken and has not come out does */
    struct catcher d = {0};
    catcher_on(&d, after);
    stream_end(after, NULL);
    RIG_UNTIL(&r, d.is_closed, 10);
    size_t taken = 0;
    for (int i = 0; i < 4; i++)
        taken += t[i].delivered ? 2 : 0;
    ck_assert_uint_ge(c.records + d.records, taken);
    catcher_off(&d);
    stream_free(&after);
    rig_run(&r, 0.002);
    return failed;
}

START_TEST(every_allocation_may_fail)
{
    unsigned long nth = 1;
    while (with_failure(nth))
        nth++;
    ck_assert_uint_gt(nth, 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("disk queue");
    TCase *t = tcase_create("disk queue");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_batch_comes_back_as_it_was);
    tcase_add_test(t, a_blob_comes_back_as_it_was);
    tcase_add_test(t, tickets_end_when_it_is_on_disk_not_when_it_is_out);
    tcase_add_test(t, what_the_sink_has_not_delivered_comes_again);
    tcase_add_test(t, nothing_counts_before_it_is_written);
    tcase_add_test(t, destroyed_before_it_is_written_it_fails);
    tcase_add_test(t, a_full_pool_does_not_stop_it);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return rig_main(s);
}
