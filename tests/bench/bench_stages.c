/*
 * bench_stages: what each transform takes in a second, by its example configuration, in one process and one thread.
 *
 *     bench_stages [-j] [TYPE | JSON]...
 *
 * Without arguments every transform of the table that takes records. An argument that begins with { is a stage of your own configuration.
 * Lines are made for what the stage parses (LINES below), else JSON objects that a json stage has parsed before the clock starts. Prints MB of
 * text a second, nanoseconds a record, the ratio to the json stage, and how many records came out; best of five rounds. -j: a JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "config/report.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/lines.h"
#include "record/pool.h"
#include "stage/config.h"
#include "stage/stages.h"
#include "stream/stream.h"

#define CHUNK  ((size_t)64 << 10)
#define TOTAL  ((size_t)16 << 20) /* bytes a round */
#define ROUNDS 5

/* Lines for those who parse: %u is a counter, and what it is taken modulo. */
static const struct {
    const char *type, *line;
} lines[] = {
    {"logfmt", "ts=2026-01-31T12:00:00.123Z level=info msg=\"request finished\" method=GET path=/api/v1/items/%u status=200 took=1.50 bytes=4711 host=web-01"},
    {"csv", "2026-01-31T12:00:00.123Z,\"Doe, Jane\",%u"},
    {"regex", "192.0.2.17 - jane [31/Jan/2026:12:00:00 +0100] \"GET /api/v1/items/%u HTTP/1.1\" 200 4711 \"https://www.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64)\""},
    {"syslog_parse", "<165>1 2026-01-31T12:00:00.123Z web-01.example.com app 4711 ID47 [origin@32473 ip=\"192.0.2.17\" n=\"%u\"] request finished in 12 ms, all is well"},
    {"multiline", "2026-01-31 12:00:00 ERROR request %u failed\n\tat com.example.Main.run(Main.java:12)\n\tat java.lang.Thread.run(Thread.java:829)"},
    {"cri", "2026-01-31T12:00:00.123456789Z stdout F {\"level\":\"info\",\"msg\":\"request %u finished\",\"status\":200,\"took_ms\":1.50,\"host\":\"web-01\"}"},
    {"docker", "{\"log\":\"{\\\"level\\\":\\\"info\\\",\\\"msg\\\":\\\"request %u finished\\\"}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-31T12:00:00.123456789Z\"}"},
};

static const char json_line[] =
    "{\"ts\":\"2026-01-31T12:00:00.123Z\",\"level\":\"info\",\"logger\":\"http.server\",\"msg\":\"GET /api/v1/items/%u finished for user 4711\",\"trace_id\":\"4bf92f35-%u\","
    "\"host\":\"web-01\",\"status\":200,\"took_ms\":12.50,\"http\":{\"status\":200,\"cookies\":\"a=b\",\"agent\":\"curl/8.5.0\"},\"tags\":[\"a\",\"b\"],\"cached\":false}";

struct bench {
    struct loop *loop;
    struct work *work;
    struct pool *pool;
    struct stage_stats stats;
    struct stage_env env;
    bool hurry;
    size_t came_out;
    bool failed;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_stages: %s: %s\n", what, why);
    exit(1);
}

static const char *line_of(const char *type, bool *parse)
{
    *parse = false;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(lines[i].type, type) == 0)
            return lines[i].line;
    *parse = strcmp(type, "json") != 0;
    return json_line;
}

/* ${line} with its counters, and a line feed. */
static void add_line(struct buf *out, const char *line, unsigned n)
{
    for (; *line != '\0'; line++) {
        if (line[0] == '%' && line[1] == 'u') {
            buf_fmt(out, "%u", n * 2654435761u % 100000);
            line++;
        } else {
            buf_char(out, *line);
        }
    }
    buf_char(out, '\n');
}

/* A chunk of lines from number *${n} on, parsed when ${parse} says so. */
static struct chunk *make_chunk(struct bench *b, const char *line, bool parse, unsigned *n)
{
    static struct buf text;
    size_t used, too_long;
    struct err e = {0};
    text.len = 0;
    while (text.len < CHUNK - 1000)
        add_line(&text, line, (*n)++);
    struct slab *slab = pool_slab(b->pool, CHUNK);
    struct batch *batch = slab != NULL ? batch_new(b->pool, slab, NULL) : NULL;
    if (batch == NULL || text.failed)
        die("chunk", "no memory");
    slab_unref(slab);
    memcpy(slab->data, text.data, text.len);
    slab->used = text.len;
    batch->body->base_text = slab->data;
    batch_read_now(batch);
    struct path *message = path_new(".message", 8, &e);
    if (lines_add(batch, slab->data, text.len, CHUNK, false, &used, &too_long) != 0 || message == NULL)
        die("chunk", "no memory");
    for (size_t i = 0; i < batch->count && parse; i++)
        if (record_parse(batch, &batch->records[i], message, NULL, NULL) != DOC_OK)
            die("json", batch->records[i].text);
    path_free(&message);
    batch->bytes = text.len;
    batch_count_text(batch);
    batch_weigh(batch);
    return &batch->chunk;
}

static void on_data(void *arg, struct stream_news *n)
{
    struct bench *b = arg;
    struct chunk *c = stream_take(n);
    b->came_out += chunk_records(c);
    chunk_delivered(&c);
}

