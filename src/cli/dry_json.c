#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "cli/dry_print.h"
#include "record/render.h"

static void print_words(struct buf *out, const char *key, const char *words)
{
    buf_fmt(out, "\"%s\":", key);
    render_string(out, words, strlen(words));
}

static void print_change(struct buf *out, const struct dry_change *c)
{
    buf_char(out, '{');
    print_words(out, "path", c->path);
    if (c->before != NULL)
        buf_fmt(out, ",\"before\":%s", c->before);
    if (c->after != NULL)
        buf_fmt(out, ",\"after\":%s", c->after);
    buf_char(out, '}');
}

static void print_step(struct buf *out, const struct dry_step *s)
{
    buf_char(out, '{');
    print_words(out, "stage", s->stage);
    if (s->sink != NULL) {
        buf_char(out, ',');
        print_words(out, "sink", s->sink);
    }
    buf_char(out, ',');
    print_words(out, "verdict", s->verdict);
    if (s->reason[0] != '\0') {
        buf_char(out, ',');
        print_words(out, "reason", s->reason);
    }
    if (s->change_count > 0) {
        buf_str(out, ",\"changes\":[");
        for (size_t i = 0; i < s->change_count; i++) {
            buf_str(out, i > 0 ? "," : "");
            print_change(out, &s->changes[i]);
        }
        buf_char(out, ']');
    }
    buf_fmt(out, ",\"microseconds\":%.1f}", s->seconds * 1e6);
}

static void print_source(struct buf *out, const struct dry_account *a)
{
    buf_str(out, ",\"source\":{");
    print_words(out, "stage", a->source);
    if (a->path != NULL) {
        buf_char(out, ',');
        render_bytes(out, "path", a->path, strlen(a->path));
    }
    buf_fmt(out, ",\"offset\":%" PRIu64 "},", a->offset);
    render_bytes(out, "input", a->input, a->input_len);
    if (a->truncated)
        buf_str(out, ",\"truncated\":true");
}

void dry_json_account(struct buf *out, const struct dry_account *a)
{
    buf_char(out, '{');
    print_words(out, "pipeline", a->pipeline);
    if (a->source != NULL)
        print_source(out, a);
    else
        buf_str(out, ",\"source\":null");
    buf_str(out, ",\"steps\":[");
    for (size_t i = 0; i < a->step_count; i++) {
        buf_str(out, i > 0 ? "," : "");
        print_step(out, &a->steps[i]);
    }
    buf_str(out, "],\"output\":[");
    for (size_t i = 0; i < a->output_count; i++) {
        const struct dry_output *o = &a->outputs[i];
        buf_str(out, i > 0 ? ",{" : "{");
        print_words(out, "sink", o->sink);
        buf_char(out, ',');
        render_bytes(out, "place", o->place.data, o->place.len);
        buf_char(out, ',');
        render_bytes(out, "bytes", o->bytes.data, o->bytes.len);
        buf_char(out, '}');
    }
    buf_str(out, "]}\n");
}

/* The lines of ${text} as an array of strings. */
static void print_lines(struct buf *out, const struct buf *text)
{
    const char *start = text->data, *end = start != NULL ? start + text->len : start;
    buf_char(out, '[');
    for (const char *at = start; at < end; at++) {
        if (*at != '\n')
            continue;
        buf_str(out, start == text->data ? "" : ",");
        render_string(out, start, (size_t)(at - start));
        start = at + 1;
    }
    buf_char(out, ']');
}

static void print_drops(struct buf *out, const struct dry_total *t)
{
    const char *comma = "";
    buf_str(out, ",\"dropped\":[");
    for (int i = 0; i < STAGE_REASONS && t->stats.dropped[i].reason != NULL; i++) {
        if (t->stats.dropped[i].records == 0)
            continue;
        buf_fmt(out, "%s{", comma);
        print_words(out, "reason", t->stats.dropped[i].reason);
        buf_fmt(out, ",\"records\":%" PRIu64 ",\"examples\":", t->stats.dropped[i].records);
        print_lines(out, &t->examples[i]);
        buf_char(out, '}');
        comma = ",";
    }
    buf_char(out, ']');
}

static void print_total(struct buf *out, const struct dry_total *t)
{
    const struct stage_stats *s = &t->stats;
    buf_char(out, '{');
    print_words(out, "pipeline", t->pipeline);
    buf_char(out, ',');
    print_words(out, "stage", t->stage);
    if (t->sink != NULL) {
        buf_char(out, ',');
        print_words(out, "sink", t->sink);
    }
    buf_fmt(out, ",\"records_in\":%" PRIu64 ",\"records_out\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
                 ",\"errors\":%" PRIu64 ",\"truncated\":%" PRIu64,
            s->records_in, s->records_out, s->bytes_in, s->bytes_out, s->errors, s->truncated);
    if (t->kind == STAGE_TRANSFORM && t->out == PAYLOAD_BYTES && s->bytes_out > 0)
        buf_fmt(out, ",\"compression_ratio\":%.3f", (double)s->bytes_in / (double)s->bytes_out);
    if (s->errors > 0) {
        buf_str(out, ",\"error_examples\":");
        print_lines(out, &t->error_examples);
    }
    print_drops(out, t);
    buf_char(out, '}');
}

void dry_json_summary(struct buf *out, const struct dry_summary *s)
{
    buf_fmt(out, "{\"summary\":{\"records_in\":%" PRIu64 ",\"records_out\":%" PRIu64 ",\"dropped\":%" PRIu64
                 ",\"errors\":%" PRIu64 ",\"truncated\":%" PRIu64 ",\"stages\":[",
            s->records_in, s->records_out, s->dropped, s->errors, s->truncated);
    for (size_t i = 0; i < s->total_count; i++) {
        buf_str(out, i > 0 ? "," : "");
        print_total(out, &s->totals[i]);
    }
    buf_str(out, "]}}\n");
}
