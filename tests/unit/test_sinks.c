/* Sinks: a peer that stalls and goes at every byte, a disk that is full, a file that was left unfinished. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zlib.h>

#include "sink/torn.h"

static struct rig r;
static struct config *config;
static struct stream *s;
static struct catcher c;

static void setup(void)
{
    rig_open(&r, 64 << 20, 65536);
    rig_hush();
    signal(SIGPIPE, SIG_IGN);
    s = NULL;
    c = (struct catcher){0};
}

static void start(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void start(const char *fmt, ...)
{
    struct err e = {0};
    char sink[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sink, sizeof sink, fmt, ap);
    va_end(ap);
    config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'sinks':[%s]}}}", sink);
    const struct stage_config *stage = &config->pipelines[0].sinks.items[0];
    r.stats = (struct stage_stats){0};
    s = stage->type->open(&r.env, stage->settings, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    c = (struct catcher){0};
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
}

static void feed_blob(const char *data, size_t len, struct ticket *t)
{
    char *copy = mem_strndup(data, len);
    struct blob *b = blob_new(r.pool, copy, len);
    ck_assert_int_eq(ticket_set_add(&b->tickets, t), 0);
    b->records = 1;
    stream_write(s, &b->chunk, NULL, NULL);
}

/* ---- tcp --------------------------------------------------------------------------------------- */

static int listener, port;

static void listen_small(int receive)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (receive > 0)
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(listener, 10), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    port = ntohs(a.sin_port);
}

static int accept_one(void)
{
    int fd = -1;
    RIG_UNTIL(&r, (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0, 5);
    return fd;
}

/* Read up to ${most} bytes, waiting for them until ${seconds} have passed. */
static size_t receive(int fd, char *to, size_t most, double seconds)
{
    size_t n = 0;
    double end = loop_now() + seconds;
    while (n < most && loop_now() < end) {
        ssize_t got = recv(fd, to + n, most - n, 0);
        if (got > 0)
            n += (size_t)got;
        else if (got == 0)
            break;
        else if (!loop_turn(r.loop))
            usleep(100);
    }
    return n;
}

START_TEST(tcp_sends_waits_for_the_ack_and_ends_in_order)
{
    struct receipt t;
    char got[100];
    receipt_init(&t);
    listen_small(0);
    start("{'type':'tcp','address':'127.0.0.1:%d'}", port);
    feed("one\ntwo\n", &t.ticket);
    int fd = accept_one();
    ck_assert_uint_eq(receive(fd, got, 8, 3), 8);
    ck_assert_mem_eq(got, "one\ntwo\n", 8);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(t.delivered);
    ck_assert_uint_eq(r.stats.records_out, 2);
    rig_run(&r, 0.3);
    double cpu = rig_cpu(); /* connected and idle */
    rig_run(&r, 0.3);
    ck_assert(rig_cpu() - cpu < 0.15);
    stream_end(s, NULL);
    ck_assert_uint_eq(receive(fd, got, 1, 3), 0); /* FIN */
    close(fd);
    RIG_UNTIL(&r, stream_is_finished(s), 3);
    close(listener);
}
END_TEST

/* The peer reads ${at} bytes of the first connection and goes; the second one must begin with a record, and nothing may be missing. */
START_TEST(tcp_goes_on_with_a_record_wherever_the_connection_breaks)
{
    static const char text[] = "first\nsecond\n\nthird and longest\nx\n";
    bool counting = _i == 1;
    size_t starts[10], count = 0;
    char wire[200], got[400];
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        size_t n = (size_t)(strchr(at, '\n') - at);
        starts[count++] = len;
        if (counting)
            len += (size_t)sprintf(wire + len, "%zu ", n);
        memcpy(wire + len, at, n + 1);
        len += n + !counting;
    }
    listen_small(0);
    for (size_t at = 0; at <= len; at++) {
        struct receipt t[2];
        receipt_init(&t[0]);
        receipt_init(&t[1]);
        start("{'type':'tcp','address':'127.0.0.1:%d','framing':'%s'}", port,
              counting ? "octet_counting" : "newline");
        int fd = accept_one();
        /* A window that small holds the rest back: so the connection breaks inside the stream. */
        feed("first\nsecond\n\n", &t[0].ticket);
        feed("third and longest\nx\n", &t[1].ticket);
        ck_assert_uint_eq(receive(fd, got, at, 3), at);
        ck_assert_mem_eq(got, wire, at);
        struct linger hard = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd); /* RST */
        rig_run(&r, 0.002);
        struct receipt more;
        receipt_init(&more);
        feed("end\n", &more.ticket);
        fd = accept_one();
        size_t n = receive(fd, got, sizeof got, 0.03), tail = counting ? 5 : 4;
        ck_assert_uint_ge(n, tail);
        ck_assert_mem_eq(got + n - tail, counting ? "3 end" : "end\n", tail);
        n -= tail;
        ck_assert_uint_le(n, len);
        ck_assert_mem_eq(got, wire + len - n, n);
        bool boundary = n == 0;
        for (size_t i = 0; i < count; i++)
            boundary |= starts[i] == len - n;
        ck_assert_msg(boundary, "after %zu bytes it went on with byte %zu", at, len - n);
        RIG_UNTIL(&r, more.settled == 1, 3);
        ck_assert(t[0].delivered && t[1].delivered && more.delivered);
        ck_assert_uint_eq(t[0].settled + t[1].settled, 2);
        close(fd);
        stop();
        s = NULL;
    }
    close(listener);
}
END_TEST

