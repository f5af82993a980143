/*
 * Any text as the lines of a log, in one batch and in many: the same records come out of the stages that join, none is lost, and tickets all come
 * back delivered.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/report.h"
#include "delivery/checkpoint.h"
#include "delivery/ledger.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/pool.h"
#include "record/render.h"
#include "stage/config.h"
#include "stage/stages.h"
#include "stream/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const transforms[] = {
    "{\"type\":\"cri\",\"timeout\":\"1h\"}",
    "{\"type\":\"docker\",\"timeout\":\"1h\",\"max_bytes\":40}",
    "{\"type\":\"multiline\",\"preset\":[\"java\",\"python\",\"go\",\"node\"],\"timeout\":\"1h\"}",
    "{\"type\":\"multiline\",\"start\":\"^[0-9]\",\"continue\":\"^ \",\"timeout\":\"1h\"}",
    "{\"type\":\"multiline\",\"continue\":\"^ \",\"timeout\":\"1h\",\"max_bytes\":30}",
};

static void on_data(void *arg, struct stream_news *n)
{
    struct chunk *c = stream_take(n);
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count; i++) {
        render_record(arg, &b->records[i], RENDER_AUTO);
        buf_char(arg, '\n');
    }
    chunk_delivered(&c);
}

static void on_advance(void *arg)
{
    (void)arg;
}

static void feed(struct stream *s, struct pool *pool, struct ledger *l, const char *text, size_t from, size_t to)
{
    size_t used, too_long, len = to - from;
    struct slab *slab = pool_slab(pool, len);
    struct batch *b = batch_new(pool, slab, NULL);
    slab_unref(slab);
    memcpy(slab->data, text + from, len);
    slab->used = len;
    b->body->base_text = slab->data;
    b->body->base_offset = from;
    assert(lines_add(b, slab->data, len, len, false, &used, &too_long) == 0 && used == len);
    assert(ticket_set_add(&b->tickets, ledger_ticket(l, to, mark_of(text, to))) == 0);
    batch_weigh(b);
    stream_write(s, &b->chunk, NULL, NULL);
}

/* The lines of ${text}, ${most} at a time (0: all at once), through the stage of ${config}. */
static struct buf run(const struct config *config, const char *text, size_t len, size_t most)
{
    struct err e = {0};
    struct buf out = {0};
    struct loop *loop = loop_new(&e);
    struct pool *pool = pool_new(loop, 64 << 20, 4096);
    struct checkpoint *kept = checkpoint_open(loop, NULL, NULL, CHECKPOINT_KEEP, &e);
    struct ledger *l = ledger_new(0, (struct mark){0, 0}, on_advance, NULL);
    struct stage_stats stats = {0};
    bool hurry = false;
    struct stage_env env = {.loop = loop, .pool = pool, .pipeline = "p", .name = "s", .scope = "p/s", .host = "h", .queue_bytes = 1 << 20,
                            .hurry = &hurry, .checkpoint = kept, .stats = &stats};
    const struct stage_config *stage = &config->pipelines[0].transforms.items[0];
    struct stream *s = stage->type->open(&env, stage->settings, &e);
    struct listener data = {0};
    size_t lines = 0;
    stream_on(s, STREAM_DATA, &data, on_data, &out);
    for (size_t at = 0, from = 0, n = 0; at < len; at++) {
        if (text[at] != '\n')
            continue;
        lines++;
        if (++n == most || at + 1 == len) {
            feed(s, pool, l, text, from, at + 1);
            loop_tick(loop);
            from = at + 1;
            n = 0;
        }
    }
    stream_end(s, NULL);
    while (!stream_is_closed(s))
        loop_tick(loop);
    assert(stats.records_in == lines && stats.records_in == stats.records_out + stats.merged);
    assert(ledger_acked(l) == len && !ledger_busy(l));
    stream_off(&data);
    stream_free(&s);
    loop_tick(loop);
    ledger_release(&l);
    checkpoint_close(&kept, NULL);
    pool_free(&pool);
    loop_free(&loop);
    return out;
}

static void check(const char *transform, bool woven, const char *text, size_t len)
{
    struct buf json = {0};
    struct config_report report = {0};
    buf_fmt(&json, "{\"pipelines\":{\"p\":{\"sources\":[{\"type\":\"stdin\"}],\"transforms\":[%s],\"sinks\":[{\"type\":\"blackhole\"}]}}}", transform);
    struct config *config = config_parse("fuzz", buf_cstr(&json), json.len, stages, &report);
    assert(config != NULL);
    struct buf whole = run(config, text, len, 0);
    for (size_t most = 1; most <= 3; most++) {
        struct buf parts = run(config, text, len, most);
        /* what was held comes first, so streams that are woven may come in another order */
        assert(parts.len == whole.len && (woven || memcmp(parts.data, whole.data, whole.len) == 0));
        buf_clear(&parts);
    }
    buf_clear(&whole);
    buf_clear(&json);
    report_clear(&report);
    config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4000)
        return 0;
    size_t which = data[0] % (sizeof transforms / sizeof transforms[0]), len = size;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\n';
    check(transforms[which], which < 2, text, len);
    free(text);
    return 0;
}
