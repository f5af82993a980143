/* RELP: what a peer sends, whole and in pieces, honest and hostile; and which records are sent, again, and not again. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "record/wire.h"
#include "sink/relp_frame.h"
#include "sink/relp_window.h"
#include "sink/tcp_link.h"

/* ---- frames --------------------------------------------------------------------------------------- */

#define LONG32 "abcdefghijklmnopqrstuvwxyzABCDEF"

/* What is read: TXNR COMMAND LENGTH [data] and '|' for each frame; then '!' when the rest is none. */
static const struct {
    const char *input, *want;
} frames[] = {
    {"", ""},
    {"1 rsp 6 200 OK\n", "1 rsp 6 [200 OK]|"},
    {"1 rsp 6 200 OK\n2 rsp 6 200 OK\n", "1 rsp 6 [200 OK]|2 rsp 6 [200 OK]|"},
    {"5 rsp 0\n0 serverclose 0\n", "5 rsp 0 []|0 serverclose 0 []|"},
    {"5 rsp 0 \n", "5 rsp 0 []|"},
    {"000000001 rsp 000000003 a\nb\n", "1 rsp 3 [a\nb]|"},
    {"999999999 " LONG32 " 1 x\n", "999999999 " LONG32 " 1 [x]|"},
    {"1 rsp 4096", ""},
    {"1 rsp 4097", ""}, /* not known yet */
    {"1 rsp 4097 ", "!"},
    {"1 rsp 999999999 x", "!"},
    {"1 rsp 9999999999", "!"},
    {"1 rsp 0000000001 x\n", "!"},
    {"1000000000 rsp 0\n", "!"},
    {"1 " LONG32 "G 0\n", "!"},
    {"\n", "!"},
    {" ", "!"},
    {"-1 rsp 0\n", "!"},
    {"+1 rsp 0\n", "!"},
    {"1\trsp 0\n", "!"},
    {"1\n", "!"},
    {"1  rsp 0\n", "!"},
    {"1 rsp  0\n", "!"},
    {"1 rsp\n", "!"},
    {"1 rsp -1\n", "!"},
    {"1 rsp 1\n", "!"},
    {"1 rsp 1 xy", "!"},
    {"1 rsp 0  \n", "!"},
    {"1 rsp 0x", "!"},
    {"1 r2p 0\n", "!"},
    {"1 \xc3\xa4 0\n", "!"},
    {"1 rsp 6 200 OK\nHTTP/1.1 400 Bad Request\r\n", "1 rsp 6 [200 OK]|!"},
    {"SSH-2.0-OpenSSH_9.2\r\n", "!"},
};

/* Read ${input} in pieces of ${step} bytes, the first of ${first}. */
static void expect(size_t row, size_t first, size_t step)
{
    static struct relp_frame f;
    struct buf got = {0};
    const char *text = frames[row].input;
    size_t len = strlen(text), at = 0, end = first;
    enum relp_progress progress = RELP_MORE;
    memset(&f, 0xa5, sizeof f);
    relp_frame_reset(&f);
    while (at < len && progress != RELP_BAD) {
        size_t used;
        if (at >= end)
            end = at + step;
        progress = relp_frame_read(&f, text + at, (end < len ? end : len) - at, &used);
        ck_assert_uint_le(at + used, end < len ? end : len);
        ck_assert(progress != RELP_MORE || at + used == (end < len ? end : len));
        at += used;
        if (progress == RELP_WHOLE) {
            ck_assert(f.data[f.length] == '\0');
            buf_fmt(&got, "%u %s %u [%s]|", f.txnr, f.command, f.length, f.data);
        }
    }
    if (progress == RELP_BAD) {
        ck_assert_ptr_nonnull(f.bad);
        buf_char(&got, '!');
    }
    ck_assert_msg(strcmp(buf_cstr(&got), frames[row].want) == 0, "\"%s\" in %zu and %zu: got \"%s\"", text, first, step, buf_cstr(&got));
    buf_clear(&got);
}

START_TEST(frames_whole_and_in_pieces)
{
    size_t len = strlen(frames[_i].input);
    for (size_t at = 1; at <= len; at++)
        expect((size_t)_i, at, len);
    for (size_t step = 1; step < 4; step++)
        expect((size_t)_i, step, step);
    expect((size_t)_i, len, len);
}
END_TEST

