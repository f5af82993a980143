/*
 * Joining: whatever the borders of batches, the same records come out, and what a ledger says was delivered never ends inside
 * one that was joined, and is never less than it could be.
 */
#include "rig.h"

#include <stdio.h>

#include "record/render.h"
#include "transform/preset.h"

#define LINES_MAX  120
#define GROUPS_MAX LINES_MAX
#define TIME       "2026-01-02T03:04:05Z"

static struct rig r;
static struct config *config;
static struct stream *s;
static struct listener on_data, on_closed, on_failed;
static struct list held;
static bool closed, failed;
static struct buf out; /* every record that came, a line each */
static size_t records;

static void data(void *arg, struct stream_news *n)
{
    (void)arg;
    struct chunk *c = stream_take(n);
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count; i++) {
        render_record(&out, &b->records[i], RENDER_AUTO);
        buf_char(&out, '\n');
    }
    records += b->count;
    list_push(&held, &c->queued);
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
    failed = true;
}

static void start(const char *transform)
{
    struct err e = {0};
    config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],'sinks':[{'type':'blackhole'}]}}}",
                        transform);
    const struct stage_config *stage = &config->pipelines[0].transforms.items[0];
    s = stage->type->open(&r.env, stage->settings, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    stream_on(s, STREAM_ERROR, &on_failed, on_error, NULL);
    stream_on(s, STREAM_CLOSE, &on_closed, on_close, NULL);
    stream_on(s, STREAM_DATA, &on_data, data, NULL);
    closed = failed = false;
    records = 0;
}

