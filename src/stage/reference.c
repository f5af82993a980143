#include "stage/reference.h"

#include "base/buf.h"
#include "record/expr.h"
#include "stage/config.h"
#include "stage/manual.h"
#include "stage/pipeline_config.h"
#include "stage/stages.h"
#include "stage/walk.h"

static const char head[] =
    "# Configuration reference\n\n"
    "Made by `weir list --format markdown` from the tables that the agent itself reads its "
    "configuration with; do not "
    "edit.\n\n"
    "A configuration is one JSON object (RFC 8259, UTF-8): a file, or every `*.json` of a "
    "directory, merged in name "
    "order. `weir check -c FILE` tells every problem at once, with its line and column.\n\n"
    "* A **size** is a number of bytes, or a string with `B`, `KB`, `MB`, `GB`, `TB` (powers of "
    "1000) or `KiB`, `MiB`, "
    "`GiB`, `TiB` (powers of 1024).\n"
    "* A **duration** is a number of seconds, or a string with `ms`, `s`, `m`, `h` or `d`.\n"
    "* In every string value `${NAME}` stands for an environment variable, `${NAME:-default}` for "
    "one with a default "
    "(when it is unset or empty), `${file:/path}` for the content of a file without the newline at "
    "its end, and `$${` for "
    "a literal `${`. What was put in is not looked at again. What came from a file, or from a "
    "variable whose name "
    "speaks of a password, secret, token, key or credential, is never printed.\n"
    "* An **expression** is what a filter asks, as `.level == \"error\" and .status >= 500`; a "
    "**field path** is "
    "`.a.b[0]`, `.\"odd key\"` or `@path`.\n\n"
    "## Top level\n\n";

/* ${text} for a cell of a table: on one line, with what Markdown would take for its own escaped. */
static void add_cell(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|' || *text == '*')
            buf_char(out, '\\');
        buf_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void add_row(void *arg, const char *path, const struct option *o)
{
    struct buf *out = arg;
    const char *fallback = walk_default(o);
    bool code = !o->required && fallback[0] != '\0';
    buf_fmt(out, "| `%s` | ", path);
    walk_add_type(o, out);
    buf_fmt(out, " | %s%s%s | ", code ? "`" : "", fallback, code ? "`" : "");
    add_cell(o->words, out);
    buf_str(out, " |\n");
}

static void add_table(const struct option *table, struct buf *out)
{
    if (table == NULL || table[0].key == NULL) {
        buf_str(out, "No options of its own.\n\n");
        return;
    }
    buf_str(out, "| option | type | default | meaning |\n|---|---|---|---|\n");
    walk_options(table, add_row, out);
    buf_char(out, '\n');
}

static void add_cases(const struct stage *s, struct buf *out)
{
    buf_str(out, "What it does to records:\n\n```\n");
    for (const struct stage_case *c = s->cases; c->input != NULL; c++) {
        buf_fmt(out, "{ \"type\": \"%s\"%s%s }\n    ", s->type, c->options[0] != '\0' ? ", " : "", c->options);
        manual_record(c->input, 0, out);
        buf_str(out, "\n    → ");
        manual_record(c->output, 0, out);
        buf_char(out, '\n');
    }
    buf_str(out, "```\n\n");
}

static void add_stage(const struct stage *s, struct buf *out)
{
    buf_fmt(out, "### %s\n\n%s ", s->type, s->summary);
    manual_payload(s, out);
    buf_fmt(out, "\n\n%s\n\n", s->description);
    add_table(s->options, out);
    buf_fmt(out, "```json\n%s\n```\n\n", s->example);
    if (s->cases != NULL)
        add_cases(s, out);
}

static void add_kind(const struct stage *const *table, enum stage_kind kind, const char *heading,
                     struct buf *out)
{
    buf_fmt(out, "## %s\n\nEvery %s takes:\n\n", heading, stages_kind_name(kind));
    add_table(stages_common(kind), out);
    for (size_t i = 0; table[i] != NULL; i++) {
        if (table[i]->kind == kind)
            add_stage(table[i], out);
    }
}

static void add_functions(struct buf *out)
{
    buf_str(out, "## Functions in expressions\n\n| function | gives |\n|---|---|\n");
    for (const struct expr_function *f = expr_functions; f->name != NULL; f++) {
        buf_fmt(out, "| `%s` | ", f->usage);
        add_cell(f->words, out);
        buf_str(out, " |\n");
    }
}

void reference_markdown(const struct stage *const *table, struct buf *out)
{
    buf_str(out, head);
    add_table(config_options, out);
    buf_str(out, "## A pipeline\n\n");
    add_table(pipeline_config_options, out);
    add_kind(table, STAGE_SOURCE, "Sources", out);
    add_kind(table, STAGE_TRANSFORM, "Transforms", out);
    add_kind(table, STAGE_SINK, "Sinks", out);
    add_functions(out);
}
