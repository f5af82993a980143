/* The docker transform: the log lines of Docker's json-file driver. */
#include <string.h>

#include "record/doc.h"
#include "record/jscan_string.h"
#include "transform/container.h"

/* The member ${name}, a string, unescaped. 1: *${out}; 0: there is none; -1: no memory. */
static int text_of(struct arena *a, const struct value *root, const char *name, struct value *out)
{
    if (!doc_member(root, name, strlen(name), out) || out->type != VALUE_STRING)
        return 0;
    if (!(out->flags & VALUE_ESCAPED))
        return 1;
    char *text = arena_text(a, out->len);
    if (text == NULL)
        return -1;
    *out = value_string(text, jscan_string_unescape(out->u.s, out->len, text));
    return 1;
}

/* {"log":TEXT,"stream":STREAM,"time":TIME,"attrs":…}, where a text without line feed at its end is a part. */
static int read_line(struct arena *a, const struct value *text, struct container_line *line)
{
    struct doc *doc;
    int rc = doc_parse(&doc, a, text->u.s, text->len, NULL);
    if (rc != DOC_OK)
        return rc == DOC_NOMEM ? -1 : 0;
    struct value *root = arena_alloc(a, sizeof *root);
    if (root == NULL)
        return -1;
    *root = doc_root(doc);
    line->more = root;
    if ((rc = text_of(a, root, "log", &line->message)) != 1 || (rc = text_of(a, root, "stream", &line->stream)) != 1 ||
        (rc = text_of(a, root, "time", &line->time)) != 1)
        return rc;
    struct value *message = &line->message;
    line->partial = message->len == 0 || message->u.s[message->len - 1] != '\n';
    message->flags = 0; /* plain from now on: its length changes */
    if (!line->partial)
        message->len--;
    return 1;
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    (void)env;
    (void)settings;
    return container_init(self, read_line, e);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct join_ops ops = {CONTAINER_OPS, .init = init};
    const struct container_settings *set = settings;
    return join_open(&ops, &set->limits, env, settings, e);
}

#define LINE(text, stream) "{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"2026-01-02T03:04Z\"}"
#define OUT(text, stream)  "{\"time\":\"2026-01-02T03:04Z\",\"stream\":\"" stream "\",\"message\":\"" text "\"}"

static const struct stage_case cases[] = {
    {"", LINE("\\\"hi\\\"\\r\\n", "stdout"), OUT("\\\"hi\\\"\\r", "stdout")},
    {"", LINE("one, ", "stdout") "\n" LINE("other\\n", "stderr") "\n" LINE("two", "stdout") "\n" LINE("\\n", "stdout"),
     OUT("other", "stderr") "\n" OUT("one, two", "stdout")},
    {"", "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"k\":1.0},\"time\":\"t\",\"x\\\"y\":[]}",
     "{\"time\":\"t\",\"stream\":\"stdout\",\"message\":\"a\",\"attrs\":{\"k\":1.0},\"x\\\"y\":[]}"},
    {"", LINE("\\n", "stdout"), OUT("", "stdout")},
    {"", LINE("part", "stdout"), OUT("part", "stdout")},
    {"", LINE("\\u00e9\\n", "stdout"), OUT("\xc3\xa9", "stdout")},
    {"", "no JSON", "no JSON"},
    {"", "{\"log\":1,\"stream\":\"stdout\",\"time\":\"t\"}", "{\"log\":1,\"stream\":\"stdout\",\"time\":\"t\"}"},
    {"\"on_error\": \"drop\"", "{\"log\":\"a\\n\",\"time\":\"t\"}", NULL},
    {"\"on_error\": \"drop\", \"field\": \".n\"", "{\"n\":1}", NULL},
    {0},
};

const struct stage stage_docker = {
    .kind = STAGE_TRANSFORM,
    .type = "docker",
    .summary = "Takes container logs of Docker apart, joins their parts.",
    .description =
        "A line {\"log\":…,\"stream\":…,\"time\":…}, as the json-file driver writes it, becomes {\"time\":…,\"stream\":…,\"message\":…}, the line feed at the end taken "
        "off; other members, such as attrs, follow. Lines that were written in parts (more than 16 KiB; all but the last have no line feed at their end) are joined, those of stdout and stderr apart, also "
        "when the file is rotated in between; the time is that of the first part.\n\n"
        "Until the last part is there, nothing of the line counts as delivered: after a stop or a crash it is read again from its first part.",
    .example = "{ \"type\": \"docker\" }",
    .cases = cases,
    .cases_plain = true,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = container_options,
    .settings_size = sizeof(struct container_settings),
    .open = open_stage,
};