START_TEST(the_longest_frame_that_is_read)
{
    static struct relp_frame f;
    struct buf text = {0};
    size_t used;
    relp_frame_reset(&f);
    buf_fmt(&text, "7 rsp %zu ", RELP_DATA_MAX);
    for (size_t i = 0; i < RELP_DATA_MAX; i++)
        buf_char(&text, 'x');
    buf_char(&text, '\n');
    ck_assert_int_eq(relp_frame_read(&f, text.data, text.len, &used), RELP_WHOLE);
    ck_assert_uint_eq(used, text.len);
    ck_assert_uint_eq(strlen(f.data), RELP_DATA_MAX);
    buf_clear(&text);
}
END_TEST

/* ---- answers -------------------------------------------------------------------------------------- */

static const struct {
    const char *data;
    int code; /* 0: it is none */
    const char *words, *rest;
} answers[] = {
    {"200 OK", 200, "OK", ""},
    {"200", 200, "", ""},
    {"200 ", 200, "", ""},
    {"200\nrelp_version=0", 200, "", "relp_version=0"},
    {"200 OK\nrelp_version=0\ncommands=syslog", 200, "OK", "relp_version=0\ncommands=syslog"},
    {"500 no room, try \xc3\xa4gain", 500, "no room, try \xc3\xa4gain", ""},
    {"", 0, NULL, NULL},
    {"20", 0, NULL, NULL},
    {"2000 OK", 0, NULL, NULL},
    {"OK", 0, NULL, NULL},
    {" 200 OK", 0, NULL, NULL},
    {"200OK", 0, NULL, NULL},
};

START_TEST(answers_are_taken_apart)
{
    static struct relp_frame f;
    struct relp_answer a;
    strcpy(f.data, answers[_i].data);
    f.length = (uint32_t)strlen(f.data);
    ck_assert_int_eq(relp_frame_answer(&f, &a), answers[_i].code != 0);
    if (answers[_i].code == 0)
        return;
    ck_assert_int_eq(a.code, answers[_i].code);
    ck_assert_str_eq(a.words, answers[_i].words);
    ck_assert_str_eq(a.rest, answers[_i].rest);
}
END_TEST

START_TEST(words_without_end_are_cut)
{
    static struct relp_frame f;
    struct relp_answer a;
    memset(f.data, 'x', RELP_DATA_MAX);
    memcpy(f.data, "500 ", 4);
    f.length = RELP_DATA_MAX;
    ck_assert(relp_frame_answer(&f, &a));
    ck_assert_uint_eq(strlen(a.words), RELP_WORDS_MAX);
    ck_assert_str_eq(a.rest, "");
}
END_TEST