static void settle_all(bool delivered)
{
    struct list *node;
    while ((node = list_shift(&held)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        if (delivered)
            chunk_delivered(&c);
        else
            chunk_free(&c);
    }
}

static void stop(void)
{
    stream_destroy(s, NULL);
    RIG_UNTIL(&r, closed, 3);
    stream_off(&on_data);
    stream_off(&on_closed);
    stream_off(&on_failed);
    settle_all(false);
    stream_free(&s);
    loop_tick(r.loop);
    config_free(&config);
    buf_clear(&out);
}

static void setup(void)
{
    rig_open(&r, 16 << 20, 65536);
    rig_hush();
    list_init(&held);
    out = (struct buf){0};
    s = NULL;
}

static void teardown(void)
{
    if (s != NULL)
        stop();
    rig_close(&r);
}

/* ---- a log, what has to come of it, and a ledger -------------------------------------------------- */

struct group {
    uint64_t begin, end;
    char text[400]; /* as it is rendered */
    bool came, delivered;
};

static struct {
    struct buf text;
    uint64_t ends[LINES_MAX];
    size_t lines;
    struct group groups[GROUPS_MAX];
    size_t count;
    struct ledger *ledger;
} book;

/* Lines of ${streams} streams, woven, in groups of up to five parts. */
static void make_log(uint64_t *seed, unsigned streams)
{
    struct group *open[2] = {NULL, NULL};
    unsigned left[2] = {0, 0};
    book.text.len = book.lines = book.count = 0;
    memset(book.groups, 0, sizeof book.groups);
    while (book.lines < LINES_MAX - 10 || open[0] != NULL || open[1] != NULL) {
        unsigned k = (unsigned)(rig_random(seed) % streams);
        if (open[k] == NULL && book.lines >= LINES_MAX - 10)
            continue;
        const char *name = k == 0 ? "stdout" : "stderr";
        if (open[k] == NULL) {
            open[k] = &book.groups[book.count];
            left[k] = 1 + (unsigned)(rig_random(seed) % 5);
            open[k]->begin = book.text.len;
            snprintf(open[k]->text, sizeof open[k]->text, "{\"time\":\"" TIME "\",\"stream\":\"%s\",\"message\":\"#%zu:", name, book.count);
            book.count++;
        }
        struct group *g = open[k];
        char part[40];
        bool first = g->begin == book.text.len;
        int n = snprintf(part, sizeof part, "%llx", (unsigned long long)(rig_random(seed) >> (rig_random(seed) % 64)));
        left[k]--;
        buf_fmt(&book.text, TIME " %s %c ", name, left[k] == 0 ? 'F' : 'P');
        if (first)
            buf_fmt(&book.text, "#%zu:", (size_t)(g - book.groups));
        buf_add(&book.text, part, (size_t)n);
        buf_char(&book.text, '\n');
        strcat(g->text, part);
        book.ends[book.lines++] = book.text.len;
        if (left[k] == 0) {
            strcat(g->text, "\"}");
            g->end = book.text.len;
            open[k] = NULL;
        }
    }
}

/* Groups that only the next one ends: lines that begin with # begin one. */
static void make_plain_log(uint64_t *seed)
{
    book.text.len = book.lines = book.count = 0;
    memset(book.groups, 0, sizeof book.groups);
    while (book.lines < LINES_MAX - 10) {
        struct group *g = &book.groups[book.count];
        size_t parts = 1 + rig_random(seed) % 4;
        char message[300] = "";
        g->begin = book.text.len;
        for (size_t i = 0; i < parts; i++) {
            char part[60];
            snprintf(part, sizeof part, i == 0 ? "#%zu:%llx" : " %zu %llx", i == 0 ? book.count : i, (unsigned long long)(rig_random(seed) >> 40));
            buf_fmt(&book.text, "%s\n", part);
            strcat(strcat(message, i == 0 ? "" : "\\n"), part);
            book.ends[book.lines++] = book.text.len;
        }
        snprintf(g->text, sizeof g->text, parts == 1 ? "%s" : "{\"message\":\"%s\"}", message);
        g->end = book.text.len;
        book.count++;
    }
}

static void note_advance(void *arg)
{
    (void)arg;
}

/* Lines [from, to) as one batch with a ticket. NULL: no memory. */
static struct chunk *lines(size_t from, size_t to)
{
    uint64_t begin = from == 0 ? 0 : book.ends[from - 1], end = book.ends[to - 1];
    struct ticket *t = ledger_ticket(book.ledger, end, mark_of(book.text.data, end));
    if (t == NULL)
        return NULL;
    struct chunk *c = rig_chunk(&r, book.text.data + begin, end - begin, NULL);
    if (c == NULL) {
        ledger_undo(t);
        return NULL;
    }
    chunk_batch(c)->body->base_offset = begin;
    ticket_set_add(&chunk_batch(c)->tickets, t);
    return c;
}

static struct group *group_of(const char *line)
{
    const char *id = strchr(line, '#');
    ck_assert_msg(id != NULL, "%s", line);
    return &book.groups[strtoul(id + 1, NULL, 10)];
}

/* Every record that came is the next of its stream, once, and as it should be. */
static void check_came(size_t *from)
{
    const char *at = buf_cstr(&out);
    at += *from;
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        struct group *g = group_of(at);
        ck_assert_msg(len == strlen(g->text) && memcmp(at, g->text, len) == 0, "expected %s\ngot %.*s", g->text, (int)len, at);
        ck_assert(!g->came);
        g->came = true;
        at += len + 1;
    }
    *from = out.len;
}

/* End some chunks, and note which groups that delivered. */
static void settle_some(uint64_t *seed, unsigned percent)
{
    LIST_EACH(node, &held) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        if (rig_random(seed) % 100 >= percent)
            continue;
        struct batch *b = chunk_batch(c);
        for (size_t i = 0; i < b->count; i++) {
            struct buf line = {0};
            render_record(&line, &b->records[i], RENDER_AUTO);
            group_of(buf_cstr(&line))->delivered = true;
            buf_clear(&line);
        }
        list_remove(node);
        chunk_delivered(&c);
    }
}

