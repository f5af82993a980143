/* What is found in texts, and what becomes of it. */
#include "stage_rig.h"

#include <stdio.h>

#include "record/doc.h"
#include "record/regex.h"
#include "transform/sensitive.h"

/* ---- finding ------------------------------------------------------------------------------------- */

/* ${text} with what was found in brackets; its memory ends where it ends. */
static const char *marked(enum sensitive_kind kind, const char *text)
{
    static char result[400];
    struct buf out = {0};
    size_t len = strlen(text), start, end, done = 0;
    char *copy = malloc(len + (len == 0));
    memcpy(copy, text, len);
    while (sensitive_find(kind, copy, len, done, &start, &end)) {
        ck_assert(start >= done && end > start && end <= len);
        buf_add(&out, copy + done, start - done);
        buf_char(&out, '[');
        buf_add(&out, copy + start, end - start);
        buf_char(&out, ']');
        done = end;
    }
    buf_add(&out, copy + done, len - done);
    free(copy);
    snprintf(result, sizeof result, "%s", buf_cstr(&out));
    buf_clear(&out);
    return result;
}

#define J "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"

static const struct {
    enum sensitive_kind kind;
    const char *text; /* the brackets are what is to be found */
} rows[] = {
    {SENSITIVE_EMAIL, "[a@b.cc]"},
    {SENSITIVE_EMAIL, "<[jo.doe+tag@mail.example.com]>, '[x_1%y@a-b.org]'; mailto:[a@b.cc]."},
    {SENSITIVE_EMAIL, "[O'Brien@x.ie] [jörg@müller.de] to=[a@b.cc]&x"},
    {SENSITIVE_EMAIL, "a@b a@b. a@.cc @b.cc a@b.c a@1.2 a@@b.cc"},
    {SENSITIVE_EMAIL, "..[a@b.cc].. [a@b.cc-d] [a@b.cc]-"},
    {SENSITIVE_EMAIL, "user@host:~$ git@github"},
    {SENSITIVE_EMAIL, "@ a @"},
    {SENSITIVE_IPV4, "[1.2.3.4] [255.255.255.255]:80 ([10.0.0.1]) ip=[10.0.0.1]/8 [010.1.1.1]."},
    {SENSITIVE_IPV4, "v1.2.3.4 1.2.3.4.5 1.2.3 256.1.1.1 1.2.3.400 1.2.3.4x 1..2.3 1.2.3."},
    {SENSITIVE_IPV4, "0.1.2.3.4 [1.2.3.4].. ..[1.2.3.4]"},
    {SENSITIVE_IPV6, "[::1] [fe80::1]%eth0 \\[[2001:db8::1]\\]:80 [2001:DB8:0:0:8:800:200C:417A], [::ffff:1.2.3.4]."},
    {SENSITIVE_IPV6, "addr:[fe80::1]: 10:00:00 std::move face 00:1a:2b:3c:4d:5e a:b 1:2:3:4:5:6:7:8:9 ::: : xfe80::1 fe80::1x"},
    {SENSITIVE_IPV6, "source:[2001:db8::1] node:[fe80::1]: eth0:[fe80::1]% [2001:db8:0:0:0:0:0:1]:443 peer:[::1]"},
    {SENSITIVE_CARD, "[4111111111111111] [4111 1111 1111 1111] [4111-1111-1111-1111], [378282246310005] [3782 822463 10005]"},
    {SENSITIVE_CARD, "4111111111111112 4111 1111-1111 1111 41111111111111110 x4111111111111111 4111111111111111x 0.4111111111111111"},
    {SENSITIVE_CARD, "1500000000000 411 1111 1111 1111 1 [4222222222222] [6304000000000000000]"},
    {SENSITIVE_CARD, "1111 [4111 1111 1111 1111] 4111  1111 1111 1111"},
    {SENSITIVE_BEARER, "Authorization: Bearer [abc123def456], basic [dXNlcjpwYXNz=] BEARER [abcdefghijklmnopqrst]"},
    {SENSITIVE_BEARER, "bearer of bad news, basic functionality, xbearer abc123def456, Bearer short1"},
    {SENSITIVE_BEARER, "?token=[x]&access_token=[a.b-c]&page=1 api_key=[1] PASSWORD=[p];x api-key='[a b]' secret=\"[a b]\" tokens=1 pwd="},
    {SENSITIVE_BEARER, "{\"token\":\"[x]\",\"password\" : \"[p]\",\"n\":\"v\",\"pwd\": \"[a\\\"b]\"} {\\\"secret\\\":\\\"[s]\\\"}"},
    {SENSITIVE_BEARER, "password=\"[ab\\\"cd]\" api_key=[abc)def}] pwd=[a\\tb] {\"m\":\"password=[a\\\\b]\"} {\"m\":\"pwd=\\\"[x y]\\\" z\"}"},
    {SENSITIVE_BEARER, "[" J "] jwt=[" J "] x" J " eyJhbGciOiJIUzI1NiJ9"},
};