START_TEST(tcp_keeps_what_a_stalled_peer_has_not_taken)
{
    struct buf text = {0};
    struct receipt t[40];
    listen_small(4096);
    start("{'type':'tcp','address':'127.0.0.1:%d'}", port);
    for (int i = 0; i < 40; i++) {
        struct buf part = {0};
        for (int k = 0; k < 10000; k++)
            buf_fmt(&part, "chunk %d line %d\n", i, k);
        receipt_init(&t[i]);
        feed(buf_cstr(&part), &t[i].ticket);
        buf_add(&text, part.data, part.len);
        buf_clear(&part);
    }
    char *got = malloc(text.len * 2);
    int fd = accept_one();
    rig_run(&r, 0.3);
    double cpu = rig_cpu(); /* stalled: it waits, and does not spin */
    rig_run(&r, 0.4);
    ck_assert(rig_cpu() - cpu < 0.2);
    ck_assert_uint_eq(t[39].settled, 0);
    size_t n = receive(fd, got, 700000, 10);
    ck_assert_uint_eq(n, 700000);
    ck_assert_mem_eq(got, text.data, n);
    close(fd); /* what was not read is lost with it */
    fd = accept_one();
    n = receive(fd, got, text.len, 0.2);
    while (n > 0 && n < text.len) {
        size_t more = receive(fd, got + n, text.len - n, 0.2);
        if (more == 0)
            break;
        n += more;
    }
    ck_assert_uint_ge(n + 700000 + (1 << 20), text.len); /* what its kernel had taken is beyond sight */
    ck_assert_mem_eq(got, text.data + text.len - n, n);
    ck_assert(n == text.len || text.data[text.len - n - 1] == '\n');
    RIG_UNTIL(&r, t[39].settled == 1, 5);
    for (int i = 0; i < 40; i++)
        ck_assert(t[i].settled == 1 && t[i].delivered);
    close(fd);
    close(listener);
    free(got);
    buf_clear(&text);
}
END_TEST

START_TEST(tcp_sends_a_blob_again_from_its_start)
{
    struct receipt t;
    char got[100];
    receipt_init(&t);
    listen_small(0);
    start("{'type':'tcp','address':'127.0.0.1:%d'}", port);
    int fd = accept_one();
    close(fd);
    feed_blob("member", 6, &t.ticket);
    fd = accept_one();
    ck_assert_uint_eq(receive(fd, got, 6, 3), 6);
    ck_assert_mem_eq(got, "member", 6);
    RIG_UNTIL(&r, t.settled == 1, 3);
    close(fd);
    close(listener);
}
END_TEST

