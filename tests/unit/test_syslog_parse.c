/* Syslog messages and their parts. */
#include "stage_rig.h"

#include <stdio.h>

#include "transform/syslog_read.h"

#define NOW (INT64_C(1772366400) * 1000000000) /* 2026-03-01T12:00:00Z */

/* "priority|timestamp|hostname|appname|procid|msgid|data|message", or why not; the text lies at the very end of its memory. */
static const char *parts(const char *text, size_t len, enum syslog_format format)
{
    static char result[1000];
    struct buf out = {0};
    struct syslog_message m;
    char *copy = malloc(len + (len == 0));
    memcpy(copy, text, len);
    const char *why = syslog_read(copy, len, format, &m);
    if (why != NULL)
        buf_str(&out, why);
    else
        buf_fmt(&out, "%d", m.priority);
    const struct syslog_slice *slices[] = {&m.timestamp, &m.hostname, &m.appname, &m.procid, &m.msgid, &m.data, &m.message};
    for (size_t i = 0; i < 7 && why == NULL; i++) {
        buf_char(&out, '|');
        buf_add(&out, slices[i]->s != NULL ? slices[i]->s : "", slices[i]->len);
    }
    snprintf(result, sizeof result, "%s", buf_cstr(&out));
    buf_clear(&out);
    free(copy);
    return result;
}

#define NO_PRI  "has no priority such as <34>"
#define NO_ONE  "is not version 1 of RFC 5424"
#define HEADER  "lacks a part of the header"
#define DATA    "has wrong structured data, or more than 200 parameters"
#define NEITHER "has neither a priority such as <34> nor a timestamp"