START_TEST(offers_of_a_session)
{
    static const struct {
        const char *offers;
        bool good;
    } rows[] = {
        {"relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog", true},
        {"commands=syslog\nrelp_version=1\n", true},
        {"relp_version=0,1\ncommands=eventlog,syslog,x", true},
        {"", false},
        {"relp_version=0", false},
        {"commands=syslog", false},
        {"relp_version=2\ncommands=syslog", false},
        {"relp_version=10\ncommands=syslog", false},
        {"relp_version\ncommands", false},
        {"relp_version=0\ncommands=syslogs", false},
        {"relp_version=0\ncommands=\nsyslog", false},
        {"relp_version=0\nxcommands=syslog", false},
        {"\n\n=,=,\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg((relp_frame_refusal(rows[i].offers) == NULL) == rows[i].good, "row %zu", i);
}
END_TEST

START_TEST(heads_of_frames)
{
    char head[RELP_HEAD_MAX];
    ck_assert_mem_eq(head, "1 open 52 ", relp_frame_head(head, 1, "open", 52));
    ck_assert_mem_eq(head, "20 close 0", relp_frame_head(head, 20, "close", 0));
    ck_assert_uint_eq(relp_frame_head(head, RELP_TXNR_MAX, LONG32, RELP_LENGTH_MAX), RELP_HEAD_MAX);
}
END_TEST

/* ---- the window ----------------------------------------------------------------------------------- */

static struct rig r;
static struct relp_window w;
static struct link l;
static int peer;

static void connect_link(void)
{
    int fds[2], small = 4096;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    l = (struct link){.env = &r.env, .fd = fds[0]};
    peer = fds[1];
}

static void disconnect(void)
{
    close(l.fd);
    close(peer);
}

static void window_setup(void)
{
    rig_open(&r, 16 << 20, 65536);
    connect_link();
}

static void window_teardown(void)
{
    relp_window_clear(&w);
    disconnect();
    rig_close(&r);
}

/* ${t} outlives the test: teardown may settle it. */
static size_t add(const char *text, struct receipt *t)
{
    size_t longs;
    receipt_init(t);
    struct wire *wire = wire_new(r.pool, rig_lines(&r, text, &t->ticket), RENDER_AUTO, WIRE_NEWLINE);
    ck_assert_int_eq(relp_window_add(&w, wire, NULL, 20, &longs), 0);
    return longs;
}

/* What the peer gets when as much as the window lets is sent. */
static const char *sent(void)
{
    static char got[300];
    ck_assert_int_eq(relp_window_send(&w, &l), 0);
    ssize_t n = recv(peer, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    return got;
}

START_TEST(as_many_as_the_window_has)
{
    static struct receipt t[2];
    ck_assert_int_eq(relp_window_init(&w, &r.env, 3), 0);
    add("one\n\nthree\n", &t[0]);
    add("four\nfive\n", &t[1]);
    ck_assert_str_eq(sent(), "2 syslog 3 one\n3 syslog 0\n4 syslog 5 three\n");
    ck_assert_str_eq(sent(), "");
    ck_assert(!relp_window_is_sent(&w));
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_DELIVERED); /* not the oldest: that one holds the window */
    ck_assert_str_eq(sent(), "");
    ck_assert_int_eq(relp_window_answer(&w, 2, NULL, 1), RELP_DELIVERED);
    ck_assert_str_eq(sent(), "5 syslog 4 four\n6 syslog 4 five\n");
    ck_assert(relp_window_is_sent(&w) && !relp_window_is_empty(&w));
    ck_assert_uint_eq(t[0].settled, 0);
    for (uint32_t txnr = 4; txnr < 7; txnr++)
        ck_assert_int_eq(relp_window_answer(&w, txnr, NULL, 1), RELP_DELIVERED);
    ck_assert(t[0].delivered && t[1].delivered && relp_window_is_empty(&w));
    ck_assert_uint_eq(r.stats.records_out, 5);
}
END_TEST

START_TEST(answers_to_nothing)
{
    static struct receipt t;
    ck_assert_int_eq(relp_window_init(&w, &r.env, 2), 0);
    ck_assert_int_eq(relp_window_answer(&w, 2, NULL, 1), RELP_UNKNOWN);
    add("a\nb\nc\n", &t);
    sent();
    static const uint32_t bad[] = {0, 1, 4, 5, RELP_TXNR_MAX, RELP_TXNR_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(relp_window_answer(&w, bad[i], NULL, 1), RELP_UNKNOWN);
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_DELIVERED);
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_UNKNOWN);
}
END_TEST

START_TEST(only_what_was_not_answered_is_sent_again)
{
    static struct receipt t[2];
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    add("a\nb\nc\n", &t[0]);
    add("d\ne\n", &t[1]);
    sent();
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_DELIVERED);
    ck_assert_int_eq(relp_window_answer(&w, 5, NULL, 1), RELP_DELIVERED);
    ck_assert_int_eq(relp_window_answer(&w, 6, NULL, 1), RELP_DELIVERED);
    ck_assert_uint_eq(t[1].settled, 1);
    relp_window_rewind(&w);
    ck_assert_uint_eq(w.open, 0);
    ck_assert_str_eq(sent(), "2 syslog 1 a\n3 syslog 1 c\n");
    ck_assert_int_eq(relp_window_answer(&w, 5, NULL, 1), RELP_UNKNOWN); /* of the session before */
    relp_window_answer(&w, 2, NULL, 1);
    relp_window_answer(&w, 3, NULL, 1);
    ck_assert(t[0].delivered);
}
END_TEST