/* All before what the ledger says was delivered, and, with ${whole}, it ends between records. */
static void check_acked(bool whole)
{
    uint64_t acked = ledger_acked(book.ledger);
    for (size_t i = 0; i < book.count; i++) {
        const struct group *g = &book.groups[i];
        ck_assert_msg(!whole || acked <= g->begin || acked >= g->end, "%zu is inside %zu..%zu", (size_t)acked, (size_t)g->begin, (size_t)g->end);
        ck_assert_msg(acked <= g->begin || g->delivered, "%zu is acknowledged, but %s was not delivered", (size_t)acked, g->text);
    }
    /* the proof of content is that of the bytes in front of it */
    struct mark mark = ledger_mark(book.ledger);
    ck_assert(mark.len <= acked && mark_equal(mark, mark_of(book.text.data + acked - mark.len, mark.len)));
}

/* The first byte of what is not known to be complete before ${line}; ${told}: a record says itself that it is. */
static uint64_t open_at(size_t line, bool told)
{
    uint64_t end = line == 0 ? 0 : book.ends[line - 1], at = end;
    for (size_t i = 0; i < book.count; i++)
        if (book.groups[i].begin < end && book.groups[i].end + !told > end && book.groups[i].begin < at)
            at = book.groups[i].begin;
    return at;
}

/* With no ${streams}: lines. */
static void run_model(uint64_t seed, unsigned streams, unsigned most)
{
    size_t looked = 0;
    if (streams > 0)
        make_log(&seed, streams);
    else
        make_plain_log(&seed);
    book.ledger = ledger_new(0, (struct mark){0, 0}, note_advance, NULL);
    start(streams > 0 ? "{'type':'cri','timeout':'1h'}" : "{'type':'multiline','start':'^#','timeout':'1h'}");
    for (size_t at = 0; at < book.lines;) {
        size_t n = 1 + rig_random(&seed) % most;
        if (n > book.lines - at)
            n = book.lines - at;
        stream_write(s, lines(at, at + n), NULL, NULL);
        loop_tick(r.loop);
        at += n;
        check_came(&looked);
        bool all = rig_random(&seed) % 4 == 0;
        settle_some(&seed, all ? 100 : 40);
        check_acked(true);
        if (all && streams < 2) /* nothing is held back that need not be */
            ck_assert_uint_eq(ledger_acked(book.ledger), open_at(at, streams == 1));
    }
    stream_end(s, NULL);
    RIG_UNTIL(&r, closed, 3);
    check_came(&looked);
    settle_some(&seed, 100);
    check_acked(true);
    ck_assert_uint_eq(ledger_acked(book.ledger), book.text.len);
    ck_assert_uint_eq(records, book.count);
    ck_assert_uint_eq(r.stats.records_in, book.lines);
    ck_assert_uint_eq(r.stats.records_out + r.stats.merged, book.lines);
    stop();
    ledger_release(&book.ledger);
    r.stats = (struct stage_stats){0};
}

START_TEST(one_stream_in_batches_of_any_size)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_model(seed, 1, 1 + (unsigned)(seed % 12));
    buf_clear(&book.text);
}
END_TEST

START_TEST(lines_in_batches_of_any_size)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_model(seed * 31, 0, 1 + (unsigned)(seed % 12));
    buf_clear(&book.text);
}
END_TEST

START_TEST(woven_streams_in_batches_of_any_size)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_model(seed * 7919, 2, 1 + (unsigned)(seed % 12));
    buf_clear(&book.text);
}
END_TEST

