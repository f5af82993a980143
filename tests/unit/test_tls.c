/* TLS over a socket pair: both sides are ours, so that each byte and each failure can be chosen. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "certs.h"
#include "net/tls.h"
#include "net/tls_marks.h"

static struct rig r;

/* One side of a connection. */
struct side {
    struct tls_settings set;
    struct tls_context *context;
    struct tls *tls;
    int fd;
};
static struct side client, server;

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    certs_make(&r, "ca", NULL, NULL, -1, 10);
    certs_make(&r, "other", NULL, NULL, -1, 10);
    certs_make(&r, "here", "ca", "DNS:here.test,DNS:*.wild.test,IP:127.0.0.1", -1, 10);
    certs_make(&r, "stranger", "other", "DNS:here.test", -1, 10);
    certs_make(&r, "old", "ca", "DNS:here.test", -10, -1);
    certs_make(&r, "early", "ca", "DNS:here.test", 5, 10);
    certs_make(&r, "common", "ca", NULL, -1, 10);
    certs_make(&r, "evil", "ca", "DNS:a\x1b[31m\"b", -1, 10);
    client = (struct side){.set = {.on = true, .verify = true}, .fd = -1};
    server = (struct side){.set = {.on = true}, .fd = -1};
}

static char *file(const char *name, const char *kind)
{
    char text[100];
    snprintf(text, sizeof text, "%s.%s", name, kind);
    return mem_strdup(rig_path(&r, text));
}

static void own(struct side *s, const char *name)
{
    s->set.cert_file = file(name, "pem");
    s->set.key_file = file(name, "key");
}