static const struct {
    enum syslog_format format;
    const char *text, *is;
} rows[] = {
    /* The examples of RFC 5424, 6.5. */
    {SYSLOG_RFC5424, "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su root' failed for lonvick on /dev/pts/8",
     "34|2003-10-11T22:14:15.003Z|mymachine.example.com|su||ID47||'su root' failed for lonvick on /dev/pts/8"},
    {SYSLOG_RFC5424, "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
     "165|2003-08-24T05:14:15.000003-07:00|192.0.2.1|myproc|8710|||%% It's time to make the do-nuts."},
    {SYSLOG_RFC5424,
     "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
     "eventID=\"1011\"][examplePriority@32473 class=\"high\"]",
     "165|2003-10-11T22:14:15.003Z|mymachine.example.com|evntslog||ID47|[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
     "eventID=\"1011\"][examplePriority@32473 class=\"high\"]|"},
    {SYSLOG_RFC5424, "<0>1 - - - - - -", "0|||||||"},
    {SYSLOG_RFC5424, "<191>1 - - - - - - ", "191|||||||"},
    {SYSLOG_RFC5424, "<13>1 - - - - - [a]  x", "13||||||[a]| x"},
    {SYSLOG_RFC5424, "<13>1 - - - - - [a b=\"\\]\\\\\\\"\"] [x", "13||||||[a b=\"\\]\\\\\\\"\"]|[x"},
    {SYSLOG_RFC5424, "<192>1 - - - - - -", NO_PRI},
    {SYSLOG_RFC5424, "<0034>1 - - - - - -", NO_PRI},
    {SYSLOG_RFC5424, "<>1 - - - - - -", NO_PRI},
    {SYSLOG_RFC5424, "<-1>1 - - - - - -", NO_PRI},
    {SYSLOG_RFC5424, "", NO_PRI},
    {SYSLOG_RFC5424, "<34>2 - - - - - -", NO_ONE},
    {SYSLOG_RFC5424, "<34>10 - - - - - -", NO_ONE},
    {SYSLOG_RFC5424, "<34>1 - - - - -", HEADER},
    {SYSLOG_RFC5424, "<34>1 -  - - - - -", HEADER},
    {SYSLOG_RFC5424, "<34>1 - - - - - ", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - x", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - -x", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - []", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a ]", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b]", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b=c]", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b=\"]\"]", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b=\"c\"", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b=\"c\\", DATA},
    {SYSLOG_RFC5424, "<34>1 - - - - - [a b=\"c\"]x", DATA},
    /* As rsyslog, logger(1), sshd, the kernel, routers and containers write. */
    {SYSLOG_AUTO, "<38>Nov  5 10:00:00 web1 sshd[4242]: Accepted", "38|Nov  5 10:00:00|web1|sshd|4242|||Accepted"},
    {SYSLOG_AUTO, "Nov 15 10:00:00 web1 kernel: [  1.5] oom", "-1|Nov 15 10:00:00|web1|kernel||||[  1.5] oom"},
    {SYSLOG_AUTO, "2026-11-05T10:00:00.123+01:00 web1 CRON[1]: (root) x", "-1|2026-11-05T10:00:00.123+01:00|web1|CRON|1|||(root) x"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 root: hi", "13|Nov  5 10:00:00||root||||hi"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 app[7]: hi", "13|Nov  5 10:00:00||app|7|||hi"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 host app[7]:hi", "13|Nov  5 10:00:00|host|app|7|||hi"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 fe80::1 app: hi", "13|Nov  5 10:00:00|fe80::1|app||||hi"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 host some words: here", "13|Nov  5 10:00:00|host|||||some words: here"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00 word", "13|Nov  5 10:00:00||||||word"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00", "13|Nov  5 10:00:00||||||"},
    {SYSLOG_AUTO, "<189>Nov  5 2026 10:00:00.5: %SYS-5-CONFIG: x", "189|Nov  5 2026 10:00:00.5||%SYS-5-CONFIG||||x"},
    {SYSLOG_AUTO, "<13>Nov  5 10:00:00x", "13|||||||Nov  5 10:00:00x"},
    {SYSLOG_AUTO, "<13>", "13|||||||"},
    {SYSLOG_AUTO, "<13>1 - - -", "13|||||||1 - - -"},
    {SYSLOG_AUTO, "<13>1 - - - - - [x", "13|||||||1 - - - - - [x"},
    {SYSLOG_RFC3164, "<13>1 - - - - - - x", "13|||||||1 - - - - - - x"},
    {SYSLOG_AUTO, "no", NEITHER},
    {SYSLOG_AUTO, "<999>no", NEITHER},
    {SYSLOG_AUTO, "Nov  5 10:00", NEITHER},
    {SYSLOG_AUTO, "", NEITHER},
};

START_TEST(messages_and_their_parts)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = parts(rows[i].text, strlen(rows[i].text), rows[i].format);
        ck_assert_msg(strcmp(got, rows[i].is) == 0, "%s\nexpected %s\ngot      %s", rows[i].text, rows[i].is, got);
        for (size_t n = 0; n < strlen(rows[i].text); n++)
            parts(rows[i].text, n, rows[i].format);
    }
}
END_TEST

START_TEST(structured_data)
{
    static const char data[] = "[a x=\"1\" y=\"\\\"\\n\"][b][c z=\"\"]";
    struct syslog_slice rest = {data, strlen(data)};
    struct syslog_param p = {0};
    char text[20];
    ck_assert(syslog_next(&rest, &p) && *p.id.s == 'a' && *p.name.s == 'x' && !p.escaped && p.value.len == 1);
    ck_assert(syslog_next(&rest, &p) && *p.id.s == 'a' && *p.name.s == 'y' && p.escaped);
    ck_assert_uint_eq(syslog_unescape(&p.value, text), 3);
    ck_assert_mem_eq(text, "\"\\n", 3);
    ck_assert(syslog_next(&rest, &p) && *p.id.s == 'b' && p.name.s == NULL);
    ck_assert(syslog_next(&rest, &p) && *p.id.s == 'c' && *p.name.s == 'z' && p.value.len == 0);
    ck_assert(!syslog_next(&rest, &p));
}
END_TEST