/* A second holder stands for another branch, which may lag behind: nothing can be cut, and still nothing counts that was not delivered. */
START_TEST(tickets_that_cannot_be_cut)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed;
        size_t looked = 0;
        struct ticket_set other = {0};
        make_log(&random, 1 + (unsigned)(seed % 2));
        book.ledger = ledger_new(0, (struct mark){0, 0}, note_advance, NULL);
        start("{'type':'cri','timeout':'1h'}");
        for (size_t at = 0; at < book.lines;) {
            size_t n = 1 + rig_random(&random) % 7;
            if (n > book.lines - at)
                n = book.lines - at;
            struct chunk *c = lines(at, at + n);
            ck_assert_int_eq(ticket_set_join(&other, chunk_tickets(c)), 0);
            stream_write(s, c, NULL, NULL);
            loop_tick(r.loop);
            at += n;
            check_came(&looked);
            settle_some(&random, 40);
            if (rig_random(&random) % 3 == 0)
                ticket_set_end(&other, true);
            check_acked(false);
        }
        stream_end(s, NULL);
        RIG_UNTIL(&r, closed, 3);
        check_came(&looked);
        settle_some(&random, 100);
        ticket_set_end(&other, true);
        check_acked(false);
        ck_assert_uint_eq(ledger_acked(book.ledger), book.text.len);
        stop();
        ledger_release(&book.ledger);
    }
    buf_clear(&book.text);
}
END_TEST

START_TEST(every_allocation_fails_in_turn)
{
    uint64_t seed = 5;
    make_log(&seed, 2);
    unsigned long n = 0;
    bool fired = true;
    for (n = 1; fired; n++) {
        book.ledger = ledger_new(0, (struct mark){0, 0}, note_advance, NULL);
        start("{'type':'cri','timeout':'1h'}");
        mem_fail_at(n);
        for (size_t at = 0; at < 40 && !failed; at += 8) {
            struct chunk *c = lines(at, at + 8);
            if (c == NULL)
                break;
            stream_write(s, c, NULL, NULL);
            loop_tick(r.loop);
        }
        fired = mem_failed();
        mem_fail_at(0);
        stream_end(s, NULL);
        RIG_UNTIL(&r, closed, 3);
        stop();
        ck_assert_uint_eq(ledger_acked(book.ledger), 0); /* nothing was delivered, whatever failed */
        ledger_release(&book.ledger);
    }
    ck_assert_uint_gt(n, 30);
    buf_clear(&book.text);
}
END_TEST

/* ---- time, memory, logs ----------------------------------------------------------------------------- */

static void feed_log(const char *name, const char *text, struct ticket *t)
{
    struct chunk *c = rig_lines(&r, text, t);
    ck_assert_ptr_nonnull(c);
    chunk_batch(c)->body->origin = origin_new(name, name, "h", "s", "p");
    stream_write(s, c, NULL, NULL);
    loop_tick(r.loop);
}

START_TEST(what_waits_goes_on_after_the_timeout)
{
    struct receipt t;
    receipt_init(&t);
    start("{'type':'multiline','continue':'^ ','timeout':'50ms'}");
    feed_log("a", "one\n two\n", &t.ticket);
    ck_assert_uint_eq(records, 0);
    RIG_UNTIL(&r, records == 1, 3);
    ck_assert_str_eq(buf_cstr(&out), "{\"message\":\"one\\n two\"}\n");
    ck_assert_uint_eq(t.settled, 0);
    settle_all(true);
    ck_assert(t.settled == 1 && t.delivered);
}
END_TEST

START_TEST(logs_and_streams_are_apart)
{
    start("{'type':'multiline','continue':'^ ','timeout':'1h'}");
    feed_log("a", "a1\n", NULL);
    feed_log("b", "b1\n", NULL);
    feed_log("a", " a2\n", NULL);
    feed_log("b", " b2\n", NULL);
    feed_log("b", "b3\n", NULL);
    feed_log("a", "a3\n", NULL);
    ck_assert_str_eq(buf_cstr(&out), "{\"message\":\"b1\\n b2\"}\n{\"message\":\"a1\\n a2\"}\n");
    settle_all(true);
}
END_TEST

START_TEST(an_open_group_holds_no_slab)
{
    start("{'type':'multiline','continue':'^ ','timeout':'1h'}");
    for (int i = 0; i < 1000; i++) {
        char name[20];
        snprintf(name, sizeof name, "log %d", i);
        feed_log(name, "a line\n", NULL);
    }
    ck_assert_uint_eq(records, 0);
    ck_assert_uint_lt(pool_used(r.pool), 1 << 20); /* a thousand slabs are 64 MiB */
}
END_TEST

