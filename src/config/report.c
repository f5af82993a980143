#include "config/report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/document.h"
#include "config/dump.h"
#include "config/node.h"
#include "config/text.h"

/* A problem on its way into the list. */
struct draft {
    const struct document *doc;
    const struct node *value; /* whose secret must not be quoted; may be NULL */
    size_t offset;
    struct buf path, message;
};

static struct config_problem *next_problem(struct config_report *report)
{
    if (report->count == report->cap) {
        size_t cap = report->cap == 0 ? 16 : report->cap * 2;
        void *p = mem_realloc(report->problems, cap * sizeof *report->problems);
        if (p == NULL)
            return NULL;
        report->problems = p;
        report->cap = cap;
    }
    return &report->problems[report->count];
}

static void problem_clear(struct config_problem *p)
{
    mem_free(p->file);
    mem_free(p->path);
    mem_free(p->message);
}

/* Does the ${len} bytes at ${quoted} tell something of ${value}? */
static bool tells(const struct node *value, const char *quoted, size_t len)
{
    return len > 0 && memmem(value->text, value->len, quoted, len) != NULL;
}

/* Replace what ${message} quotes of the secret ${value} by ***. */
static void redact(struct buf *message, const struct node *value)
{
    struct buf out = {0};
    const char *at = message->data, *end = message->data + message->len;
    while (at < end) {
        const char *open = memchr(at, '"', (size_t)(end - at));
        const char *close = open == NULL ? NULL : memchr(open + 1, '"', (size_t)(end - open - 1));
        if (close == NULL)
            break;
        bool hide = tells(value, open + 1, (size_t)(close - open - 1));
        buf_add(&out, at, (size_t)((hide ? open + 1 : close) - at));
        if (hide)
            buf_str(&out, "***");
        buf_char(&out, '"');
        at = close + 1;
    }
    buf_add(&out, at, (size_t)(end - at));
    out.failed = out.failed || message->failed;
    buf_clear(message);
    *message = out;
}

/* Fill ${p}. False: no memory, ${p} is as good as empty. */
static bool fill(struct config_problem *p, const struct draft *d, const char *path,
                 const char *message)
{
    p->file_order = d->doc->order;
    document_place(d->doc, d->offset, &p->line, &p->column);
    p->file = mem_strdup(d->doc->name);
    p->path = mem_strdup(path);
    p->message = mem_strdup(message);
    if (p->file != NULL && p->path != NULL && p->message != NULL) {
        text_repair(p->message); /* a cut may have gone through a character */
        return true;
    }
    problem_clear(p);
    return false;
}

/* Put ${d} into the list and clear it. */
static void submit(struct config_report *report, struct draft *d)
{
    if (d->value != NULL && d->value->secret)
        redact(&d->message, d->value);
    struct config_problem *p = next_problem(report);
    const char *path = buf_cstr(&d->path), *message = buf_cstr(&d->message);
    if (p != NULL && path != NULL && message != NULL) {
        *p = (struct config_problem){.order = (unsigned)report->count};
        if (fill(p, d, path, message))
            report->count++;
        else
            p = NULL;
    }
    if (p == NULL || path == NULL || message == NULL)
        report->failed = true;
    buf_clear(&d->path);
    buf_clear(&d->message);
}

#define FORMAT_MESSAGE(draft, fmt)                                                                 \
    do {                                                                                           \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        buf_vfmt(&(draft)->message, fmt, ap);                                                      \
        va_end(ap);                                                                                \
    } while (0)

void report_key(struct config_report *report, const char *key, const char *fmt, ...)
{
    const struct node *value = key[0] == '\0' ? NULL : node_member(report->at, key);
    const struct node *at = value != NULL ? value : report->at;
    struct draft d = {.doc = at->doc, .value = value, .offset = at->offset};
    node_path(at, &d.path);
    if (value == NULL && key[0] != '\0')
        node_path_key(key, &d.path);
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

void report_node(struct config_report *report, const struct node *node, const char *fmt, ...)
{
    struct draft d = {.doc = node->doc, .value = node, .offset = node->offset};
    node_path(node, &d.path);
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

void report_inside(struct config_report *report, const struct node *node, size_t skip,
                   const char *fmt, ...)
{
    struct draft d = {.doc = node->doc, .value = node, .offset = document_inside(node, skip)};
    node_path(node, &d.path);
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

void report_name(struct config_report *report, const struct node *node, const char *fmt, ...)
{
    struct draft d = {.doc = node->doc, .offset = node->key_offset};
    node_path(node, &d.path);
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

void report_missing(struct config_report *report, const struct node *node, const char *key,
                    const char *fmt, ...)
{
    struct draft d = {.doc = node->doc, .offset = node->offset};
    node_path(node, &d.path);
    node_path_key(key, &d.path);
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

void report_document(struct config_report *report, const struct document *doc, size_t offset,
                     const char *fmt, ...)
{
    struct draft d = {.doc = doc, .offset = offset};
    FORMAT_MESSAGE(&d, fmt);
    submit(report, &d);
}

static int compare(const void *a, const void *b)
{
    const struct config_problem *x = a, *y = b;
    const unsigned pairs[][2] = {{x->file_order, y->file_order},
                                 {x->line, y->line},
                                 {x->column, y->column},
                                 {x->order, y->order}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    }
    return 0;
}

void report_sort(struct config_report *report)
{
    if (report->count > 1)
        qsort(report->problems, report->count, sizeof *report->problems, compare);
}

void report_text(const struct config_report *report, struct buf *out)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_problem *p = &report->problems[i];
        buf_fmt(out, "%s:%u:%u: %s%s%s\n", p->file, p->line, p->column, p->path,
                p->path[0] == '\0' ? "" : ": ", p->message);
    }
    buf_fmt(out, "%zu error%s\n", report->count, report->count == 1 ? "" : "s");
}

/* Append ${p} as an object. File names may be anything; JSON takes UTF-8 only. */
static void problem_json(const struct config_problem *p, struct buf *out)
{
    text_repair(p->file);
    json_t *o = json_pack("{s:s, s:i, s:i, s:s, s:s}", "file", p->file, "line", (int)p->line,
                          "column", (int)p->column, "path", p->path, "message", p->message);
    dump_json(o, JSON_COMPACT, out);
    json_decref(o);
}

void report_json(const struct config_report *report, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < report->count; i++) {
        buf_str(out, i == 0 ? "\n" : ",\n");
        problem_json(&report->problems[i], out);
    }
    buf_str(out, report->count == 0 ? "]\n" : "\n]\n");
}

void report_clear(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        problem_clear(&report->problems[i]);
    mem_free(report->problems);
    *report = (struct config_report){0};
}