/* ${text} without the marks: \[ is a bracket. */
static void unmark(const char *text, char *plain, char *want)
{
    for (; *text != '\0'; text++) {
        bool real = *text == '\\' && (text[1] == '[' || text[1] == ']');
        text += real;
        if (real || (*text != '[' && *text != ']'))
            *plain++ = *text;
        *want++ = *text;
    }
    *plain = *want = '\0';
}

START_TEST(what_is_found)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char plain[300], want[300];
        unmark(rows[i].text, plain, want);
        const char *got = marked(rows[i].kind, plain);
        ck_assert_msg(strcmp(got, want) == 0, "%s:\nexpected %s\ngot      %s", sensitive_names[rows[i].kind], want, got);
    }
}
END_TEST

/* Texts made to take long: each of many places looks like a beginning. A hundredth of a second each; what goes back over the whole takes
 * hours. */
START_TEST(no_text_takes_long)
{
    static const char *const parts[] = {"a@", "@", "a@b.", "1.", "1.2.3.", ":", "a:", "fe80::", "4111 ", "4111-1111-1111-1112 ", "4", "bearer ",
                                        "token=", "\"token\":", "eyJ", "=eyJ", "eyJ.", ".eyJ", "-eyJ", "=", "basic    ", "a.", "'", "a'"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct buf text = {0};
        while (text.len < 1 << 20)
            buf_str(&text, parts[i]);
        double before = rig_cpu();
        for (int k = 0; k < SENSITIVE_KINDS; k++) {
            size_t start, end, from = 0;
            while (sensitive_find((enum sensitive_kind)k, text.data, text.len, from, &start, &end))
                from = end;
        }
        ck_assert_msg(rig_cpu() - before < 30, "%s: %.1f s for 1 MiB", parts[i], rig_cpu() - before);
        buf_clear(&text);
    }
}
END_TEST

/* ---- the stage ----------------------------------------------------------------------------------- */

static struct stage_rig s;

static void open_stage(const char *stage)
{
    stage_rig_open(&s, stage);
    ck_assert(stage_rig_start(&s));
}

START_TEST(untouched_records_stay_in_their_slab)
{
    open_stage("{'type':'redact','patterns':'email'}");
    ck_assert(stage_rig_feed(&s, "one\nx@y.zz\n{ \"a\" : \"\\u0041\" }\n{\"a\":\"x@y.zz\"}\n", 1, NULL));
    struct batch *b = stage_rig_batch(&s, 0);
    ck_assert_uint_eq(b->count, 4);
    const char *from = b->body->slab->data, *to = from + b->body->slab->size;
    ck_assert(b->records[0].text >= from && b->records[0].text < to && b->records[0].flags == RECORD_ENDED);
    ck_assert(b->records[1].text < from || b->records[1].text >= to);
    ck_assert(b->records[1].flags == 0 && b->records[1].doc == NULL); /* a line still, but not one of the slab's */
    ck_assert(!(b->records[2].flags & RECORD_CHANGED) && (b->records[3].flags & RECORD_CHANGED));
    ck_assert_str_eq(buf_cstr(&s.text), "one\n[REDACTED]\n{ \"a\" : \"\\u0041\" }\n{\"a\":\"[REDACTED]\"}\n");
    stage_rig_close(&s);
}
END_TEST