START_TEST(what_is_held_is_bounded)
{
    char line[4001];
    memset(line, 'x', sizeof line);
    line[sizeof line - 2] = '\n';
    line[sizeof line - 1] = '\0';
    start("{'type':'multiline','continue':'^ ','timeout':'1h'}");
    for (int i = 0; i < 4000; i++) {
        char name[20];
        snprintf(name, sizeof name, "log %d", i);
        feed_log(name, line, NULL);
        settle_all(true);
        ck_assert_uint_lt(pool_used(r.pool), (16u << 20) / 4 + (64u << 10) + (64u << 10));
    }
    ck_assert_uint_gt(records, 3000);
    ck_assert_uint_eq(r.stats.truncated, records);
}
END_TEST

START_TEST(an_incomplete_record_is_left_for_the_next_start)
{
    struct err e = {0};
    struct receipt t[3];
    struct checkpoint *kept = checkpoint_open(r.loop, r.work, rig_path(&r, "d"), CHECKPOINT_KEEP, &e);
    ck_assert_ptr_nonnull(kept);
    r.env.checkpoint = kept;
    static const struct {
        const char *transform, *text;
        bool given_back;
    } rows[] = {
        {"{'type':'cri','timeout':'1h'}", TIME " stdout P part\n", true},
        {"{'type':'docker','timeout':'1h'}", "{\"log\":\"part\",\"stream\":\"stdout\",\"time\":\"t\"}\n", true},
        {"{'type':'multiline','continue':'^ ','timeout':'1h'}", "perhaps whole\n", false},
    };
    for (size_t i = 0; i < 3; i++) {
        receipt_init(&t[i]);
        start(rows[i].transform);
        feed_log("a", rows[i].text, &t[i].ticket);
        stream_end(s, NULL);
        RIG_UNTIL(&r, closed, 3);
        ck_assert_uint_eq(records, rows[i].given_back ? 0 : 1);
        settle_all(true);
        ck_assert_uint_eq(t[i].settled, 1);
        ck_assert_int_eq(t[i].delivered, !rows[i].given_back);
        stop();
    }
    r.env.once = true; /* there is no next start */
    receipt_init(&t[0]);
    start(rows[0].transform);
    feed_log("a", rows[0].text, &t[0].ticket);
    stream_end(s, NULL);
    RIG_UNTIL(&r, closed, 3);
    ck_assert_uint_eq(records, 1);
    stop();
    checkpoint_close(&kept, NULL);
}
END_TEST

/* ---- presets ----------------------------------------------------------------------------------------- */

/* One letter a line: b begins, m belongs to it, a stands alone. */
static void expect_preset(unsigned presets, const char *text, const char *want)
{
    uint32_t state = 0;
    char got[100];
    size_t n = 0;
    for (const char *at = text; *at != '\0'; n++) {
        size_t len = strcspn(at, "\n");
        enum join_verdict v = preset_judge(presets, at, len, &state);
        got[n] = v == JOIN_BEGIN ? 'b' : v == JOIN_MORE ? 'm' : 'a';
        at += len + (at[len] == '\n');
    }
    got[n] = '\0';
    ck_assert_msg(strcmp(got, want) == 0, "%s\ngot %s, want %s", text, got, want);
}