/* Many parameters take no time to speak of, and are not lost. */
START_TEST(many_parameters)
{
    for (size_t count = 200; count <= 100000; count += 99800) {
        struct buf text = {0};
        buf_str(&text, "<13>1 - - - - - [a");
        for (size_t i = 0; i < count; i++)
            buf_fmt(&text, " p%zu=\"%zu\"", i, i);
        buf_str(&text, "]\n");
        struct stage_rig s;
        stage_rig_open(&s, "{'type':'syslog_parse'}");
        double before = rig_cpu();
        ck_assert(stage_rig_start(&s) && stage_rig_feed(&s, buf_cstr(&text), NOW, NULL));
        ck_assert(rig_cpu() - before < 20); /* a few milliseconds; each name compared to all would take hours */
        ck_assert_ptr_nonnull(strstr(buf_cstr(&s.text), count == 200 ? "\"p199\":\"199\"}}" : " p99999=\\\"99999\\\"]\"}"));
        buf_clear(&text);
        stage_rig_close(&s);
    }
}
END_TEST

START_TEST(times)
{
    struct stage_rig s;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    stage_rig_open(&s, "{'type':'syslog_parse'}");
    ck_assert(stage_rig_start(&s));
    stage_rig_feed(&s, "<13>Nov  5 10:00:00 h a: x\n<13>1 2026-01-31T12:00:00.5Z - - - - -\n<13>Nov 31 10:00:00 h a: x\n<13>x\n", NOW, NULL);
    struct batch *b = stage_rig_batch(&s, 0);
    ck_assert_int_eq(batch_time(b, &b->records[0]), INT64_C(1762333200000000000));
    ck_assert_int_eq(batch_time(b, &b->records[1]), INT64_C(1769860800500000000));
    ck_assert_int_eq(batch_time(b, &b->records[2]), NOW);
    ck_assert_int_eq(batch_time(b, &b->records[3]), NOW);
    ck_assert_str_eq(buf_cstr(&s.text),
                     "{\"facility\":\"user\",\"severity\":\"notice\",\"timestamp\":\"2025-11-05T09:00:00Z\",\"hostname\":\"h\",\"appname\":\"a\",\"message\":\"x\"}\n"
                     "{\"facility\":\"user\",\"severity\":\"notice\",\"timestamp\":\"2026-01-31T12:00:00.5Z\"}\n"
                     "{\"facility\":\"user\",\"severity\":\"notice\",\"timestamp\":\"Nov 31 10:00:00\",\"hostname\":\"h\",\"appname\":\"a\",\"message\":\"x\"}\n"
                     "{\"facility\":\"user\",\"severity\":\"notice\",\"message\":\"x\"}\n");
    stage_rig_close(&s);
}
END_TEST

START_TEST(problems)
{
    stage_rig_problem("{'type':'syslog_parse','timezone':'Europe/Nowhere'}", "transforms[0].timezone: unknown time zone");
    stage_rig_problem("{'type':'syslog_parse','target':'@path'}", "target: @path is metadata");
    stage_rig_problem("{'type':'syslog_parse','format':'rfc1234'}", "format");
}
END_TEST

START_TEST(without_memory)
{
    stage_rig_without_memory("{'type':'syslog_parse','timezone':'UTC'}",
                             "<13>1 2026-01-31T12:00:00.5Z h a 1 m [x y=\"1\" y=\"2\" y=\"\\]\"] t\n<13>Nov  5 10:00:00 h a: x\nno\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("syslog_parse");
    TCase *t = tcase_create("syslog_parse");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, messages_and_their_parts);
    tcase_add_test(t, structured_data);
    tcase_add_test(t, many_parameters);
    tcase_add_test(t, times);
    tcase_add_test(t, problems);
    tcase_add_test(t, without_memory);
    suite_add_tcase(s, t);
    return rig_main(s);
}