/* A fork of the chunk sees what it saw. */
START_TEST(a_fork_is_not_changed)
{
    open_stage("{'type':'redact','patterns':'email'}");
    struct chunk *c = rig_lines(&s.rig, "{\"a\":\"x@y.zz\"}\n", NULL);
    struct batch *b = chunk_batch(c);
    struct path *message = path_new(".message", 8, NULL), *a = path_new(".a", 2, NULL);
    ck_assert_int_eq(record_parse(b, &b->records[0], message, NULL, NULL), DOC_OK);
    struct chunk *fork = chunk_fork(c);
    stream_write(s.stream, c, NULL, NULL);
    loop_tick(s.rig.loop);
    ck_assert_str_eq(buf_cstr(&s.text), "{\"a\":\"[REDACTED]\"}\n");
    struct value v;
    ck_assert(record_get(chunk_batch(fork), &chunk_batch(fork)->records[0], a, &v));
    ck_assert(v.len == 6 && memcmp(v.u.s, "x@y.zz", 6) == 0);
    chunk_free(&fork);
    path_free(&message);
    path_free(&a);
    stage_rig_close(&s);
}
END_TEST

static void nest(struct buf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_str(out, "{\"a\":");
    buf_str(out, "\"x@y.zz\"");
    for (int i = 0; i < depth; i++)
        buf_char(out, '}');
    buf_char(out, '\n');
}

START_TEST(as_deep_as_json_may_be)
{
    struct buf text = {0};
    open_stage("{'type':'redact','patterns':'email'}");
    nest(&text, 512);
    ck_assert(stage_rig_feed(&s, buf_cstr(&text), 1, NULL));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&s.text), "\"a\":\"[REDACTED]\"}"));
    ck_assert_uint_eq(s.rig.stats.errors, 0);
    buf_clear(&text);
    stage_rig_close(&s);
}
END_TEST

START_TEST(a_huge_text)
{
    struct buf text = {0};
    open_stage("{'type':'redact','patterns':['email','ipv4'],'replacement':'-'}");
    while (text.len < 1 << 20)
        buf_str(&text, "x@y.zz 1.2.3.4 ");
    size_t pairs = text.len / 15;
    buf_char(&text, '\n');
    ck_assert(stage_rig_feed(&s, buf_cstr(&text), 1, NULL));
    ck_assert_uint_eq(s.text.len, pairs * 4 + 1);
    ck_assert_mem_eq(s.text.data, "- - - - ", 8);
    buf_clear(&text);
    stage_rig_close(&s);
}
END_TEST

START_TEST(own_patterns)
{
    if (!regex_built_in())
        return;
    open_stage("{'type':'redact','custom':{'empty':'x*','start':'^a','word':'\\\\bb\\\\b'},'patterns':'email','replacement':'{name}'}");
    ck_assert(stage_rig_feed(&s, "aab bxx \xc3\xa9x b@b.cc\nnone\n", 1, NULL));
    ck_assert_str_eq(buf_cstr(&s.text), "startab bempty \xc3\xa9" "empty email\nnone\n");
    stage_rig_close(&s);
    /* One that cannot come to an end: the text goes as a whole, and counts. */
    open_stage("{'type':'redact','custom':{'slow':'(a|aa|a?)*(b|a)*c$'}}");
    struct buf text = {0};
    while (text.len < 40000)
        buf_char(&text, 'a');
    buf_str(&text, "secret\nfine\n");
    ck_assert(stage_rig_feed(&s, buf_cstr(&text), 1, NULL));
    ck_assert_str_eq(buf_cstr(&s.text), "[REDACTED]\nfine\n");
    ck_assert_uint_eq(s.rig.stats.errors, 1);
    buf_clear(&text);
    stage_rig_close(&s);
}
END_TEST

static char told[300];

static void verdict(void *arg, const struct record *r, const char *word, const char *reason)
{
    (void)arg;
    (void)r;
    snprintf(told, sizeof told, "%s: %s", word, reason != NULL ? reason : "");
}