START_TEST(stack_traces_as_the_languages_print_them)
{
    expect_preset(PRESET_JAVA,
                  "2026-01-02 INFO started\n"
                  "Exception in thread \"main\" java.lang.IllegalStateException: outer\n"
                  "\tat com.example.Main.run(Main.java:12) ~[app.jar:1.0]\n"
                  "\tat java.base/java.lang.Thread.run(Thread.java:829)\n"
                  "\tSuppressed: java.lang.Exception: closing\n"
                  "\t\tat com.example.Main.close(Main.java:20)\n"
                  "\t\t... 1 more\n"
                  "Caused by: java.io.IOException: inner\n"
                  "\tat com.example.Io.read(Io.java:5)\n"
                  "\t... 12 common frames omitted\n"
                  "java.lang.NullPointerException\n"
                  "\tat a.b(C.java:1)\n"
                  "2026-01-02 INFO going on\n"
                  "\tat nothing in particular\n",
                  "abmmmmmmmmbmaa");
    expect_preset(PRESET_PYTHON,
                  "INFO:root:hello\n"
                  "Traceback (most recent call last):\n"
                  "  File \"/srv/a.py\", line 3, in <module>\n"
                  "    f()\n"
                  "    ~^^\n"
                  "  [Previous line repeated 3 more times]\n"
                  "KeyError: 'x'\n"
                  "\n"
                  "During handling of the above exception, another exception occurred:\n"
                  "\n"
                  "Traceback (most recent call last):\n"
                  "  File \"/srv/a.py\", line 5, in <module>\n"
                  "ValueError\n"
                  "INFO:root:more\n"
                  "  indented\n",
                  "abmmmmmmmmmmmaa");
    expect_preset(PRESET_GO,
                  "2026/01/02 03:04:05 http: panic serving 127.0.0.1:5000: boom\n"
                  "goroutine 7 [running]:\n"
                  "net/http.(*conn).serve.func1()\n"
                  "\t/usr/lib/go/src/net/http/server.go:1868 +0xb9\n"
                  "panic({0x62a0c0?, 0x6e3e80?})\n"
                  "\t/usr/lib/go/src/runtime/panic.go:920 +0x270\n"
                  "created by net/http.(*Server).Serve in goroutine 1\n"
                  "\t/usr/lib/go/src/net/http/server.go:3285 +0x4b4\n"
                  "2026/01/02 03:04:05 next\n"
                  "panic: runtime error: invalid memory address or nil pointer dereference\n"
                  "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47]\n"
                  "\n"
                  "goroutine 1 [running]:\n"
                  "main.main()\n"
                  "\t/srv/main.go:6 +0x1d\n"
                  "exit status 2\n"
                  "fatal error: all goroutines are asleep - deadlock!\n"
                  "\n"
                  "goroutine 1 [chan receive]:\n"
                  "main.main()\n",
                  "bmmmmmmmabmmmmmmbmmm");
    expect_preset(PRESET_NODE,
                  "/srv/app.js:3\n"
                  "  throw new Error('x');\n"
                  "  ^\n"
                  "\n"
                  "Error: x\n"
                  "    at f (/srv/app.js:3:9)\n"
                  "    at async Promise.all (index 0) {\n"
                  "  code: 'ENOENT',\n"
                  "  [cause]: TypeError: y\n"
                  "      at g (/srv/app.js:9:1)\n"
                  "}\n"
                  "listening on 8080\n"
                  "TypeError: y\n"
                  "    at g (/srv/app.js:9:1)\n"
                  "ok\n",
                  "bmmmmmmmmmmabma");
    expect_preset(PRESET_JAVA | PRESET_PYTHON, "x Error: y\n  at z\nTraceback (most recent call last):\n  File\nE: 1\nok\n", "bmbmma");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("join");
    TCase *t = tcase_create("tickets");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, one_stream_in_batches_of_any_size);
    tcase_add_test(t, lines_in_batches_of_any_size);
    tcase_add_test(t, woven_streams_in_batches_of_any_size);
    tcase_add_test(t, tickets_that_cannot_be_cut);
    tcase_add_test(t, every_allocation_fails_in_turn);
    suite_add_tcase(suite, t);
    t = tcase_create("time and memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_waits_goes_on_after_the_timeout);
    tcase_add_test(t, logs_and_streams_are_apart);
    tcase_add_test(t, an_open_group_holds_no_slab);
    tcase_add_test(t, what_is_held_is_bounded);
    tcase_add_test(t, an_incomplete_record_is_left_for_the_next_start);
    suite_add_tcase(suite, t);
    t = tcase_create("presets");
    tcase_add_test(t, stack_traces_as_the_languages_print_them);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