START_TEST(tcp_destroyed_fails_what_was_not_acknowledged)
{
    struct receipt t[3];
    start("{'type':'tcp','address':'127.0.0.1:1'}"); /* nobody there */
    for (int i = 0; i < 3; i++) {
        receipt_init(&t[i]);
        feed("x\n", &t[i].ticket);
    }
    double cpu = rig_cpu();
    rig_run(&r, 0.3);
    ck_assert(rig_cpu() - cpu < 0.15);
    stop();
    s = NULL;
    for (int i = 0; i < 3; i++)
        ck_assert(t[i].settled == 1 && !t[i].delivered);
    start("{'type':'tcp','address':'name.invalid:5'}"); /* destroyed during the look-up */
    rig_run(&r, 0.001);
}
END_TEST

/* ---- file -------------------------------------------------------------------------------------- */

static bool holds(const char *name, const char *text)
{
    size_t len;
    char *have = rig_read(rig_path(&r, name), &len);
    bool same = strcmp(have, text) == 0;
    free(have);
    return same;
}

START_TEST(file_writes_and_follows_its_name)
{
    struct receipt t;
    struct stat st;
    receipt_init(&t);
    start("{'type':'file','path':'%s','mode':'0600'}", rig_path(&r, "new/dir/out"));
    feed("one\ntwo\n", &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(t.delivered && holds("new/dir/out", "one\ntwo\n"));
    ck_assert_int_eq(stat(rig_path(&r, "new/dir/out"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    rename(rig_path(&r, "new/dir/out"), rig_path(&r, "old"));
    receipt_init(&t);
    feed("three\n", &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(holds("old", "one\ntwo\n") && holds("new/dir/out", "three\n"));
    unlink(rig_path(&r, "new/dir/out"));
    receipt_init(&t);
    feed("four\n", &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(holds("new/dir/out", "four\n"));
    ck_assert_uint_eq(r.stats.records_out, 4);
}
END_TEST

START_TEST(file_begins_a_new_line_after_an_unfinished_one)
{
    struct receipt t;
    receipt_init(&t);
    rig_write(rig_path(&r, "out"), "whole\nunfin", 11);
    start("{'type':'file','path':'%s','sync':'always'}", rig_path(&r, "out"));
    feed("one\n", &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(holds("out", "whole\nunfin\none\n"));
}
END_TEST

START_TEST(file_waits_for_a_full_disk)
{
    struct receipt t;
    struct rlimit old, small;
    receipt_init(&t);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 10; /* inside the second line: a short write, then none */
    setrlimit(RLIMIT_FSIZE, &small);
    start("{'type':'file','path':'%s'}", rig_path(&r, "out"));
    feed("first\nsecond\nthird\n", &t.ticket);
    rig_run(&r, 0.1);
    ck_assert_uint_eq(t.settled, 0);
    ck_assert(holds("out", "first\nseco"));
    double cpu = rig_cpu();
    rig_run(&r, 0.5);
    ck_assert(rig_cpu() - cpu < 0.2);
    setrlimit(RLIMIT_FSIZE, &old);
    const struct stage *type = config->pipelines[0].sinks.items[0].type;
    type->stop(s); /* tries at once */
    RIG_UNTIL(&r, t.settled == 1, 0.5);
    ck_assert(t.delivered && holds("out", "first\nsecond\nthird\n"));
}
END_TEST

START_TEST(file_does_not_block_on_a_fifo)
{
    struct receipt t;
    receipt_init(&t);
    ck_assert_int_eq(mkfifo(rig_path(&r, "fifo"), 0600), 0);
    start("{'type':'file','path':'%s'}", rig_path(&r, "fifo"));
    feed("one\n", &t.ticket);
    rig_run(&r, 0.05); /* nobody reads: must come back */
    ck_assert_uint_eq(t.settled, 0);
    int fd = open(rig_path(&r, "fifo"), O_RDONLY | O_NONBLOCK);
    char got[10];
    const struct stage *type = config->pipelines[0].sinks.items[0].type;
    type->stop(s);
    RIG_UNTIL(&r, t.settled == 1, 2);
    ck_assert_int_eq(read(fd, got, sizeof got), 4);
    close(fd);
}
END_TEST

START_TEST(file_destroyed_while_it_waits_or_syncs)
{
    struct receipt t;
    receipt_init(&t);
    ck_assert_int_eq(mkdir(rig_path(&r, "taken"), 0700), 0);
    start("{'type':'file','path':'%s'}", rig_path(&r, "taken"));
    feed("one\n", &t.ticket);
    rig_run(&r, 0.02);
    stop();
    s = NULL;
    ck_assert(t.settled == 1 && !t.delivered);
    receipt_init(&t);
    start("{'type':'file','path':'%s','sync':'always'}", rig_path(&r, "out"));
    feed("one\n", &t.ticket);
    loop_tick(r.loop); /* on the worker now */
    stop();
    s = NULL;
    ck_assert_uint_eq(t.settled, 1);
}
END_TEST

/* A chunk counts when all of its files are written; records keep their order within each. */
START_TEST(file_parts_of_a_chunk_count_together)
{
    struct receipt t;
    receipt_init(&t);
    mkdir(rig_path(&r, "d"), 0700);
    mkdir(rig_path(&r, "d/two"), 0700); /* in the way */
    start("{'type':'file','path':'%s/{.message}','max_open_files':2,'sync':'%s'}", rig_path(&r, "d"), _i == 1 ? "always" : "none");
    feed("one\ntwo\nthree\none\nfour\none\n", &t.ticket);
    rig_run(&r, 0.1);
    ck_assert_uint_eq(t.settled, 0);
    ck_assert(holds("d/one", "one\none\none\n"));
    ck_assert_uint_eq(r.stats.records_out, 3);
    rmdir(rig_path(&r, "d/two"));
    const struct stage *type = config->pipelines[0].sinks.items[0].type;
    type->stop(s);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(t.delivered && holds("d/two", "two\n") && holds("d/three", "three\n") && holds("d/four", "four\n"));
    ck_assert_uint_eq(r.stats.records_out, 6);
    ck_assert_uint_eq(r.stats.bytes_out, r.stats.bytes_in);
    receipt_init(&t); /* given up in the middle: not delivered */
    mkdir(rig_path(&r, "d/five"), 0700);
    feed("six\nfive\n", &t.ticket);
    rig_run(&r, 0.05);
    stop();
    s = NULL;
    ck_assert(t.settled == 1 && !t.delivered && holds("d/six", "six\n"));
}
END_TEST

/* A line that is half written when its file is rotated away by somebody else begins anew in the next one; with rotation of our own
 * the bound counts. */
START_TEST(file_rotates_between_records)
{
    struct receipt t;
    struct stat st;
    struct buf text = {0}, got = {0};
    char name[20];
    receipt_init(&t);
    for (int i = 0; i < 1000; i++)
        buf_fmt(&text, "%0*d\n", i % 100, i);
    buf_fmt(&text, "%02000d\nend\n", 7); /* larger than the bound by itself */
    start("{'type':'file','path':'%s','rotate':{'max_bytes':1024,'keep':200},'sync':'%s'}", rig_path(&r, "f"), _i == 1 ? "always" : "none");
    feed(buf_cstr(&text), &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 20);
    ck_assert(t.delivered);
    for (int i = 200; i >= 0; i--) {
        snprintf(name, sizeof name, i > 0 ? "f.%d" : "f", i);
        if (stat(rig_path(&r, name), &st) != 0)
            continue;
        ck_assert(st.st_size <= 1024 || st.st_size == 2001);
        size_t len;
        char *part = rig_read(rig_path(&r, name), &len);
        ck_assert_int_eq(part[len - 1], '\n');
        buf_add(&got, part, len);
        free(part);
    }
    ck_assert_uint_eq(got.len, text.len);
    ck_assert_mem_eq(got.data, text.data, text.len);
    buf_clear(&got);
    buf_clear(&text);
}
END_TEST

/* ---- mending gzip ------------------------------------------------------------------------------ */

static size_t member(unsigned char *to, size_t room, const char *text)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = to;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

START_TEST(a_gzip_file_is_cut_behind_its_last_whole_member)
{
    unsigned char data[1000];
    size_t one = member(data, sizeof data, "one"), two = one + member(data + one, 500, "number two");
    for (size_t cut = 0; cut <= two; cut++) {
        struct stat st;
        rig_write(rig_path(&r, "f.gz"), (char *)data, cut);
        int fd = open(rig_path(&r, "f.gz"), O_RDWR);
        ck_assert_int_eq(torn_mend(fd, NULL, "f.gz"), 0);
        fstat(fd, &st);
        close(fd);
        ck_assert_uint_eq((size_t)st.st_size, cut == two ? two : cut >= one ? one : 0);
    }
    rig_write(rig_path(&r, "f.gz"), "plain text\n", 11);
    struct receipt t;
    receipt_init(&t);
    start("{'type':'file','path':'%s'}", rig_path(&r, "f.gz"));
    feed_blob("blob", 4, &t.ticket);
    RIG_UNTIL(&r, t.settled == 1, 3);
    ck_assert(holds("f.gz", "plain text\nblob"));
}
END_TEST

START_TEST(sinks_without_memory)
{
    char path[300], many[300];
    snprintf(path, sizeof path, "{'type':'file','path':'%s'}", rig_path(&r, "out"));
    snprintf(many, sizeof many, "{'type':'file','path':'%s/{.message}-{%%Y}','rotate':{'max_bytes':1024}}", rig_path(&r, "many"));
    const char *const sinks[] = {path, many, "{'type':'tcp','address':'127.0.0.1:1'}",
                                 "{'type':'tcp','address':['127.0.0.1:1','name.invalid:2'],'framing':'length_prefix'}",
                                 "{'type':'relp','address':'127.0.0.1:1','max_record_bytes':3}"};
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++) {
        bool over = false;
        for (unsigned long n = 1; !over; n++) {
            struct err e = {0};
            struct receipt t;
            receipt_init(&t);
            config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'sinks':[%s]}}}", sinks[i]);
            const struct stage_config *stage = &config->pipelines[0].sinks.items[0];
            struct chunk *chunk = rig_lines(&r, "one\ntwo\n", &t.ticket);
            mem_fail_at(n);
            s = stage->type->open(&r.env, stage->settings, &e);
            if (s != NULL) {
                c = (struct catcher){0};
                catcher_on(&c, s);
                stream_write(s, chunk, NULL, NULL);
                loop_turn(r.loop);
            } else {
                chunk_free(&chunk);
            }
            over = !mem_failed();
            mem_fail_at(0);
            if (s != NULL)
                stop();
            else
                config_free(&config);
            ck_assert_uint_eq(t.settled, 1);
            ck_assert_uint_eq(pool_used(r.pool), 0);
        }
    }
    s = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sinks");
    TCase *t = tcase_create("tcp");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tcp_sends_waits_for_the_ack_and_ends_in_order);
    tcase_add_loop_test(t, tcp_goes_on_with_a_record_wherever_the_connection_breaks, 0, 2);
    tcase_add_test(t, tcp_keeps_what_a_stalled_peer_has_not_taken);
    tcase_add_test(t, tcp_sends_a_blob_again_from_its_start);
    tcase_add_test(t, tcp_destroyed_fails_what_was_not_acknowledged);
    suite_add_tcase(suite, t);
    t = tcase_create("file");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, file_writes_and_follows_its_name);
    tcase_add_test(t, file_begins_a_new_line_after_an_unfinished_one);
    tcase_add_test(t, file_waits_for_a_full_disk);
    tcase_add_test(t, file_does_not_block_on_a_fifo);
    tcase_add_test(t, file_destroyed_while_it_waits_or_syncs);
    tcase_add_loop_test(t, file_parts_of_a_chunk_count_together, 0, 2);
    tcase_add_loop_test(t, file_rotates_between_records, 0, 2);
    tcase_add_test(t, a_gzip_file_is_cut_behind_its_last_whole_member);
    tcase_add_test(t, sinks_without_memory);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