START_TEST(a_record_is_refused_for_good_the_third_time)
{
    static struct receipt t;
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    add("a\nb\n", &t);
    for (int i = 0; i < 2; i++) {
        sent();
        if (i == 0)
            relp_window_answer(&w, 2, NULL, 3);
        ck_assert_int_eq(relp_window_answer(&w, i == 0 ? 3 : 2, "500 no", 3), RELP_AGAIN);
        relp_window_rewind(&w);
    }
    ck_assert_str_eq(sent(), "2 syslog 1 b\n");
    ck_assert_int_eq(relp_window_answer(&w, 2, "500 no", 3), RELP_REFUSED);
    ck_assert(t.delivered); /* dropped, and counted */
    ck_assert_str_eq(r.stats.dropped[0].reason, "refused by the peer");
    ck_assert_uint_eq(r.stats.dropped[0].records, 1);
    ck_assert_uint_eq(r.stats.records_out, 1);
    relp_window_rewind(&w);
    add("c\n", &t);
    for (int i = 0; i < 1000; i++) { /* without end */
        sent();
        ck_assert_int_eq(relp_window_answer(&w, 2, "500 no", 0), RELP_AGAIN);
        relp_window_rewind(&w);
    }
}
END_TEST

START_TEST(who_refuses_everything_gets_one_at_a_time)
{
    static struct receipt t[2];
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    add("a\nb\nc\n", &t[0]);
    sent();
    for (uint32_t txnr = 2; txnr < 5; txnr++)
        ck_assert_int_eq(relp_window_answer(&w, txnr, "500 no", 2), RELP_AGAIN);
    relp_window_rewind(&w);
    ck_assert_str_eq(sent(), "2 syslog 1 a\n");
    relp_window_rewind(&w); /* lost, with no answer: that says nothing */
    ck_assert_str_eq(sent(), "2 syslog 1 a\n");
    ck_assert_int_eq(relp_window_answer(&w, 2, "500 no", 2), RELP_REFUSED);
    ck_assert_str_eq(sent(), "3 syslog 1 b\n");
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 2), RELP_DELIVERED);
    add("d\ne\n", &t[1]);
    ck_assert_str_eq(sent(), "4 syslog 1 c\n5 syslog 1 d\n6 syslog 1 e\n");
    ck_assert_int_eq(relp_window_answer(&w, 4, NULL, 2), RELP_DELIVERED);
    ck_assert_int_eq(relp_window_answer(&w, 5, "500 no", 2), RELP_AGAIN);
    relp_window_rewind(&w); /* others were accepted */
    ck_assert_str_eq(sent(), "2 syslog 1 d\n3 syslog 1 e\n");
}
END_TEST

START_TEST(long_records_are_left_out)
{
    static struct receipt t[2];
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    ck_assert_uint_eq(add("123456789012345678901\na\n12345678901234567890\n123456789012345678901\n", &t[0]), 2);
    ck_assert_uint_eq(add("123456789012345678901\n", &t[1]), 1);
    ck_assert(t[1].delivered);
    ck_assert_str_eq(sent(), "2 syslog 1 a\n3 syslog 20 12345678901234567890\n");
    relp_window_answer(&w, 2, NULL, 1);
    relp_window_answer(&w, 3, NULL, 1);
    ck_assert(t[0].delivered);
    ck_assert_str_eq(r.stats.dropped[0].reason, "longer than max_record_bytes");
    ck_assert_uint_eq(r.stats.dropped[0].records, 3);
}
END_TEST

START_TEST(numbers_begin_again_after_the_last)
{
    static struct receipt t;
    ck_assert_int_eq(relp_window_init(&w, &r.env, 5), 0);
    w.oldest = w.sent = RELP_TXNR_MAX - 2;
    add("a\nb\nc\nd\n", &t);
    ck_assert_str_eq(sent(), "999999998 syslog 1 a\n999999999 syslog 1 b\n1 syslog 1 c\n2 syslog 1 d\n");
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_UNKNOWN);
    static const uint32_t txnrs[] = {1, 999999999, 999999998, 2};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(relp_window_answer(&w, txnrs[i], NULL, 1), RELP_DELIVERED);
    ck_assert(t.delivered);
}
END_TEST