START_TEST(tells_what_and_not_which)
{
    static const struct stage_trace trace = {.verdict = verdict};
    stage_rig_open(&s, "{'type':'redact','patterns':['ipv4','email']}");
    s.rig.env.trace = &trace;
    ck_assert(stage_rig_start(&s));
    stage_rig_feed(&s, "x@y.zz 1.2.3.4 a@b.cc\n", 1, NULL);
    ck_assert_str_eq(told, "pass: redacted ipv4 1, email 2");
    stage_rig_feed(&s, "none\n", 1, NULL);
    ck_assert_str_eq(told, "pass: ");
    stage_rig_close(&s);
}
END_TEST

/* RFC 4231 has keys that are no text; these are by Python's hmac. */
START_TEST(hashes)
{
    char stage[400], key[101];
    memset(key, 'k', 100);
    key[100] = '\0';
    snprintf(stage, sizeof stage, "{'type':'redact','patterns':'email','method':'hash','key':'%s','replacement':'{name}:{hash}'}", key);
    open_stage(stage);
    stage_rig_feed(&s, "x@y.zz, x@y.zz, a@b.cc\n", 1, NULL);
    ck_assert_str_eq(buf_cstr(&s.text), "email:b7b7009403068420, email:b7b7009403068420, email:96bd2ea035cc80c0\n");
    stage_rig_close(&s);
    open_stage("{'type':'redact','patterns':'email','method':'hash','key':'Jefe'}");
    stage_rig_feed(&s, "x@y.zz\n", 1, NULL);
    ck_assert_str_eq(buf_cstr(&s.text), "ef973b4ffe27c398\n");
    stage_rig_close(&s);
}
END_TEST

START_TEST(problems)
{
    stage_rig_problem("{'type':'redact'}", "nothing to look for");
    stage_rig_problem("{'type':'redact','patterns':'emial'}", "patterns: expected \"email\", \"ipv4\"");
    stage_rig_problem("{'type':'redact','patterns':['email','email']}", "\"email\" is there twice");
    stage_rig_problem("{'type':'redact','custom':{'x':'('}}", "custom: x: ");
    stage_rig_problem("{'type':'redact','custom':{'email':'a'}}", "\"email\": expected a name of its own");
    stage_rig_problem("{'type':'redact','patterns':'email','method':'hash'}", "key: required with method hash");
    stage_rig_problem("{'type':'redact','patterns':'email','key':'k'}", "key: only for");
    stage_rig_problem("{'type':'redact','patterns':'email','replacement':'{hash}'}", "{hash} needs");
    stage_rig_problem("{'type':'redact','patterns':'email','method':'hash','key':'k','replacement':'x'}", "expected {hash} in it");
    stage_rig_problem("{'type':'redact','patterns':'email','replacement':'a\\nb'}", "no control characters");
    stage_rig_problem("{'type':'redact','patterns':'email','fields':['@path']}", "fields: @path is metadata");
}
END_TEST

START_TEST(without_memory)
{
    stage_rig_without_memory("{'type':'redact','patterns':['email','ipv4'],'method':'hash','key':'k'}",
                             "x@y.zz\n{\"a\":\"\\u0041 x@y.zz\",\"b\":[1,\"1.2.3.4\"]}\nnone\n");
    stage_rig_without_memory("{'type':'redact','patterns':'email','fields':['.a','.b']}", "{\"a\":\"\\u0041 x@y.zz\",\"b\":[1,\"x@y.zz\"]}\nnone\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redact");
    TCase *t = tcase_create("redact");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_found);
    tcase_add_test(t, no_text_takes_long);
    tcase_add_test(t, untouched_records_stay_in_their_slab);
    tcase_add_test(t, a_fork_is_not_changed);
    tcase_add_test(t, as_deep_as_json_may_be);
    tcase_add_test(t, a_huge_text);
    tcase_add_test(t, own_patterns);
    tcase_add_test(t, tells_what_and_not_which);
    tcase_add_test(t, hashes);
    tcase_add_test(t, problems);
    tcase_add_test(t, without_memory);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