static void on_error(void *arg, struct stream_news *n)
{
    struct bench *b = arg;
    b->failed = true;
    die("stage", n->err->text);
}

struct figures {
    double rate, nanoseconds; /* MB/s; a record */
    size_t in, out;
    uint64_t errors;
};

static void run_round(struct bench *b, const struct stage_config *sc, struct figures *f)
{
    struct err e = {0};
    struct listener data = {0}, error = {0};
    bool parse;
    unsigned n = 0;
    size_t bytes = 0, records = 0;
    double took = 0;
    const char *line = line_of(sc->type->type, &parse);
    b->came_out = 0;
    b->stats = (struct stage_stats){0};
    struct stream *s = sc->type->open(&b->env, sc->settings, &e);
    if (s == NULL)
        die(sc->type->type, e.text);
    stream_on(s, STREAM_ERROR, &error, on_error, b);
    stream_on(s, STREAM_DATA, &data, on_data, b);
    loop_tick(b->loop);
    while (bytes < TOTAL) {
        struct chunk *c = make_chunk(b, line, parse, &n);
        bytes += chunk_batch(c)->text;
        records += chunk_batch(c)->count;
        double start = seconds();
        stream_write(s, c, NULL, NULL);
        loop_tick(b->loop);
        took += seconds() - start;
    }
    stream_end(s, NULL);
    loop_tick(b->loop);
    stream_free(&s);
    loop_tick(b->loop);
    if ((double)bytes / 1e6 / took > f->rate)
        *f = (struct figures){(double)bytes / 1e6 / took, took / (double)records * 1e9, records, b->came_out, b->stats.errors};
}

static struct figures measure(struct bench *b, const char *stage)
{
    struct buf text = {0};
    struct config_report report = {0};
    struct figures f = {0};
    buf_fmt(&text, "{\"pipelines\":{\"b\":{\"sources\":[{\"type\":\"stdin\"}],\"transforms\":[%s],\"sinks\":[{\"type\":\"blackhole\"}]}}}", stage);
    struct config *config = config_parse("bench", buf_cstr(&text), text.len, stages, &report);
    if (config == NULL) {
        report_text(&report, &text);
        die(stage, buf_cstr(&text));
    }
    for (int i = 0; i < ROUNDS; i++)
        run_round(b, &config->pipelines[0].transforms.items[0], &f);
    config_free(&config);
    report_clear(&report);
    buf_clear(&text);
    return f;
}

static void print(bool json, const char *stage, const struct figures *f, double reference)
{
    static bool any;
    if (json)
        printf("%s{\"stage\":%s,\"mb_s\":%.1f,\"ns_record\":%.1f,\"ratio\":%.3f,\"in\":%zu,\"out\":%zu,\"errors\":%llu}", any ? ",\n " : "[",
               stage, f->rate, f->nanoseconds, f->rate / reference, f->in, f->out, (unsigned long long)f->errors);
    else
        printf("%7.0f MB/s  %6.0f ns/record  %5.2f × json  %6zu in, %6zu out%s  %s\n", f->rate, f->nanoseconds, f->rate / reference, f->in,
               f->out, f->errors > 0 ? ", with errors" : "", stage);
    fflush(stdout);
    any = true;
}

/* The stage that ${arg} names or is. NULL: it is no transform of records. */
static const char *stage_of(const char *arg)
{
    if (arg[0] == '{')
        return arg;
    const struct stage *s = stages_find(stages, STAGE_TRANSFORM, arg);
    return s != NULL && s->in != PAYLOAD_BYTES ? s->example : NULL;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct bench b = {0};
    bool json = argc > 1 && strcmp(argv[1], "-j") == 0;
    mem_tune();
    log_setup(LOG_ERROR, LOG_TEXT, false);
    b.loop = loop_new(&e);
    b.work = b.loop != NULL ? work_new(b.loop, &e) : NULL;
    b.pool = b.loop != NULL ? pool_new(b.loop, (size_t)64 << 20, CHUNK) : NULL;
    if (b.work == NULL || b.pool == NULL)
        die("start", "no memory");
    b.env = (struct stage_env){.loop = b.loop, .work = b.work, .pool = b.pool, .pipeline = "bench", .name = "stage", .scope = "bench/stage",
                               .host = "here", .queue_bytes = 1 << 20, .hurry = &b.hurry, .stats = &b.stats};
    double reference = measure(&b, "{\"type\":\"json\"}").rate;
    for (int i = 1 + json; i < argc; i++) {
        const char *stage = stage_of(argv[i]);
        if (stage == NULL)
            die(argv[i], "no transform of records has this name");
        struct figures f = measure(&b, stage);
        print(json, stage, &f, reference);
    }
    for (size_t i = 0; stages[i] != NULL && argc == 1 + json; i++) {
        if (stages[i]->kind != STAGE_TRANSFORM || stages[i]->in == PAYLOAD_BYTES)
            continue;
        struct figures f = measure(&b, stages[i]->example);
        print(json, stages[i]->example, &f, reference);
    }
    if (json)
        puts("]");
    pool_free(&b.pool);
    work_free(&b.work);
    loop_tick(b.loop);
    loop_free(&b.loop);
    return 0;
}
