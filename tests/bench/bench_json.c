/*
 * bench_json: the scanner against jansson, in one process, on one text.
 *
 *     bench_json [FILE]      FILE has one JSON value a line; without it, lines like those of a web
 * service are made up
 *
 * Prints MB/s of both (the best of five rounds) and their ratio.
 */
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "record/arena.h"
#include "record/jscan.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_up(struct buf *b)
{
    static const char *const levels[] = {"debug", "info", "info", "info", "warn", "error"};
    for (int i = 0; b->len < (size_t)16 << 20; i++)
        buf_fmt(b,
                "{\"time\":\"2026-01-31T12:%02d:%02d.%03dZ\",\"level\":\"%s\",\"logger\":\"http."
                "server\","
                "\"message\":\"GET /api/v1/items/%d "
                "finished\",\"request_id\":\"%08x-%04x\",\"status\":%d,"
                "\"bytes\":%d,\"duration_ms\":%d.%02d,\"user\":{\"id\":%d,\"tags\":[\"a\",\"b\"]},"
                "\"cached\":%s,\"error\":null}\n",
                i / 60 % 60, i % 60, i % 1000, levels[i % 6], i, (unsigned)i * 2654435761u,
                (unsigned)i & 0xFFFF, i % 7 ? 200 : 404, i % 9000, i % 300, i % 100, i % 1000,
                i % 2 ? "true" : "false");
}

static void load(struct buf *b, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    size_t n;
    while (buf_reserve(b, 1 << 16) && (n = fread(b->data + b->len, 1, 1 << 16, f)) > 0)
        b->len += n;
    fclose(f);
}

static bool with_jansson(const char *line, size_t len)
{
    json_t *v = json_loadb(line, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_decref(v);
    return v != NULL;
}

static struct arena arena;

static bool with_scanner(const char *line, size_t len)
{
    struct jscan json;
    if (arena.total > (size_t)256 << 10)
        arena_clear(&arena);
    return jscan_text(&json, &arena, line, len, NULL) == 0;
}

static double best_rate(const struct buf *b, bool (*parse)(const char *, size_t), size_t *refused)
{
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double start = seconds();
        *refused = 0;
        for (const char *p = b->data, *end = b->data + b->len; p < end;) {
            const char *nl = memchr(p, '\n', (size_t)(end - p));
            if (nl == NULL)
                nl = end;
            *refused += !parse(p, (size_t)(nl - p));
            p = nl + 1;
        }
        double rate = (double)b->len / 1e6 / (seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    struct buf text = {0};
    size_t refused_scanner, refused_jansson;
    /* Freed memory stays in the process: page faults are not what is measured. */
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    if (argc > 1)
        load(&text, argv[1]);
    else
        make_up(&text);
    double scanner = best_rate(&text, with_scanner, &refused_scanner);
    double jansson = best_rate(&text, with_jansson, &refused_jansson);
    printf("scanner %.0f MB/s (%zu refused), jansson %.0f MB/s (%zu refused), ratio %.1f\n",
           scanner, refused_scanner, jansson, refused_jansson, scanner / jansson);
    arena_clear(&arena);
    buf_clear(&text);
    return refused_scanner == refused_jansson ? 0 : 1;
}