/* Both ends; ${name} is what the client asked for. */
static void open_pair(const char *name)
{
    int fds[2];
    struct err e = {0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client.fd = fds[0];
    server.fd = fds[1];
    if (client.context == NULL)
        client.context = tls_context_new(TLS_CLIENT, &client.set, &e);
    if (server.context == NULL)
        server.context = tls_context_new(TLS_SERVER, &server.set, &e);
    ck_assert_msg(client.context != NULL && server.context != NULL, "%s", e.text);
    client.tls = tls_new(client.context, client.fd, name, &e);
    server.tls = tls_new(server.context, server.fd, NULL, &e);
    ck_assert_msg(client.tls != NULL && server.tls != NULL, "%s", e.text);
}

static void close_pair(void)
{
    struct side *const sides[] = {&client, &server};
    for (int i = 0; i < 2; i++) {
        tls_free(&sides[i]->tls);
        if (sides[i]->fd >= 0)
            close(sides[i]->fd);
        sides[i]->fd = -1;
    }
}

static void teardown(void)
{
    close_pair();
    struct side *const sides[] = {&client, &server};
    for (int i = 0; i < 2; i++) {
        tls_context_free(&sides[i]->context);
        mem_free(sides[i]->set.ca_file);
        mem_free(sides[i]->set.server_name);
        mem_free(sides[i]->set.cert_file);
        mem_free(sides[i]->set.key_file);
        mem_free(sides[i]->set.key_password);
    }
    rig_close(&r);
}

/* Both shake hands until one has failed or both are done. Returns whether both are. */
static bool shake(void)
{
    for (int i = 0; i < 100; i++) {
        int a = tls_handshake(client.tls), b = tls_handshake(server.tls);
        if (a < 0 || b < 0) {
            char rest[100]; /* the other side's alert */
            if (a >= 0)
                tls_recv(client.tls, rest, sizeof rest);
            if (b >= 0)
                tls_recv(server.tls, rest, sizeof rest);
            return false;
        }
        if (a > 0 && b > 0)
            return true;
    }
    ck_abort_msg("the handshake does not end");
}

static ssize_t put(struct side *s, const char *data, size_t len)
{
    struct iovec v = {(void *)(uintptr_t)data, len};
    return tls_send(s->tls, &v, 1);
}

/* ---- the handshake ------------------------------------------------------------------------------- */

enum { NO_CA, CA };

static const struct {
    const char *cert, *name, *server_name;
    int ca;
    bool verify;
    const char *words; /* what the client says; NULL: it is taken */
} peers[] = {
    {"here", "here.test", NULL, CA, true, NULL},
    {"here", "127.0.0.1", NULL, CA, true, NULL},
    {"here", "a.wild.test", NULL, CA, true, NULL},
    {"here", "elsewhere.test", "here.test", CA, true, NULL},
    {"common", "common", NULL, CA, true, NULL},
    {"here", "a.b.wild.test", NULL, CA, true, "certificate is for \"here.test\", \"*.wild.test\", \"127.0.0.1\", not for \"a.b.wild.test\""},
    {"here", "127.0.0.2", NULL, CA, true, "certificate is for \"here.test\", \"*.wild.test\", \"127.0.0.1\", not for \"127.0.0.2\""},
    {"here", "::1", NULL, CA, true, "not for \"::1\""},
    {"here", "here.test", "elsewhere.test", CA, true, "not for \"elsewhere.test\""},
    {"common", "here.test", NULL, CA, true, "certificate is for \"common\", not for \"here.test\""},
    {"evil", "here.test", NULL, CA, true, "certificate is for \"a?[31m?b\", not for"},
    {"stranger", "here.test", NULL, CA, true,
     "certificate is not trusted: unable to get local issuer certificate (issued by \"other\"; ca_file \""},
    {"here", "here.test", NULL, NO_CA, true, "looked up in the system's store; no ca_file)"},
    {"other", "here.test", NULL, CA, true, "certificate is not trusted: self-signed certificate"},
    {"old", "here.test", NULL, CA, true, "certificate expired on 20"},
    {"early", "here.test", NULL, CA, true, "certificate is not valid before 20"},
    {"stranger", "nowhere.test", NULL, NO_CA, false, NULL},
    {"old", "nowhere.test", NULL, NO_CA, false, NULL},
};

START_TEST(a_peer_is_taken_or_refused_for_a_reason)
{
    own(&server, peers[_i].cert);
    client.set.verify = peers[_i].verify;
    client.set.ca_file = peers[_i].ca == CA ? file("ca", "pem") : NULL;
    client.set.server_name = peers[_i].server_name != NULL ? mem_strdup(peers[_i].server_name) : NULL;
    open_pair(peers[_i].name);
    bool taken = shake();
    ck_assert_msg(taken == (peers[_i].words == NULL), "%s", tls_error(client.tls));
    if (!taken) {
        ck_assert_msg(strstr(tls_error(client.tls), peers[_i].words) != NULL, "%s", tls_error(client.tls));
        ck_assert_int_eq(tls_handshake(client.tls), -1); /* and stays so */
        ck_assert_int_eq(put(&client, "x", 1), -1);
        ck_assert_str_ne(tls_error(server.tls), "");
    }
}
END_TEST

static void say(struct side *s, const char *text)
{
    ck_assert_int_eq(write(s->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const struct {
    const char *text, *words;
    bool server; /* is weir */
} strangers[] = {
    {"220 mail.test ESMTP ready\r\n", "the peer does not speak TLS", false},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer does not speak TLS", false},
    {"<13>Jan  1 00:00:00 host app: a line\n", "the peer does not speak TLS", true},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "the peer does not speak TLS, but HTTP", true},
};

START_TEST(a_peer_without_tls)
{
    struct side *us = strangers[_i].server ? &server : &client, *them = strangers[_i].server ? &client : &server;
    own(&server, "here");
    open_pair("here.test");
    tls_handshake(us->tls);
    say(them, strangers[_i].text);
    ck_assert_int_eq(tls_handshake(us->tls), -1);
    ck_assert_msg(strstr(tls_error(us->tls), strangers[_i].words) != NULL, "%s", tls_error(us->tls));
}
END_TEST

START_TEST(a_peer_that_hangs_up_while_hands_are_shaken)
{
    own(&server, "here");
    open_pair("here.test");
    tls_handshake(client.tls);
    close(server.fd);
    server.fd = -1;
    char got[10];
    ck_assert_int_eq(tls_recv(client.tls, got, sizeof got), -1);
    ck_assert_int_ne(errno, EAGAIN);
    ck_assert_msg(strstr(tls_error(client.tls), "during the TLS handshake") != NULL, "%s", tls_error(client.tls));
}
END_TEST

START_TEST(client_certificates)
{
    /* Who shows it (NULL: nobody), and how the server and then the client put it. */
    static const struct {
        const char *cert, *server, *client;
    } rows[] = {
        {"here", NULL, NULL},
        {NULL, "shows no certificate", "requires a client certificate"},
        {"stranger", "the peer's certificate is not trusted", "does not trust the issuer of our certificate"},
        {"old", "the peer's certificate expired on", "our certificate has expired"},
    };
    own(&server, "here");
    server.set.verify_client = true;
    server.set.ca_file = file("ca", "pem");
    client.set.ca_file = file("ca", "pem");
    if (rows[_i].cert != NULL)
        own(&client, rows[_i].cert);
    open_pair("here.test");
    if (rows[_i].server == NULL) {
        char got[10];
        ck_assert(shake());
        /* Until it has read the session ticket a client cannot know. */
        ck_assert_int_eq(tls_recv(client.tls, got, sizeof got), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert(tls_confirmed(client.tls));
        return;
    }
    ck_assert(!shake());
    ck_assert(!tls_confirmed(client.tls));
    ck_assert_msg(strstr(tls_error(server.tls), rows[_i].server) != NULL, "%s", tls_error(server.tls));
    ck_assert_msg(strstr(tls_error(client.tls), rows[_i].client) != NULL, "%s", tls_error(client.tls));
}
END_TEST

START_TEST(a_client_is_not_confirmed_before_the_peer_has_said_anything)
{
    own(&server, "here");
    own(&client, "here");
    server.set.verify_client = true;
    server.set.ca_file = file("ca", "pem");
    client.set.ca_file = file("ca", "pem");
    open_pair("here.test");
    while (tls_handshake(client.tls) == 0)
        ck_assert_int_eq(tls_handshake(server.tls), 0);
    ck_assert(!tls_confirmed(client.tls)); /* its handshake is done, the server's not */
}
END_TEST

START_TEST(files_that_cannot_be_used)
{
    struct err e = {0};
    rig_write(rig_path(&r, "junk.pem"), "junk\n", 5);
    const struct {
        char *ca, *cert, *key;
        const char *words;
    } rows[] = {
        {file("none", "pem"), NULL, NULL, "cannot read ca_file \""},
        {file("junk", "pem"), NULL, NULL, "has no certificate that can be used"},
        {NULL, file("none", "pem"), file("here", "key"), "cannot read cert_file \""},
        {NULL, file("here", "pem"), file("none", "key"), "cannot read key_file \""},
        {NULL, file("here", "pem"), file("junk", "pem"), "has no private key that can be used"},
        {NULL, file("here", "pem"), file("old", "key"), "does not belong to cert_file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_settings s = {.on = true, .verify = true, .ca_file = rows[i].ca, .cert_file = rows[i].cert, .key_file = rows[i].key};
        err_clear(&e);
        ck_assert_ptr_null(tls_context_new(TLS_CLIENT, &s, &e));
        ck_assert_msg(strstr(e.text, rows[i].words) != NULL, "%s", e.text);
        mem_free(rows[i].ca);
        mem_free(rows[i].cert);
        mem_free(rows[i].key);
    }
}
END_TEST

START_TEST(renewed_certificates_are_read_and_broken_ones_are_not)
{
    struct err e = {0};
    own(&server, "old");
    client.set.ca_file = file("ca", "pem");
    open_pair("here.test");
    ck_assert(!shake());
    close_pair();
    rig_write(server.set.key_file, "junk", 4);
    ck_assert_int_eq(tls_context_refresh(server.context, &e), -1);
    open_pair("here.test");
    ck_assert(!shake()); /* with the old one, still */
    ck_assert_ptr_nonnull(strstr(tls_error(client.tls), "expired"));
    close_pair();
    certs_make(&r, "old", "ca", "DNS:here.test", -1, 10);
    err_clear(&e);
    ck_assert_int_eq(tls_context_refresh(server.context, &e), 0);
    open_pair("here.test");
    ck_assert_msg(shake(), "%s", tls_error(client.tls));
    ck_assert_int_eq(tls_context_refresh(server.context, &e), 0); /* nothing new; the session goes on */
    ck_assert_int_eq(put(&client, "x", 1), 1);
}
END_TEST

/* ---- data -------------------------------------------------------------------------------------- */

static void connected(void)
{
    own(&server, "here");
    client.set.ca_file = file("ca", "pem");
    open_pair("here.test");
    ck_assert_msg(shake(), "%s", tls_error(client.tls));
}

static size_t drain(struct side *s, char *to, size_t room, size_t step)
{
    size_t n = 0;
    while (n < room) {
        ssize_t got = tls_recv(s->tls, to + n, step < room - n ? step : room - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n;
}

START_TEST(every_byte_arrives_whatever_the_sizes)
{
    enum { LEN = 1 << 20 };
    connected();
    int small = 4608;
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    char *data = malloc(LEN), *got = malloc(LEN);
    uint64_t seed = 7;
    for (size_t i = 0; i < LEN; i++)
        data[i] = (char)rig_random(&seed);
    static const size_t steps[] = {1, 100, 16384, 1 << 20};
    size_t sent = 0, have = 0;
    while (have < LEN) {
        /* Three pieces of any length, one of them empty now and then. */
        struct iovec v[3];
        size_t at = sent, most = sent < 20000 ? 50 : 100000;
        for (int i = 0; i < 3; i++) {
            size_t n = (size_t)rig_random(&seed) % most;
            v[i] = (struct iovec){data + at, n < LEN - at ? n : LEN - at};
            at += v[i].iov_len;
        }
        ssize_t n = tls_send(client.tls, v, 3);
        ck_assert_msg(n >= 0, "%s", tls_error(client.tls));
        sent += (size_t)n;
        have += drain(&server, got + have, LEN - have, steps[rig_random(&seed) % 4]);
        ck_assert_int_eq(tls_flush(client.tls), 0);
    }
    ck_assert_uint_eq(sent, LEN);
    ck_assert_mem_eq(got, data, LEN);
    free(data);
    free(got);
}
END_TEST

/* A proxy between both: hands on one byte a turn. */
START_TEST(one_byte_at_a_time)
{
    int fds[2];
    struct err e = {0};
    own(&server, "here");
    client.set.ca_file = file("ca", "pem");
    open_pair("here.test");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    tls_free(&server.tls);
    server.tls = tls_new(server.context, fds[1], NULL, &e);
    char byte, got[100];
    size_t have = 0;
    ssize_t sent = 0;
    for (int i = 0; i < 100000 && have < 5; i++) {
        if (read(server.fd, &byte, 1) == 1)
            ck_assert_int_eq(write(fds[0], &byte, 1), 1);
        if (read(fds[0], &byte, 1) == 1)
            ck_assert_int_eq(write(server.fd, &byte, 1), 1);
        int a = tls_handshake(client.tls);
        ck_assert_msg(a >= 0, "%s", tls_error(client.tls));
        if (a == 1 && sent == 0)
            sent = put(&client, "hello", 5);
        have += drain(&server, got + have, sizeof got - have, 1);
        ck_assert_str_eq(tls_error(server.tls), "");
    }
    ck_assert_uint_eq(have, 5);
    ck_assert_mem_eq(got, "hello", 5);
    tls_free(&server.tls);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(what_waits_for_a_full_socket_is_bounded)
{
    enum { PART = 1 << 20 };
    connected();
    char *data = calloc(1, PART);
    ssize_t n, all = 0;
    for (int i = 0; i < 100 && (n = put(&client, data, PART)) > 0; i++)
        all += n;
    ck_assert_int_lt(all, 4 * PART);
    ck_assert_int_eq(put(&client, data, PART), 0);
    ck_assert(tls_wants_write(client.tls));
    /* It is full: what was delivered is less than what was taken, and never more than what the reader can have. */
    uint64_t delivered = tls_delivered(client.tls, 0);
    ck_assert_uint_lt(delivered, (uint64_t)all);
    ck_assert_uint_gt(delivered + (1 << 17), (uint64_t)all);
    free(data);
}
END_TEST

START_TEST(delivered_is_what_the_last_whole_record_holds)
{
    int queued;
    connected();
    ck_assert_uint_eq(tls_delivered(client.tls, 0), 0);
    ck_assert_int_eq(put(&client, "0123456789", 10), 10);
    ck_assert_int_eq(put(&client, "abc", 3), 3);
    ck_assert_int_eq(ioctl(server.fd, FIONREAD, &queued), 0); /* both records of ciphertext */
    int second = (queued - 13) / 2 + 3; /* what a record costs, and its 3 bytes */
    ck_assert_uint_eq(tls_delivered(client.tls, (uint64_t)queued), 0);
    ck_assert_uint_eq(tls_delivered(client.tls, (uint64_t)second + 1), 0);
    ck_assert_uint_eq(tls_delivered(client.tls, (uint64_t)second), 10);
    ck_assert_uint_eq(tls_delivered(client.tls, 1), 10);
    ck_assert_uint_eq(tls_delivered(client.tls, 0), 13);
    ck_assert_uint_eq(tls_delivered(client.tls, 5), 13); /* never backwards */
}
END_TEST

START_TEST(an_end_is_an_end_with_and_without_notice)
{
    char got[10];
    connected();
    put(&server, "last", 4);
    if (_i == 0)
        tls_close(server.tls);
    close(server.fd);
    server.fd = -1;
    ck_assert_uint_eq(drain(&client, got, sizeof got, sizeof got), 4);
    ck_assert_int_eq(tls_recv(client.tls, got, sizeof got), 0);
    ck_assert_str_eq(tls_error(client.tls), "");
}
END_TEST

START_TEST(garbage_in_the_middle_is_a_failure_on_both_sides)
{
    char got[100];
    connected();
    put(&client, "fine", 4);
    ck_assert_uint_eq(drain(&server, got, sizeof got, sizeof got), 4);
    static const char record[] = "\x17\x03\x03\x00\x20garbage that is no record at all";
    ck_assert_int_eq(write(client.fd, record, sizeof record), sizeof record);
    ck_assert_int_eq(tls_recv(server.tls, got, sizeof got), -1);
    ck_assert_int_ne(errno, EAGAIN);
    ck_assert_ptr_nonnull(strstr(tls_error(server.tls), "TLS failed: "));
    /* The other side gets the alert while it only wants to send. */
    ck_assert_int_eq(tls_recv(client.tls, got, sizeof got), -1);
    ck_assert_int_ne(errno, EAGAIN);
    ck_assert_str_ne(tls_error(client.tls), "");
    ck_assert_int_eq(put(&client, "x", 1), -1);
}
END_TEST

START_TEST(a_reader_that_stops_before_all_was_read_is_told)
{
    char got[10];
    connected();
    put(&client, "0123456789", 10);
    ck_assert_int_eq(tls_recv(server.tls, got, 4), 4);
    ck_assert(tls_has_more(server.tls));
    ck_assert_int_eq(tls_recv(server.tls, got, 10), 6);
    ck_assert_int_eq(tls_recv(server.tls, got, 10), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(!tls_has_more(server.tls));
}
END_TEST

/* ---- marks -------------------------------------------------------------------------------------- */

START_TEST(marks_never_say_too_much)
{
    static struct tls_mark all[20000];
    static struct tls_marks m;
    for (uint64_t seed = 1; seed < 40; seed++) {
        uint64_t random = seed, plain = 0, cipher = 0, reached = 0;
        size_t made = 0, gone = 0;
        m = (struct tls_marks){0};
        while (made < 20000) {
            /* Bursts of either kind: from an empty ring to one that was thinned many times. */
            for (uint64_t burst = rig_random(&random) % 3000; burst > 0 && made < 20000; burst--) {
                plain += 1 + rig_random(&random) % 16384;
                cipher = plain + 22 * (made + 1) + rig_random(&random) % 22;
                all[made++] = (struct tls_mark){plain, cipher};
                tls_marks_add(&m, plain, cipher);
            }
            if (cipher > reached)
                reached += rig_random(&random) % (cipher - reached + 1);
            while (gone < made && all[gone].cipher <= reached)
                gone++;
            uint64_t said = tls_marks_reach(&m, reached);
            ck_assert_uint_le(said, gone > 0 ? all[gone - 1].plain : 0);
        }
        ck_assert_uint_eq(tls_marks_reach(&m, cipher), plain); /* in the end, all */
    }
}
END_TEST

START_TEST(few_marks_are_exact)
{
    static struct tls_marks m;
    for (uint64_t i = 1; i <= TLS_MARKS; i++)
        tls_marks_add(&m, 10 * i, 32 * i);
    for (uint64_t at = 0; at <= 32 * TLS_MARKS; at++)
        ck_assert_uint_eq(tls_marks_reach(&m, at), at / 32 * 10);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------- */

/* One of the allocations of ours fails: nothing but an error comes of it. Those of OpenSSL are its own. */
START_TEST(sessions_without_memory)
{
    bool over = false;
    own(&server, "here");
    client.set.ca_file = file("ca", "pem");
    open_pair("here.test");
    for (unsigned long n = 1; !over; n++) {
        struct err e = {0};
        char data[1000] = {0}, got[1000];
        close_pair();
        tls_context_free(&client.context);
        open_pair("here.test");
        tls_free(&client.tls);
        tls_context_free(&client.context);
        mem_fail_at(n);
        client.context = tls_context_new(TLS_CLIENT, &client.set, &e);
        if (client.context != NULL)
            client.tls = tls_new(client.context, client.fd, "here.test", &e);
        bool sent = client.tls != NULL && shake() && put(&client, data, sizeof data) == sizeof data;
        bool came = sent && drain(&server, got, sizeof got, sizeof got) == sizeof got;
        over = !mem_failed();
        mem_fail_at(0);
        ck_assert_msg(came == over, "allocation %lu: %s", n, client.tls != NULL ? tls_error(client.tls) : e.text);
        ck_assert(came || err_is(&e) || tls_error(client.tls)[0] != '\0' || tls_error(server.tls)[0] != '\0');
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tls");
    TCase *t = tcase_create("tls");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_peer_is_taken_or_refused_for_a_reason, 0, (int)(sizeof peers / sizeof peers[0]));
    tcase_add_loop_test(t, a_peer_without_tls, 0, (int)(sizeof strangers / sizeof strangers[0]));
    tcase_add_test(t, a_peer_that_hangs_up_while_hands_are_shaken);
    tcase_add_loop_test(t, client_certificates, 0, 4);
    tcase_add_test(t, a_client_is_not_confirmed_before_the_peer_has_said_anything);
    tcase_add_test(t, files_that_cannot_be_used);
    tcase_add_test(t, renewed_certificates_are_read_and_broken_ones_are_not);
    tcase_add_test(t, every_byte_arrives_whatever_the_sizes);
    tcase_add_test(t, one_byte_at_a_time);
    tcase_add_test(t, what_waits_for_a_full_socket_is_bounded);
    tcase_add_test(t, delivered_is_what_the_last_whole_record_holds);
    tcase_add_loop_test(t, an_end_is_an_end_with_and_without_notice, 0, 2);
    tcase_add_test(t, garbage_in_the_middle_is_a_failure_on_both_sides);
    tcase_add_test(t, a_reader_that_stops_before_all_was_read_is_told);
    tcase_add_test(t, sessions_without_memory);
    suite_add_tcase(s, t);
    t = tcase_create("marks");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, marks_never_say_too_much);
    tcase_add_test(t, few_marks_are_exact);
    suite_add_tcase(s, t);
    return rig_main(s);
}
