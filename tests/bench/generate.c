/*
 * generate: JSON log lines like those of a web service, the same ones for the same seed.
 *
 *     generate BYTES [SEED [LEVEL]]
 *
 * Writes whole lines to stdout until BYTES are reached (the last line ends behind them). With
 * LEVEL, lines of that level are left out of the same sequence: that is what a filter has to
 * deliver. Lines are 150 to 500 bytes, 260 on average; a quarter are of the level debug, one in
 * fifty carries escapes and other than ASCII.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

/* xorshift64* */
static uint32_t roll(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static const char *const loggers[] = {"http.server",    "http.client", "db.pool",
                                      "auth.session",   "cache",       "billing.invoice",
                                      "queue.consumer", "search.index"};
static const char *const verbs[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const char *const paths[] = {"/api/v1/items",  "/api/v1/orders", "/api/v1/users/me",
                                    "/static/app.js", "/healthz",       "/api/v2/search"};
static const char *const hosts[] = {"web-01", "web-02", "web-03", "worker-01", "worker-02"};
static const char *const odd[] = {"caf\xc3\xa9 \xe2\x80\x9c"
                                  "central\xe2\x80\x9d: \\\"quoted\\\" and a tab\\t",
                                  "C:\\\\logs\\\\app.txt", "\\u00fcbergro\\u00df \\ud83d\\ude80",
                                  "line one\\nline two"};
static const char stack[] =
    ",\"error\":{\"kind\":\"TimeoutError\",\"message\":\"upstream did not answer within 3000 "
    "ms\",\"stack\":"
    "\"TimeoutError: upstream\\n    at Client.send (/srv/app/lib/client.js:118:13)\\n"
    "\\n    at process.tick (node:internal/process/task_queues:95:5)\"}";

static const char *level_of(uint32_t roll100)
{
    return roll100 < 25 ? "debug" : roll100 < 85 ? "info" : roll100 < 95 ? "warn" : "error";
}

/* Line number ${i} into ${out}; returns its length. */
static size_t line(char *out, size_t room, uint64_t i, const char *level)
{
    uint32_t r[13]; /* drawn in order: that of a call's arguments is the compiler's affair */
    for (size_t k = 0; k < sizeof r / sizeof *r; k++)
        r[k] = roll(60000);
    uint64_t ms = i * 7 + r[0] % 7;
    size_t n = (size_t)snprintf(
        out, room,
        "{\"time\":\"2026-01-31T%02u:%02u:%02u.%03uZ\",\"level\":\"%s\",\"logger\":\"%s\",\"host\":"
        "\"%s\","
        "\"msg\":\"%s %s/%u finished%s\",\"request_id\":\"%04x%04x-%04x\",\"status\":%u,"
        "\"bytes\":%u,\"duration_ms\":%u.%02u,\"user\":{\"id\":%u,\"tags\":[\"%s\",\"b\"]},"
        "\"cached\":%s",
        (unsigned)(ms / 3600000 % 24), (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60),
        (unsigned)(ms % 1000), level, loggers[r[1] % 8], hosts[r[2] % 5], verbs[r[3] % 6],
        paths[r[4] % 6], r[5], r[6] % 50 == 0 ? odd[i % 4] : "", r[7], r[8], r[9],
        r[6] % 20 == 1 ? 404u : 200u, r[10], r[11] % 900, r[11] % 100, r[12] % 5000,
        r[12] % 2 == 0 ? "free" : "paid", r[10] % 2 == 0 ? "true" : "false");
    const char *end = strcmp(level, "error") == 0 ? stack : ",\"error\":null";
    return n + (size_t)snprintf(out + n, room - n, "%s}\n", end);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fputs("usage: generate BYTES [SEED [LEVEL]]\n", stderr);
        return 2;
    }
    uint64_t want = strtoull(argv[1], NULL, 10), made = 0;
    const char *without = argc > 3 ? argv[3] : "";
    char text[2048];
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    state = state * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (uint64_t i = 0; made < want; i++) {
        const char *level = level_of(roll(100));
        size_t len = line(text, sizeof text, i, level);
        made += len;
        if (strcmp(level, without) != 0 && fwrite(text, 1, len, stdout) != len)
            break;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("generate");
        return 1;
    }
    return 0;
}