/* Over a socket that is full all the time, with answers and lost connections at random: each record arrives, frames are whole. */
START_TEST(random_sessions)
{
    uint64_t seed = (uint64_t)_i + 1;
    size_t want = 0, fed = 0, answered = 0;
    static struct receipt t[40];
    struct buf in = {0};
    ck_assert_int_eq(relp_window_init(&w, &r.env, 1 + rig_random(&seed) % 200), 0);
    bool *seen = calloc(40 * 100, 1);
    while (fed < 40 || !relp_window_is_empty(&w)) {
        if (fed < 40 && relp_window_is_sent(&w)) {
            struct buf text = {0};
            for (uint64_t n = 1 + rig_random(&seed) % 100; n > 0; n--)
                buf_fmt(&text, "%zu%s\n", want++, rig_random(&seed) % 2 ? "" : " ...............");
            add(buf_cstr(&text), &t[fed++]);
            buf_clear(&text);
        }
        ck_assert_int_ge(relp_window_send(&w, &l), 0);
        char part[700];
        ssize_t n = recv(peer, part, 1 + rig_random(&seed) % sizeof part, MSG_DONTWAIT);
        buf_add(&in, part, n > 0 ? (size_t)n : 0);
        unsigned txnr, length, value;
        int head;
        while (in.len > 0 && sscanf(buf_cstr(&in), "%u syslog %u %n%u", &txnr, &length, &head, &value) == 3 && in.len > (size_t)head + length) {
            size_t size = (size_t)head + length + 1;
            ck_assert_int_eq(in.data[size - 1], '\n');
            memmove(in.data, in.data + size, in.len -= size);
            ck_assert_int_eq(relp_window_answer(&w, txnr, NULL, 1), RELP_DELIVERED);
            ck_assert(!seen[value]); /* what was answered does not come again */
            seen[value] = true;
            answered++;
        }
        if (rig_random(&seed) % 50 == 0) {
            disconnect();
            connect_link();
            in.len = 0;
            relp_window_rewind(&w);
        }
    }
    ck_assert_uint_eq(answered, want);
    for (size_t i = 0; i < fed; i++)
        ck_assert(t[i].settled == 1 && t[i].delivered);
    buf_clear(&in);
    free(seen);
}
END_TEST

/* ---- dead letters --------------------------------------------------------------------------------- */

static struct stream *letters;
static struct buf written;
static bool write_fails;
static struct catcher catcher; /* of its error */

static void letters_write(struct stream *s, void *self, struct chunk *c)
{
    (void)self;
    struct err e = {0};
    struct batch *b = chunk_batch(c);
    if (write_fails) {
        chunk_free(&c);
        stream_write_done(s, err_nomem(&e) != 0 ? &e : NULL);
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        ck_assert_uint_eq(b->records[i].flags, RECORD_ENDED);
        buf_add(&written, b->records[i].text, b->records[i].len + (size_t)1);
    }
    chunk_delivered(&c);
    stream_write_done(s, NULL);
}

static const struct stream_ops letters_ops = {.type = "letters", .write = letters_write};

static void letters_setup(void)
{
    struct stream_opts o;
    window_setup();
    rig_hush();
    write_fails = false;
    written = (struct buf){0};
    o = stream_defaults(r.loop);
    letters = r.env.dead_letter = stream_writable_new(&letters_ops, NULL, &o, NULL);
    catcher = (struct catcher){0};
    catcher_on(&catcher, letters);
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
}

static void letters_teardown(void)
{
    relp_window_clear(&w);
    stream_destroy(letters, NULL);
    RIG_UNTIL(&r, catcher.is_closed, 3);
    catcher_off(&catcher);
    stream_free(&letters);
    loop_tick(r.loop);
    buf_clear(&written);
    disconnect();
    rig_close(&r);
}

/* As the sink does. -1: no memory. */
static int add_with_letters(const char *text, struct receipt *t)
{
    size_t longs;
    receipt_init(t);
    struct chunk *c = rig_lines(&r, text, &t->ticket);
    struct batch *from = chunk_batch(c), *records = batch_beside(from);
    for (size_t i = 0; i < from->count; i++)
        *batch_add(records) = from->records[i];
    batch_weigh(records);
    return relp_window_add(&w, wire_new(r.pool, c, RENDER_AUTO, WIRE_NEWLINE), records, 20, &longs);
}

