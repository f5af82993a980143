#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/dry_print.h"

#define SHOWN_MAX 4096 /* bytes of an input or output that are shown: the rest is counted */

static const char *tint(bool color, const char *verdict)
{
    if (!color)
        return "";
    if (strcmp(verdict, "drop") == 0)
        return "\033[33m";
    return strcmp(verdict, "error") == 0 ? "\033[31m" : "\033[32m";
}

static const char *plain(bool color)
{
    return color ? "\033[0m" : "";
}

/* Bytes as a person can read them and a terminal can bear them: control bytes and ill-formed UTF-8 as \xNN. */
static void print_bytes(struct buf *out, const char *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + (len < SHOWN_MAX ? len : SHOWN_MAX);
    while (at < end) {
        size_t n = utf8_char(at, end, NULL);
        if (*at == '\n')
            buf_str(out, "\\n");
        else if (*at == '\t')
            buf_str(out, "\\t");
        else if (n == 0 || *at < 0x20 || *at == 0x7f)
            buf_fmt(out, "\\x%02x", *at);
        else
            buf_add(out, at, n);
        at += n > 0 ? n : 1;
    }
    if (len > SHOWN_MAX)
        buf_fmt(out, "… (%zu bytes more)", len - SHOWN_MAX);
}

static void print_change(struct buf *out, const struct dry_change *c)
{
    const char *sign = c->before == NULL ? "+" : c->after == NULL ? "-" : "~";
    buf_fmt(out, "              %s %s", sign, c->path);
    if (c->before != NULL) {
        buf_str(out, c->after == NULL ? " (was " : " ");
        print_bytes(out, c->before, strlen(c->before));
        buf_str(out, c->after == NULL ? ")" : " →");
    }
    if (c->after != NULL) {
        buf_str(out, c->before == NULL ? " = " : " ");
        print_bytes(out, c->after, strlen(c->after));
    }
    buf_char(out, '\n');
}

static void print_step(struct buf *out, const struct dry_step *s, bool color)
{
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", s->sink != NULL ? s->sink : "", s->sink != NULL ? "/" : "", s->stage);
    buf_fmt(out, "  %-11s %s%-5s%s %7.1f µs%s%s\n", name, tint(color, s->verdict), s->verdict, plain(color),
            s->seconds * 1e6, s->reason[0] != '\0' ? "  " : "", s->reason);
    for (size_t i = 0; i < s->change_count; i++)
        print_change(out, &s->changes[i]);
}

static void print_output(struct buf *out, const struct dry_output *o, bool color)
{
    buf_fmt(out, "  %s→ %s%s  %zu bytes to ", color ? "\033[36m" : "", o->sink, plain(color), o->bytes.len);
    buf_add(out, o->place.data, o->place.len);
    buf_str(out, "\n      ");
    print_bytes(out, o->bytes.data, o->bytes.len);
    buf_char(out, '\n');
}

void dry_text_account(struct buf *out, const struct dry_account *a, bool color)
{
    const char *bold = color ? "\033[1m" : "";
    if (a->source == NULL) {
        buf_fmt(out, "%s%s: what was kept back%s\n", bold, a->pipeline, plain(color));
    } else {
        buf_fmt(out, "%s%s/%s%s  %s%s@%" PRIu64 "%s\n      ", bold, a->pipeline, a->source, plain(color),
                a->path != NULL ? a->path : "", a->path != NULL ? " " : "", a->offset, a->truncated ? "  (truncated)" : "");
        print_bytes(out, a->input, a->input_len);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < a->step_count; i++)
        print_step(out, &a->steps[i], color);
    for (size_t i = 0; i < a->output_count; i++)
        print_output(out, &a->outputs[i], color);
    buf_char(out, '\n');
}

/* Each example is a line. */
static void print_errors(struct buf *out, const struct dry_total *t)
{
    buf_fmt(out, "    errors   %" PRIu64 "\n", t->stats.errors);
    bool fresh = true;
    for (size_t k = 0; k < t->error_examples.len; k++) {
        if (fresh)
            buf_str(out, "             ");
        fresh = t->error_examples.data[k] == '\n';
        buf_char(out, t->error_examples.data[k]);
    }
}

static void print_total(struct buf *out, const struct dry_total *t)
{
    const struct stage_stats *s = &t->stats;
    char name[80];
    snprintf(name, sizeof name, "%s/%s%s%s", t->pipeline, t->sink != NULL ? t->sink : "",
             t->sink != NULL ? "/" : "", t->stage);
    if (t->kind == STAGE_SOURCE)
        buf_fmt(out, "%-24s %12s %12" PRIu64 " %14s %14" PRIu64 "\n", name, "", s->records_out, "", s->bytes_out);
    else
        buf_fmt(out, "%-24s %12" PRIu64 " %12" PRIu64 " %14" PRIu64 " %14" PRIu64, name, s->records_in,
                s->records_out, s->bytes_in, s->bytes_out);
    if (t->kind != STAGE_SOURCE && t->out == PAYLOAD_BYTES && s->bytes_out > 0)
        buf_fmt(out, "  ratio %.1f", (double)s->bytes_in / (double)s->bytes_out);
    if (t->kind != STAGE_SOURCE)
        buf_char(out, '\n');
    if (s->errors > 0)
        print_errors(out, t);
    if (s->truncated > 0)
        buf_fmt(out, "    too long %" PRIu64 "\n", s->truncated);
    for (int i = 0; i < STAGE_REASONS && s->dropped[i].reason != NULL; i++) {
        if (s->dropped[i].records == 0)
            continue;
        buf_fmt(out, "    dropped  %" PRIu64 ": %s", s->dropped[i].records, s->dropped[i].reason);
        for (size_t k = 0; k < t->examples[i].len; k++) {
            if (k == 0)
                buf_str(out, ", such as ");
            if (t->examples[i].data[k] != '\n')
                buf_char(out, t->examples[i].data[k]);
            else if (k + 1 < t->examples[i].len)
                buf_str(out, ", ");
        }
        buf_char(out, '\n');
    }
}

void dry_text_summary(struct buf *out, const struct dry_summary *s, bool color)
{
    buf_fmt(out, "%s%-24s %12s %12s %14s %14s%s\n", color ? "\033[1m" : "", "stage", "records in", "records out",
            "bytes in", "bytes out", plain(color));
    for (size_t i = 0; i < s->total_count; i++)
        print_total(out, &s->totals[i]);
    buf_fmt(out, "\n%" PRIu64 " records read, %" PRIu64 " dropped, %" PRIu64 " errors, %" PRIu64
                 " truncated; %" PRIu64 " would be sent. Nothing was changed.\n",
            s->records_in, s->dropped, s->errors, s->truncated, s->records_out);
}
