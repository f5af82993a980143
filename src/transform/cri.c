/* The cri transform: the log lines that container runtimes write for Kubernetes. */
#include <string.h>

#include "transform/container.h"

/* The next word of ${s}, up to a blank, which is taken too. */
static struct value next_word(const char **s, const char *end)
{
    const char *start = *s, *stop = memchr(start, ' ', (size_t)(end - start));
    *s = stop != NULL ? stop + 1 : end;
    return value_string(start, (size_t)((stop != NULL ? stop : end) - start));
}

static bool is_word(const struct value *v, const char *word)
{
    return v->len == strlen(word) && memcmp(v->u.s, word, v->len) == 0;
}

/* RFC 3339, as far as its form goes: 2026-01-02T03:04:05… */
static bool is_time(const struct value *v)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    if (v->len < sizeof form)
        return false;
    for (size_t i = 0; i + 1 < sizeof form; i++) {
        char c = v->u.s[i];
        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
            return false;
    }
    return true;
}

/* TIME STREAM TAGS TEXT, where the first tag is P for a part and F for the last (k8s.io/cri-api, "CRI logging format"). */
static int read_line(struct arena *a, const struct value *text, struct container_line *line)
{
    (void)a;
    const char *at = text->u.s, *end = at + text->len;
    line->time = next_word(&at, end);
    line->stream = next_word(&at, end);
    struct value tags = next_word(&at, end);
    if (!is_time(&line->time) || (!is_word(&line->stream, "stdout") && !is_word(&line->stream, "stderr")) ||
        tags.len == 0 || (tags.len > 1 && tags.u.s[1] != ':') || (tags.u.s[0] != 'P' && tags.u.s[0] != 'F'))
        return 0;
    line->partial = tags.u.s[0] == 'P';
    line->message = value_string(at, (size_t)(end - at));
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

#define T "2026-01-02T03:04:05Z "

static const struct stage_case cases[] = {
    {"", T "stdout F say \"hi\"",
     "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stdout\",\"message\":\"say \\\"hi\\\"\"}"},
    {"", T "stdout P one, \n" T "stderr F other\n" T "stdout F two",
     "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stderr\",\"message\":\"other\"}\n"
     "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stdout\",\"message\":\"one, two\"}"},
    {"", "2026-01-02T03:04:05+01:00 stderr F ", "{\"time\":\"2026-01-02T03:04:05+01:00\",\"stream\":\"stderr\",\"message\":\"\"}"},
    {"", T "stdout F:tag x", "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stdout\",\"message\":\"x\"}"},
    {"", T "stdout P part", "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stdout\",\"message\":\"part\"}"},
    {"", T "stdout F \t\\", "{\"time\":\"2026-01-02T03:04:05Z\",\"stream\":\"stdout\",\"message\":\"\\t\\\\\"}"},
    {"", T "stdin F x", T "stdin F x"},
    {"", T "stdout X x", T "stdout X x"},
    {"\"on_error\": \"drop\"", "no such line", NULL},
    {"\"on_error\": \"drop\", \"field\": \".n\"", "{\"n\":1}", NULL},
    {0},
};

const struct stage stage_cri = {
    .kind = STAGE_TRANSFORM,
    .type = "cri",
    .summary = "Takes container logs of Kubernetes apart, joins their parts.",
    .description =
        "A line \"TIME STREAM TAG TEXT\", as containerd and CRI-O write it, becomes {\"time\":…,\"stream\":…,\"message\":…}. Lines that the runtime wrote in parts "
        "(tag P, the last one F) are joined, those of stdout and stderr apart, also when the file is rotated in between; the time is that of the first part.\n\n"
        "Until the last part is there, nothing of the line counts as delivered: after a stop or a crash it is read again from its first part.",
    .example = "{ \"type\": \"cri\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = container_options,
    .settings_size = sizeof(struct container_settings),
    .open = open_stage,
};
