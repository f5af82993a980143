#include "transform/container.h"

#include <string.h>

#include "record/doc.h"
#include "record/jscan_string.h"

enum { ERROR_PASS, ERROR_DROP };

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct container_settings, name)
const struct option container_options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The line as the runtime wrote it."},
    {.key = "timeout", .type = OPTION_DURATION, .offset = AT(limits.timeout), .fallback = "\"5s\"", .min = 10, .max = 3600000,
     .words = "How long to wait for the rest of a line that was written in parts; then what there is is passed on."},
    {.key = "max_bytes", .type = OPTION_SIZE, .offset = AT(limits.max_bytes), .fallback = "\"1MiB\"", .min = 16, .max = 1 << 30,
     .words = "Longest joined line. One that would be longer is passed on in pieces, each counted as too long; nothing is thrown away."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a line that has another format: it is passed on as it is, or dropped. Either is counted."},
    {0},
};

int container_init(struct container *c, container_read *read, struct err *e)
{
    c->read = read;
    c->time = path_new(".time", 5, e);
    c->stream = path_new(".stream", 7, e);
    c->message = path_new(".message", 8, e);
    if (c->time != NULL && c->stream != NULL && c->message != NULL)
        return 0;
    container_clear(c);
    return -1;
}

void container_clear(void *self)
{
    struct container *c = self;
    path_free(&c->time);
    path_free(&c->stream);
    path_free(&c->message);
}

static bool is_ours(const struct value *key)
{
    static const char *const names[] = {"time", "stream", "message", "log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct value name = value_string(names[i], strlen(names[i]));
        if (value_equal(&name, key))
            return true;
    }
    return false;
}

/* All other members of ${from}. -1: no memory. */
static int add_more(struct doc *doc, struct arena *a, const struct value *from)
{
    struct doc_walk w;
    doc_walk_start(&w, from);
    while (doc_walk_next(&w)) {
        if (is_ours(&w.key))
            continue;
        char *key = arena_text(a, w.key.len + (size_t)1);
        if (key == NULL)
            return -1;
        size_t len = w.key.len;
        if (w.key.flags & VALUE_ESCAPED)
            len = jscan_string_unescape(w.key.u.s, len, key);
        else
            memcpy(key, w.key.u.s, len);
        struct path *p = path_of_key(a, key, len);
        if (p == NULL || doc_adopt(doc, a, p, &w.value) == DOC_NOMEM)
            return -1;
    }
    return 0;
}

/* The record that ${line} makes. -1: no memory. */
static int make(const struct container *c, struct batch *b, struct record *r, const struct container_line *line)
{
    struct arena *a = &b->body->arena;
    struct doc *doc = doc_new(a);
    if (doc == NULL || doc_adopt(doc, a, c->time, &line->time) == DOC_NOMEM ||
        doc_adopt(doc, a, c->stream, &line->stream) == DOC_NOMEM ||
        doc_adopt(doc, a, c->message, &line->message) == DOC_NOMEM ||
        (line->more != NULL && add_more(doc, a, line->more) != 0))
        return -1;
    return record_put(b, r, NULL, doc) == DOC_NOMEM ? -1 : 0;
}

enum each_verdict container_look(void *self, const void *settings, struct batch *b, struct record *r,
                                 struct join_piece *piece, struct each_why *why)
{
    struct container *c = self;
    const struct container_settings *set = settings;
    struct container_line line = {.more = NULL};
    struct value text;
    int rc = record_text(b, r, set->field, &text);
    if (rc == DOC_NOMEM)
        return EACH_NOMEM;
    rc = rc == DOC_OK ? c->read(&b->body->arena, &text, &line) : 0;
    if (rc < 0 || (rc == 1 && make(c, b, r, &line) != 0))
        return EACH_NOMEM;
    if (rc == 0) {
        why->reason = "another format";
        each_explain(why, "%s is not a line of this format", set->field->text);
        return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
    }
    piece->text = line.message;
    piece->stream = line.stream;
    piece->kind = line.partial ? JOIN_MORE : JOIN_LAST;
    return EACH_PASS;
}

enum join_verdict container_judge(void *self, const void *settings, const struct join_piece *piece, uint32_t *state)
{
    (void)self;
    (void)settings;
    (void)state;
    return (enum join_verdict)piece->kind;
}

int container_put(void *self, const void *settings, struct batch *b, struct record *r, const struct value *text)
{
    (void)settings;
    const struct container *c = self;
    return record_adopt(b, r, c->message, text) == DOC_NOMEM ? -1 : 0;
}
