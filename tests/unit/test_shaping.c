/* throttle and dedupe, and the table of keys under both: in time, with their tickets. */
#include "stage_rig.h"

#include <stdio.h>

#include "base/siphash.h"
#include "record/doc.h"
#include "transform/keyed.h"

static struct stage_rig s;

static void open_stage(const char *stage)
{
    stage_rig_open(&s, stage);
    ck_assert(stage_rig_start(&s));
}

static const char *out(void)
{
    return buf_cstr(&s.text);
}

static uint64_t dropped(const char *reason)
{
    for (int i = 0; i < STAGE_REASONS; i++)
        if (s.rig.stats.dropped[i].reason != NULL && strcmp(s.rig.stats.dropped[i].reason, reason) == 0)
            return s.rig.stats.dropped[i].records;
    return 0;
}

/* ---- the hash and the table ---------------------------------------------------------------------- */

/* Values by OpenSSL: openssl mac -macopt hexkey:00…0f -macopt size:16 SIPHASH. */
START_TEST(siphash_as_openssl_has_it)
{
    static const struct {
        size_t len;
        const char *hex;
    } vectors[] = {{0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
                   {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
                   {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {16, "6ee2a4ca67b054bbfd3315bf85230577"},
                   {63, "5150d1772f50834a503e069a973fbd7c"}};
    struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char data[64];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint64_t id[2];
        char hex[33];
        siphash_128(&key, data, vectors[i].len, id);
        for (size_t k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", (unsigned)(id[k / 8] >> (8 * (k % 8)) & 0xff));
        ck_assert_str_eq(hex, vectors[i].hex);
    }
}
END_TEST

START_TEST(a_table_of_keys)
{
    struct keyed k = {0};
    struct err e = {0};
    uint64_t id[2], other[2];
    ck_assert_int_eq(keyed_init(&k, 1000, &e), 0);
    for (unsigned i = 0; i < 5000; i++) {
        keyed_id(&k, &i, sizeof i, id);
        ck_assert_ptr_null(keyed_find(&k, id));
        if (keyed_full(&k))
            keyed_remove(&k, keyed_oldest(&k));
        ck_assert_ptr_nonnull(keyed_add(&k, id, sizeof(struct keyed_entry)));
        if (i >= 4500) { /* one that is touched stays */
            unsigned first = 4000;
            keyed_id(&k, &first, sizeof first, other);
            keyed_touch(&k, keyed_find(&k, other));
        }
    }
    ck_assert_uint_eq(k.count, 1000);
    unsigned kept = 0;
    for (unsigned i = 0; i < 5000; i++) {
        keyed_id(&k, &i, sizeof i, id);
        kept += keyed_find(&k, id) != NULL;
        ck_assert((keyed_find(&k, id) != NULL) == (i >= 4000));
    }
    ck_assert_uint_eq(kept, 1000);
    keyed_clear(&k);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

/* ---- throttle, drop ------------------------------------------------------------------------------ */

START_TEST(a_burst_then_the_rate)
{
    struct receipt t;
    receipt_init(&t);
    open_stage("{'type':'throttle','rate':2,'per':'1s','burst':3}");
    stage_rig_feed(&s, "a\nb\nc\nd\ne\n", 1, &t.ticket);
    ck_assert_str_eq(out(), "a\nb\nc\n");
    ck_assert_uint_eq(dropped("over the rate"), 2);
    rig_run(&s.rig, 0.6); /* one more */
    stage_rig_feed(&s, "f\ng\nh\n", 1, NULL);
    ck_assert_str_eq(out(), "a\nb\nc\nf\n");
    rig_run(&s.rig, 1.6); /* full again, and not more */
    stage_rig_feed(&s, "1\n2\n3\n4\n5\n6\n7\n", 1, NULL);
    ck_assert_str_eq(out(), "a\nb\nc\nf\n1\n2\n3\n");
    ck_assert_uint_eq(s.rig.stats.records_in, s.rig.stats.records_out + dropped("over the rate"));
    stage_rig_release(&s, true);
    ck_assert(t.settled == 1 && t.delivered);
    stage_rig_close(&s);
}
END_TEST

START_TEST(a_rate_for_each_key)
{
    open_stage("{'type':'throttle','rate':1,'per':'1h','key':'.k','max_keys':2}");
    stage_rig_feed(&s, "{\"k\":1}\n{\"k\":1}\n{\"k\":\"1\"}\nplain\n{\"k\":null}\n{\"k\":\"1\"}\n{\"k\":1}\n", 1, NULL);
    /* "1" is not 1; a missing field is null; and 1 was forgotten when a third came, so it passes anew. */
    ck_assert_str_eq(out(), "{\"k\":1}\n{\"k\":\"1\"}\nplain\n{\"k\":1}\n");
    ck_assert_uint_eq(dropped("over the rate"), 3);
    stage_rig_close(&s);
}
END_TEST

START_TEST(bytes_are_counted)
{
    open_stage("{'type':'throttle','rate_bytes':10,'per':'1h'}");
    stage_rig_feed(&s, "1234\n1234\n\n", 1, NULL);
    ck_assert_str_eq(out(), "1234\n1234\n");
    stage_rig_stop(&s);
    ck_assert(stage_rig_start(&s));
    stage_rig_feed(&s, "longer than all of the burst\nx\n", 1, NULL);
    ck_assert_str_eq(out(), "longer than all of the burst\n"); /* and leaves a debt */
    stage_rig_close(&s);
}
END_TEST

/* ---- throttle, block ----------------------------------------------------------------------------- */

START_TEST(what_exceeds_waits)
{
    struct receipt t[2];
    receipt_init(&t[0]);
    receipt_init(&t[1]);
    open_stage("{'type':'throttle','rate':100,'burst':2,'when_exceeded':'block'}");
    double start = loop_now();
    stage_rig_feed(&s, "1\n2\n3\n4\n5\n6\n7\n8\n9\n", 1, &t[0].ticket);
    stage_rig_feed(&s, "a\nb\n", 1, &t[1].ticket);
    ck_assert_str_eq(out(), "1\n2\n");
    ck_assert_uint_gt(stream_writable_length(s.stream), 0); /* the pressure goes up */
    RIG_UNTIL(&s.rig, s.text.len >= 10, 3);
    ck_assert(t[0].settled == 0);
    RIG_UNTIL(&s.rig, s.text.len == 22, 3);
    ck_assert_str_eq(out(), "1\n2\n3\n4\n5\n6\n7\n8\n9\na\nb\n");
    ck_assert(loop_now() - start > 0.085); /* nine at 100 a second */
    ck_assert_uint_eq(s.rig.stats.records_out, 11);
    ck_assert(t[0].settled + t[1].settled == 0);
    stage_rig_release(&s, true);
    ck_assert(t[0].settled == 1 && t[0].delivered && t[1].settled == 1 && t[1].delivered);
    stage_rig_close(&s);
}
END_TEST

START_TEST(a_stop_does_not_wait)
{
    struct receipt t;
    receipt_init(&t);
    open_stage("{'type':'throttle','rate':1,'per':'1h','when_exceeded':'block'}");
    stage_rig_feed(&s, "1\n2\n3\n", 1, &t.ticket);
    stage_rig_feed(&s, "4\n5\n", 1, NULL);
    ck_assert_str_eq(out(), "1\n");
    s.config->pipelines[0].transforms.items[0].type->stop(s.stream);
    stage_rig_end(&s);
    ck_assert_str_eq(out(), "1\n2\n3\n4\n5\n");
    ck_assert(s.ended);
    stage_rig_release(&s, true);
    ck_assert(t.settled == 1 && t.delivered);
    stage_rig_close(&s);
}
END_TEST

START_TEST(destroyed_while_it_waits)
{
    struct receipt t;
    receipt_init(&t);
    open_stage("{'type':'throttle','rate':1,'per':'1h','when_exceeded':'block'}");
    stage_rig_feed(&s, "1\n2\n", 1, &t.ticket);
    stage_rig_release(&s, true);
    ck_assert_uint_eq(t.settled, 0);
    stage_rig_stop(&s);
    ck_assert(t.settled == 1 && !t.delivered); /* a part was delivered: all is read again */
    s.config->pipelines[0].transforms.items[0].type->stop(stage_rig_start(&s) ? s.stream : NULL); /* with nothing held */
    stage_rig_close(&s);
}
END_TEST

/* Pieces of a chunk are chunks of their own: what is done to one is not done to the next. */
START_TEST(pieces_share_what_was_parsed)
{
    open_stage("{'type':'throttle','rate':1000,'burst':1,'when_exceeded':'block'}");
    stage_rig_feed(&s, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", 1, NULL);
    struct path *a = path_new(".a", 2, NULL);
    struct batch *first = stage_rig_batch(&s, 0);
    struct value v = value_int(9);
    ck_assert_uint_eq(first->count, 1);
    ck_assert_int_eq(record_set(first, &first->records[0], a, &v), DOC_OK);
    RIG_UNTIL(&s.rig, s.text.len == 24, 3);
    ck_assert_str_eq(out(), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    ck_assert_uint_eq(stage_rig_batch(&s, 1)->bytes, 8);
    path_free(&a);
    stage_rig_close(&s);
}
END_TEST

/* ---- dedupe -------------------------------------------------------------------------------------- */

START_TEST(repeats_are_dropped)
{
    struct receipt t;
    receipt_init(&t);
    open_stage("{'type':'dedupe','window':'1s'}");
    stage_rig_feed(&s, "a\nb\na\na\n\n\n", 1, &t.ticket);
    stage_rig_feed(&s, "b\nc\n", 1, NULL);
    ck_assert_str_eq(out(), "a\nb\n\nc\n");
    ck_assert_uint_eq(dropped("repeated"), 4);
    rig_run(&s.rig, 1.1);
    stage_rig_feed(&s, "a\na\n", 1, NULL);
    ck_assert_str_eq(out(), "a\nb\n\nc\na\n");
    ck_assert_uint_eq(s.rig.stats.records_in, s.rig.stats.records_out + dropped("repeated"));
    stage_rig_release(&s, true);
    ck_assert(t.settled == 1 && t.delivered);
    stage_rig_close(&s);
}
END_TEST

START_TEST(equal_by_fields)
{
    open_stage("{'type':'dedupe','fields':['.a','.b'],'window':'1h'}");
    stage_rig_feed(&s, "{\"a\":1,\"x\":1}\n{\"x\":2,\"a\":1}\n{\"a\":null}\n{}\n{\"b\":1}\n{\"a\":\"1\"}\nplain\n{\"a\":1,\"b\":null}\n", 1, NULL);
    ck_assert_str_eq(out(), "{\"a\":1,\"x\":1}\n{\"a\":null}\n{}\n{\"b\":1}\n{\"a\":\"1\"}\n{\"a\":1,\"b\":null}\n");
    stage_rig_close(&s);
}
END_TEST

START_TEST(few_keys)
{
    open_stage("{'type':'dedupe','window':'1h','max_keys':2}");
    stage_rig_feed(&s, "a\nb\na\nc\na\nc\n", 1, NULL);
    ck_assert_str_eq(out(), "a\nb\nc\na\n"); /* c made a forgotten; c itself is still known */
    stage_rig_close(&s);
}
END_TEST

START_TEST(the_last_repeat_says_how_many)
{
    struct receipt t[4];
    for (int i = 0; i < 4; i++)
        receipt_init(&t[i]);
    open_stage("{'type':'dedupe','fields':'.m','window':'1s','count':'.n'}");
    stage_rig_feed(&s, "{\"m\":1,\"i\":0}\nplain\n", 1, &t[0].ticket);
    stage_rig_feed(&s, "{\"m\":1, \"i\":1}\n", 1, &t[1].ticket);
    stage_rig_feed(&s, "{\"m\":1, \"i\":2.0}\n", 77, &t[2].ticket);
    stage_rig_feed(&s, "{\"m\":2}\n", 1, &t[3].ticket);
    ck_assert_str_eq(out(), "{\"m\":1,\"i\":0}\nplain\n{\"m\":2}\n");
    ck_assert(t[1].settled == 1 && t[1].delivered); /* dropped, and counted */
    ck_assert(t[2].settled == 0);                   /* not before it is delivered */
    ck_assert_uint_eq(dropped("repeated"), 1);
    RIG_UNTIL(&s.rig, s.rig.stats.records_out == 4, 3);
    ck_assert_str_eq(out(), "{\"m\":1,\"i\":0}\nplain\n{\"m\":2}\n{\"m\":1,\"i\":2.0,\"n\":2}\n");
    struct batch *last = stage_rig_batch(&s, 2);
    ck_assert_int_eq(batch_time(last, &last->records[0]), 77);
    ck_assert_uint_eq(s.rig.stats.records_in, s.rig.stats.records_out + 1);
    ck_assert(t[2].settled == 0);
    stage_rig_release(&s, true);
    for (int i = 0; i < 4; i++)
        ck_assert(t[i].settled == 1 && t[i].delivered);
    stage_rig_close(&s);
}
END_TEST

START_TEST(what_is_held_comes_at_the_end)
{
    open_stage("{'type':'dedupe','window':'60s','count':'.repeats','max_keys':2}");
    stage_rig_feed(&s, "a\na\nb\nb\nb\nc\n", 1, NULL);
    /* c was one too many, so the window of a ended. */
    ck_assert_str_eq(out(), "a\nb\nc\n{\"message\":\"a\",\"repeats\":1}\n");
    stage_rig_end(&s);
    ck_assert(s.ended);
    ck_assert_str_eq(out(), "a\nb\nc\n{\"message\":\"a\",\"repeats\":1}\n{\"message\":\"b\",\"repeats\":2}\n");
    ck_assert_uint_eq(s.rig.stats.records_in, s.rig.stats.records_out + dropped("repeated"));
    stage_rig_close(&s);
}
END_TEST

START_TEST(destroyed_while_it_holds)
{
    struct receipt t;
    receipt_init(&t);
    open_stage("{'type':'dedupe','window':'60s','count':'.n'}");
    stage_rig_feed(&s, "a\na\n", 1, &t.ticket);
    ck_assert_uint_gt(pool_used(s.rig.pool), 0);
    stage_rig_release(&s, true);
    ck_assert_uint_eq(t.settled, 0);
    stage_rig_stop(&s);
    ck_assert(t.settled == 1 && !t.delivered);
    stage_rig_close(&s);
}
END_TEST

/* A held repeat keeps no more memory than its own: not that of the chunk it came in. */
START_TEST(held_repeats_are_small)
{
    open_stage("{'type':'dedupe','window':'60s','count':'.n'}");
    for (int i = 0; i < 100; i++) {
        char text[64];
        snprintf(text, sizeof text, "line %d\nline %d\n", i, i);
        stage_rig_feed(&s, text, 1, NULL);
    }
    stage_rig_release(&s, true);
    ck_assert_uint_lt(pool_used(s.rig.pool), 100 * 400);
    stage_rig_close(&s);
}
END_TEST

START_TEST(an_idle_stage_sleeps)
{
    open_stage("{'type':'dedupe','window':'1ms','count':'.n'}");
    stage_rig_feed(&s, "a\na\nb\n", 1, NULL);
    RIG_UNTIL(&s.rig, s.rig.stats.records_out == 3, 3);
    rig_run(&s.rig, 0.02);
    stage_rig_release(&s, true);
    ck_assert_uint_eq(pool_used(s.rig.pool), 0);
    loop_run(s.rig.loop); /* returns: nothing is left to wait for */
    stage_rig_close(&s);
}
END_TEST

/* ---- both ---------------------------------------------------------------------------------------- */

START_TEST(problems)
{
    stage_rig_problem("{'type':'throttle'}", "expected either \"rate\" or \"rate_bytes\"");
    stage_rig_problem("{'type':'throttle','rate':1,'rate_bytes':1}", "rate_bytes: expected either");
    stage_rig_problem("{'type':'throttle','rate':0}", "rate");
    stage_rig_problem("{'type':'throttle','rate':1,'key':'.a','when_exceeded':'block'}", "key: not with");
    stage_rig_problem("{'type':'throttle','rate':1,'key':'.a +'}", "key: ");
    stage_rig_problem("{'type':'dedupe','count':'@time'}", "count: expected a field");
    stage_rig_problem("{'type':'dedupe','count':'.'}", "count: expected a field");
    stage_rig_problem("{'type':'dedupe','count':'.n','window':'2m'}", "window: at most 60s with count");
}
END_TEST

START_TEST(without_memory)
{
    stage_rig_without_memory("{'type':'throttle','rate':2,'per':'1h','key':'lower(.message)'}", "a\nb\nc\nA\n{\"a\":1}\n");
    stage_rig_without_memory("{'type':'throttle','rate':100000,'burst':1,'when_exceeded':'block'}", "a\n");
    stage_rig_without_memory("{'type':'dedupe','count':'.n','max_keys':2}", "a\na\na\nb\nb\nc\n{\"a\":1}\n{\"a\":1}\n");
    stage_rig_without_memory("{'type':'dedupe','fields':['.a']}", "a\na\n{\"a\":1}\n");
}
END_TEST

static char told[8][200];
static unsigned told_count;

static void verdict(void *arg, const struct record *r, const char *word, const char *reason)
{
    (void)arg;
    (void)r;
    snprintf(told[told_count++ % 8], sizeof told[0], "%s: %s", word, reason != NULL ? reason : "");
}

START_TEST(dry_runs_do_not_wait)
{
    static const struct stage_trace trace = {.verdict = verdict};
    static const char *const stages[] = {"{'type':'throttle','rate':1,'burst':1,'when_exceeded':'block'}", "{'type':'throttle','rate':1,'key':'.message'}",
                                         "{'type':'dedupe','count':'.n','window':'1ms'}"};
    static const char *const want[][3] = {{"pass: ", "pass: would wait 1 s, if all came at once", "pass: would wait 2 s, if all came at once"},
                                          {"pass: ", "drop: over the rate of \"a\"", "drop: over the rate of \"a\""},
                                          {"pass: ", "merge: repeat 1, kept back", "merge: repeat 2, kept back"}};
    for (size_t i = 0; i < 3; i++) {
        stage_rig_open(&s, stages[i]);
        s.rig.env.trace = &trace;
        s.rig.env.dry = true;
        told_count = 0;
        ck_assert(stage_rig_start(&s));
        stage_rig_feed(&s, "a\na\n", 1, NULL);
        usleep(2000);
        stage_rig_feed(&s, "a\n", 1, NULL);
        for (unsigned k = 0; k < 3; k++)
            ck_assert_str_eq(told[k], want[i][k]);
        stage_rig_end(&s);
        ck_assert(s.ended);
        stage_rig_close(&s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shaping");
    TCase *t = tcase_create("shaping");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, siphash_as_openssl_has_it);
    tcase_add_test(t, a_table_of_keys);
    tcase_add_test(t, a_burst_then_the_rate);
    tcase_add_test(t, a_rate_for_each_key);
    tcase_add_test(t, bytes_are_counted);
    tcase_add_test(t, what_exceeds_waits);
    tcase_add_test(t, a_stop_does_not_wait);
    tcase_add_test(t, destroyed_while_it_waits);
    tcase_add_test(t, pieces_share_what_was_parsed);
    tcase_add_test(t, repeats_are_dropped);
    tcase_add_test(t, equal_by_fields);
    tcase_add_test(t, few_keys);
    tcase_add_test(t, the_last_repeat_says_how_many);
    tcase_add_test(t, what_is_held_comes_at_the_end);
    tcase_add_test(t, destroyed_while_it_holds);
    tcase_add_test(t, held_repeats_are_small);
    tcase_add_test(t, an_idle_stage_sleeps);
    tcase_add_test(t, problems);
    tcase_add_test(t, without_memory);
    tcase_add_test(t, dry_runs_do_not_wait);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
