#include "stage_rig.h"

#include "config/report.h"
#include "record/doc.h"
#include "record/pool.h"
#include "record/render.h"
#include "stage/stages.h"

static void on_data(void *arg, struct stream_news *n)
{
    struct stage_rig *s = arg;
    struct chunk *c = stream_take(n);
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count; i++) {
        render_record(&s->text, &b->records[i], RENDER_AUTO);
        buf_char(&s->text, '\n');
    }
    list_push(&s->out, &c->queued);
}

static void on_error(void *arg, struct stream_news *n)
{
    (void)n;
    ((struct stage_rig *)arg)->failed = true;
}

static void on_end(void *arg, struct stream_news *n)
{
    (void)n;
    ((struct stage_rig *)arg)->ended = true;
}

bool stage_rig_start(struct stage_rig *s)
{
    struct err e = {0};
    const struct stage_config *stage = &s->config->pipelines[0].transforms.items[0];
    s->ended = s->failed = false;
    s->stream = stage->type->open(&s->rig.env, stage->settings, &e);
    if (s->stream == NULL) {
        ck_assert(err_is(&e));
        return false;
    }
    stream_on(s->stream, STREAM_DATA, &s->data, on_data, s);
    stream_on(s->stream, STREAM_ERROR, &s->error, on_error, s);
    stream_on(s->stream, STREAM_END, &s->end, on_end, s);
    loop_tick(s->rig.loop);
    return true;
}

void stage_rig_open(struct stage_rig *s, const char *transforms)
{
    *s = (struct stage_rig){0};
    rig_open(&s->rig, 16 << 20, 65536);
    list_init(&s->out);
    s->config = rig_config("{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],'sinks':[{'type':'blackhole'}]}}}", transforms);
}

void stage_rig_stop(struct stage_rig *s)
{
    stream_free(&s->stream);
    loop_tick(s->rig.loop);
    stream_off(&s->data);
    stream_off(&s->error);
    stream_off(&s->end);
    stage_rig_release(s, false);
}

void stage_rig_close(struct stage_rig *s)
{
    if (s->stream != NULL)
        stage_rig_stop(s);
    config_free(&s->config);
    buf_clear(&s->text);
    rig_close(&s->rig);
}

bool stage_rig_feed(struct stage_rig *s, const char *text, int64_t time, struct ticket *ticket)
{
    struct chunk *c = rig_lines(&s->rig, text, ticket);
    if (c == NULL)
        return false;
    struct batch *b = chunk_batch(c);
    struct slab *slab = b->body->slab;
    memset(slab->data + slab->used, 0, slab->size - slab->used); /* machine code of PCRE2 looks at 16 bytes at a time, which valgrind tells */
    b->body->time = time;
    for (size_t i = 0; i < b->count; i++) {
        struct path *p = path_new(".message", 8, NULL);
        if (p != NULL && b->records[i].len > 0 && b->records[i].text[0] == '{')
            record_parse(b, &b->records[i], p, NULL, NULL);
        path_free(&p);
    }
    stream_write(s->stream, c, NULL, NULL);
    loop_tick(s->rig.loop);
    return true;
}

void stage_rig_end(struct stage_rig *s)
{
    stream_end(s->stream, NULL);
    loop_tick(s->rig.loop);
}

void stage_rig_release(struct stage_rig *s, bool delivered)
{
    struct list *node;
    while ((node = list_shift(&s->out)) != NULL) {
        struct chunk *c = LIST_ENTRY(node, struct chunk, queued);
        if (delivered)
            chunk_delivered(&c);
        else
            chunk_free(&c);
    }
    buf_clear(&s->text);
}

struct batch *stage_rig_batch(struct stage_rig *s, size_t i)
{
    struct list *node = s->out.next;
    while (i-- > 0 && node != &s->out)
        node = node->next;
    ck_assert_msg(node != &s->out, "no such chunk came out");
    return chunk_batch(LIST_ENTRY(node, struct chunk, queued));
}

void stage_rig_without_memory(const char *transforms, const char *text)
{
    struct stage_rig s;
    bool over = false;
    unsigned long n = 1;
    stage_rig_open(&s, transforms);
    rig_hush();
    for (; !over; n++) {
        struct receipt t[2];
        mem_fail_at(n);
        if (stage_rig_start(&s)) {
            for (int k = 0; k < 2; k++) {
                receipt_init(&t[k]);
                stage_rig_feed(&s, text, INT64_C(1772366400) * 1000000000, &t[k].ticket);
            }
            stage_rig_end(&s);
            for (double end = loop_now() + 2; !s.ended && !s.failed && loop_now() < end;)
                loop_turn(s.rig.loop);
            over = !mem_failed();
            mem_fail_at(0);
            ck_assert(over == s.ended || !over); /* what is wrong with the chunk itself is not the stage's */
            stage_rig_stop(&s);
            for (int k = 0; k < 2; k++)
                ck_assert_uint_eq(t[k].ticket.holders, 0);
        }
        mem_fail_at(0);
        ck_assert_uint_eq(pool_used(s.rig.pool), 0);
        ck_assert_uint_lt(n, 2000);
    }
    ck_assert_uint_gt(n, 4);
    stage_rig_close(&s);
}

void stage_rig_problem(const char *transform, const char *says)
{
    struct config_report report = {0};
    struct buf text = {0}, out = {0};
    buf_fmt(&text, "{'pipelines':{'p':{'sources':[{'type':'stdin'}],'transforms':[%s],'sinks':[{'type':'blackhole'}]}}}", transform);
    for (char *c = text.data; c < text.data + text.len; c++)
        *c = (char)(*c == '\'' ? '"' : *c);
    struct config *config = config_parse("t", text.data, text.len, stages, &report);
    report_text(&report, &out);
    ck_assert_msg(config == NULL, "%s is taken", transform);
    ck_assert_msg(strstr(buf_cstr(&out), says) != NULL, "%s: %s", transform, buf_cstr(&out));
    report_clear(&report);
    buf_clear(&text);
    buf_clear(&out);
}