START_TEST(a_letter_holds_the_ticket_until_it_is_written)
{
    static struct receipt t;
    ck_assert_int_eq(add_with_letters("one\ntwo\n123456789012345678901\n", &t), 0);
    ck_assert_str_eq(sent(), "2 syslog 3 one\n3 syslog 3 two\n");
    ck_assert_int_eq(relp_window_answer(&w, 2, "500 not \"so\"", 1), RELP_REFUSED);
    ck_assert_int_eq(relp_window_answer(&w, 3, NULL, 1), RELP_DELIVERED);
    ck_assert(relp_window_is_empty(&w));
    ck_assert_uint_eq(t.settled, 0);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(t.delivered);
    const char *text = buf_cstr(&written);
    const char *second = strchr(text, '\n') + 1;
    ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"longer than max_record_bytes\""));
    ck_assert_ptr_nonnull(strstr(text, "\"message\":\"123456789012345678901\"}\n"));
    ck_assert_ptr_nonnull(strstr(second, "\"reason\":\"refused by the peer: 500 not \\\"so\\\"\""));
    ck_assert_ptr_nonnull(strstr(second, "\"message\":\"one\"}\n"));
    ck_assert_uint_eq(r.stats.refused, 2);
    ck_assert_ptr_null(r.stats.dropped[0].reason);
}
END_TEST

START_TEST(a_letter_that_is_not_written_fails_the_ticket)
{
    static struct receipt t;
    write_fails = true;
    ck_assert_int_eq(add_with_letters("one\n", &t), 0);
    sent();
    relp_window_answer(&w, 2, "500 no", 1);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(!t.delivered);
}
END_TEST

START_TEST(no_memory_for_a_letter)
{
    bool over = false;
    for (unsigned long n = 1; !over; n++) {
        static struct receipt t;
        enum relp_effect effect;
        uint64_t before = r.stats.refused;
        ck_assert_int_eq(add_with_letters("one\n", &t), 0);
        sent();
        mem_fail_at(n);
        effect = relp_window_answer(&w, 2, "500 no", 1);
        over = !mem_failed();
        mem_fail_at(0);
        if (effect == RELP_REFUSED) {
            RIG_UNTIL(&r, t.settled == 1, 3);
            ck_assert(t.delivered);
        } else {
            ck_assert_int_eq(effect, RELP_NOMEM);
            ck_assert_uint_eq(r.stats.refused, before);
            relp_window_clear(&w); /* as the sink that fails then */
            loop_tick(r.loop);
            ck_assert(t.settled == 1 && !t.delivered);
        }
        relp_window_clear(&w);
        ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    }
    ck_assert_uint_ge(r.stats.refused, 1);
}
END_TEST

START_TEST(given_up_it_fails)
{
    static struct receipt t[2];
    ck_assert_int_eq(relp_window_init(&w, &r.env, 10), 0);
    add("a\nb\n", &t[0]);
    add("c\n", &t[1]);
    sent();
    relp_window_answer(&w, 2, NULL, 1);
    relp_window_clear(&w);
    for (int i = 0; i < 2; i++)
        ck_assert(t[i].settled == 1 && !t[i].delivered);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relp");
    TCase *t = tcase_create("frames");
    tcase_add_loop_test(t, frames_whole_and_in_pieces, 0, sizeof frames / sizeof *frames);
    tcase_add_test(t, the_longest_frame_that_is_read);
    tcase_add_loop_test(t, answers_are_taken_apart, 0, sizeof answers / sizeof *answers);
    tcase_add_test(t, words_without_end_are_cut);
    tcase_add_test(t, offers_of_a_session);
    tcase_add_test(t, heads_of_frames);
    suite_add_tcase(suite, t);
    t = tcase_create("window");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, window_setup, window_teardown);
    tcase_add_test(t, as_many_as_the_window_has);
    tcase_add_test(t, answers_to_nothing);
    tcase_add_test(t, only_what_was_not_answered_is_sent_again);
    tcase_add_test(t, a_record_is_refused_for_good_the_third_time);
    tcase_add_test(t, who_refuses_everything_gets_one_at_a_time);
    tcase_add_test(t, long_records_are_left_out);
    tcase_add_test(t, numbers_begin_again_after_the_last);
    tcase_add_loop_test(t, random_sessions, 0, 10);
    tcase_add_test(t, given_up_it_fails);
    suite_add_tcase(suite, t);
    t = tcase_create("letters");
    tcase_add_checked_fixture(t, letters_setup, letters_teardown);
    tcase_add_test(t, a_letter_holds_the_ticket_until_it_is_written);
    tcase_add_test(t, a_letter_that_is_not_written_fails_the_ticket);
    tcase_add_test(t, no_memory_for_a_letter);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
