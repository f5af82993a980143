/* gunzip: members, lines and fields; a batch of bombs goes on in parts. */
#include "rig.h"

#include <zlib.h>

#include "record/render.h"

static struct rig r;
static struct config *config;
static struct stream *s;
static struct listener on_data, on_closed, on_failed;
static struct buf out;
static struct list held;
static size_t records, most;
static bool closed, hold;

static void setup(void)
{
    rig_open(&r, 64 << 20, 1 << 20);
    rig_hush();
    list_init(&held);
    out = (struct buf){0};
    records = most = 0;
    closed = hold = false;
}

static void data(void *arg, struct stream_news *n)
{
    (void)arg;
    struct chunk *c = stream_take(n);
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count && out.len < 100000; i++) {
        render_record(&out, &b->records[i], RENDER_AUTO);
        buf_char(&out, '\n');
    }
    records += b->count;
    if (pool_used(r.pool) > most)
        most = pool_used(r.pool);
    list_push(&held, &c->queued);
    if (hold)
        stream_pause(s);
}

static void on_close(void *arg, struct stream_news *n)
{
    (void)arg;
    (void)n;
    closed = true;
}

static void on_error(void *arg, struct stream_news *n)
{
    (void)arg;
    (void)n;
}

static void settle(void)
{
    struct list *node;
    while ((node = list_shift(&held)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        chunk_delivered(&c);
    }
}

static void start(const char *transforms)
{
    struct err e = {0};
    config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],'sinks':[{'type':'blackhole'}]}}}",
                        transforms);
    const struct stage_config *stage = &config->pipelines[0].transforms.items[0];
    s = stage->type->open(&r.env, stage->settings, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    stream_on(s, STREAM_CLOSE, &on_closed, on_close, NULL);
    stream_on(s, STREAM_ERROR, &on_failed, on_error, NULL);
    stream_on(s, STREAM_DATA, &on_data, data, NULL);
}

static void teardown(void)
{
    stream_destroy(s, NULL);
    RIG_UNTIL(&r, closed, 3);
    stream_off(&on_data);
    stream_off(&on_closed);
    stream_off(&on_failed);
    settle();
    stream_free(&s);
    loop_tick(r.loop);
    config_free(&config);
    buf_clear(&out);
    rig_close(&r);
}

/* ${text} as a gzip member behind what ${to} holds. */
static void add_member(struct buf *to, const char *text, size_t len)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert(buf_reserve(to, deflateBound(&z, len) + 64));
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = (unsigned char *)to->data + to->len;
    z.avail_out = (uInt)(to->cap - to->len);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->len = to->cap - z.avail_out;
    deflateEnd(&z);
}

/* One record, the ${count} last bytes of it cut off, as often as ${times}, in one batch. */
static void feed(const struct buf *packed, size_t count, size_t times, struct ticket *t)
{
    struct slab *slab = pool_slab(r.pool, packed->len);
    struct batch *b = batch_new(r.pool, slab, NULL);
    slab_unref(slab);
    memcpy(slab->data, packed->data, packed->len);
    slab->used = packed->len;
    for (size_t i = 0; i < times; i++) {
        struct record *record = batch_add(b);
        record->text = slab->data;
        record->len = (uint32_t)(packed->len - count);
    }
    if (t != NULL)
        ticket_set_add(&b->tickets, t);
    batch_weigh(b);
    stream_write(s, &b->chunk, NULL, NULL);
    loop_tick(r.loop);
}

START_TEST(members_and_lines)
{
    struct buf packed = {0};
    start("{'type':'gunzip'}");
    add_member(&packed, "one\ntw", 6);
    add_member(&packed, "", 0);
    add_member(&packed, "o\n\nthree", 8);
    feed(&packed, 0, 2, NULL);
    ck_assert_str_eq(buf_cstr(&out), "one\ntwo\n\nthree\none\ntwo\n\nthree\n");
    ck_assert_uint_eq(r.stats.errors, 0);
    for (size_t cut = 1; cut < packed.len; cut++) { /* no part of it is anything */
        feed(&packed, cut, 1, NULL);
        settle();
    }
    ck_assert_uint_ge(r.stats.errors, packed.len - 1 - 60); /* but a cut between two members */
    buf_clear(&packed);
}
END_TEST

START_TEST(no_more_than_max_bytes)
{
    char text[200];
    struct buf packed = {0};
    memset(text, 'x', sizeof text);
    start("{'type':'gunzip','max_bytes':100,'on_error':'drop'}");
    add_member(&packed, text, 100);
    feed(&packed, 0, 1, NULL);
    ck_assert_uint_eq(records, 1);
    add_member(&packed, text, 1); /* both together are too long */
    feed(&packed, 0, 1, NULL);
    ck_assert_uint_eq(records, 1);
    ck_assert_uint_eq(r.stats.errors, 1);
    ck_assert_str_eq(r.stats.dropped[0].reason, "too long");
    buf_clear(&packed);
}
END_TEST

/* 64 MiB out of 70 KB: never more than a part at a time, and what came is settled with the last of it. */
START_TEST(bombs_go_on_in_parts)
{
    size_t len = 1 << 20;
    char *text = malloc(len);
    struct receipt t;
    struct buf packed = {0};
    memset(text, 'x', len);
    text[len - 1] = '\n';
    add_member(&packed, text, len);
    ck_assert_uint_lt(packed.len, 4000);
    receipt_init(&t);
    hold = true;
    start("{'type':'gunzip'}");
    feed(&packed, 0, 64, &t.ticket);
    for (size_t i = 0; i < 64; i++) {
        RIG_UNTIL(&r, records > i, 3);
        ck_assert_uint_eq(t.settled, 0);
        settle();
        stream_resume(s);
    }
    RIG_UNTIL(&r, t.settled == 1, 3);
    settle();
    ck_assert(t.delivered);
    ck_assert_uint_eq(records, 64);
    ck_assert_uint_lt(most, 5 << 20);
    buf_clear(&packed);
    free(text);
}
END_TEST

START_TEST(every_allocation_fails_in_turn)
{
    struct buf packed = {0};
    struct receipt t;
    start("{'type':'gunzip'}");
    add_member(&packed, "one\ntwo", 7);
    for (unsigned long n = 1;; n++) {
        receipt_init(&t);
        struct chunk *c = rig_chunk(&r, packed.data, packed.len, &t.ticket); /* a line feed in it makes two records of it: either is refused */
        mem_fail_at(n);
        stream_write(s, c, NULL, NULL);
        loop_tick(r.loop);
        bool fired = mem_failed();
        mem_fail_at(0);
        if (stream_is_destroyed(s)) {
            RIG_UNTIL(&r, closed, 3);
            settle();
            ck_assert(t.settled == 1 && !t.delivered);
            stream_off(&on_data);
            stream_off(&on_closed);
            stream_off(&on_failed);
            stream_free(&s);
            loop_tick(r.loop);
            config_free(&config);
            closed = false;
            start("{'type':'gunzip'}");
        } else {
            settle();
            loop_tick(r.loop);
            ck_assert(t.settled == 1);
        }
        if (!fired)
            break;
    }
    buf_clear(&packed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gunzip");
    TCase *t = tcase_create("gunzip");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, members_and_lines);
    tcase_add_test(t, no_more_than_max_bytes);
    tcase_add_test(t, bombs_go_on_in_parts);
    tcase_add_test(t, every_allocation_fails_in_turn);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
