#include "stage/manual.h"

#include <string.h>

#include "base/buf.h"
#include "stage/stages.h"
#include "stage/walk.h"

#define COLUMNS 80

static void add_spaces(size_t n, struct buf *out)
{
    while (n-- > 0)
        buf_char(out, ' ');
}

/* ${text} in lines of COLUMNS, ${indent} spaces in front of each; an empty line stays one. */
static void add_wrapped(const char *text, size_t indent, struct buf *out)
{
    size_t at = 0; /* columns used; 0: the line has not begun */
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (at > 0 && at + 1 + word > COLUMNS) {
            buf_char(out, '\n');
            at = 0;
        }
        if (word > 0) {
            add_spaces(at == 0 ? indent : 1, out);
            buf_add(out, text, word);
            at += word + (at == 0 ? indent : 1);
        }
        text += word;
        if (text[0] == '\n' && text[1] == '\n') {
            buf_str(out, "\n\n");
            at = 0;
        }
        text += strspn(text, " \n");
    }
    buf_char(out, '\n');
}

static void add_option(void *arg, const char *path, const struct option *o)
{
    struct buf *out = arg, type = {0};
    walk_add_type(o, &type);
    buf_fmt(out, "  %s", path);
    if (type.len > 0)
        buf_fmt(out, "  (%.*s)", (int)type.len, type.data);
    out->failed = out->failed || type.failed;
    buf_clear(&type);
    const char *fallback = walk_default(o);
    if (o->required)
        buf_str(out, "  required");
    else if (fallback[0] != '\0')
        buf_fmt(out, "  default %s", fallback);
    buf_char(out, '\n');
    add_wrapped(o->words, 6, out);
}

void manual_payload(const struct stage *s, struct buf *out)
{
    switch (s->kind) {
    case STAGE_SOURCE: buf_fmt(out, "Gives %s.", stages_payload_name(s->out)); break;
    case STAGE_SINK: buf_fmt(out, "Takes %s.", stages_payload_name(s->in)); break;
    case STAGE_TRANSFORM:
        if (s->in == PAYLOAD_ANY && s->out == PAYLOAD_ANY)
            buf_str(out, "Takes records or bytes, gives what it takes.");
        else
            buf_fmt(out, "Takes %s, gives %s.", stages_payload_name(s->in),
                    stages_payload_name(s->out));
        break;
    }
}

static void add_cases(const struct stage *s, struct buf *out)
{
    buf_str(out, "\nWhat it does to records\n");
    for (const struct stage_case *c = s->cases; c->input != NULL; c++) {
        buf_fmt(out, "  { \"type\": \"%s\"%s%s }\n    ", s->type, c->options[0] != '\0' ? ", " : "", c->options);
        manual_record(c->input, COLUMNS - 9, out);
        buf_str(out, "\n    → ");
        manual_record(c->output, COLUMNS - 12, out);
        buf_char(out, '\n');
    }
}

/* The beginning of a long record is enough to see what it is about. */
void manual_record(const char *record, size_t width, struct buf *out)
{
    size_t shown = 0, row = out->len;
    if (record == NULL) {
        buf_str(out, "(dropped)");
        return;
    }
    for (const char *at = record; *at != '\0'; at++, shown++) {
        unsigned char c = (unsigned char)*at;
        if (shown >= 400) {
            buf_fmt(out, "… (%zu bytes)", strlen(record));
            return;
        }
        if (c == '\n' || (width > 0 && out->len - row >= width)) {
            buf_str(out, "\n    ");
            row = out->len;
        }
        if (c >= 0x20 && c < 0x7f)
            buf_char(out, *at);
        else if (c != '\n')
            buf_fmt(out, "\\x%02x", c);
    }
}

void manual_stage(const struct stage *s, struct buf *out)
{
    buf_fmt(out, "%s (%s): %s\n\n", s->type, stages_kind_name(s->kind), s->summary);
    manual_payload(s, out);
    buf_str(out, "\n\n");
    add_wrapped(s->description, 0, out);
    if (s->options != NULL && s->options[0].key != NULL) {
        buf_str(out, "\nOptions\n");
        walk_options(s->options, add_option, out);
    }
    buf_fmt(out, "\nOptions of every %s\n", stages_kind_name(s->kind));
    walk_options(stages_common(s->kind), add_option, out);
    if (s->cases != NULL)
        add_cases(s, out);
    buf_fmt(out, "\nExample\n  %s\n", s->example);
}

void manual_list(const struct stage *const *table, struct buf *out)
{
    static const char *const headings[] = {"Sources", "Transforms", "Sinks"};
    for (enum stage_kind kind = STAGE_SOURCE; kind <= STAGE_SINK; kind++) {
        buf_fmt(out, "%s%s\n", kind == STAGE_SOURCE ? "" : "\n", headings[kind]);
        for (size_t i = 0; table[i] != NULL; i++) {
            if (table[i]->kind == kind)
                buf_fmt(out, "  %-12s %s\n", table[i]->type, table[i]->summary);
        }
    }
}

void manual_names(const struct stage *const *table, struct buf *out)
{
    for (size_t i = 0; table[i] != NULL; i++)
        buf_fmt(out, "%s/%s\n", stages_kind_name(table[i]->kind), table[i]->type);
}
