/* The multiline transform: makes one record of lines that belong together. */
#include <string.h>

#include "base/err.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/regex.h"
#include "stage/join.h"
#include "transform/preset.h"

struct multiline_settings {
    struct path *field, *by;
    char *start, *more;
    struct strings preset;
    struct join_limits limits;
};

struct multiline {
    struct regex *start, *more; /* NULL: not given */
    unsigned presets;
};

#define AT(name) offsetof(struct multiline_settings, name)
static const struct option options[] = {
    {.key = "start", .type = OPTION_STRING, .offset = AT(start), .min = 1,
     .words = "A PCRE2 pattern for the first line of a record. Without continue, every line that does not match belongs to the record "
              "before."},
    {.key = "continue", .type = OPTION_STRING, .offset = AT(more), .min = 1,
     .words = "A PCRE2 pattern for lines that belong to the record before. Without start, every line that does not match begins a record; "
              "with it, a line that matches neither stands alone."},
    {.key = "preset", .type = OPTION_STRINGS, .offset = AT(preset), .fallback = "[]",
     .words = "In place of patterns: stack traces of \"java\", \"python\", \"go\" or \"node\", one or several. All other lines stand alone."},
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The text that is looked at and joined; of all other fields those of the first line stay."},
    {.key = "by", .type = OPTION_PATH, .offset = AT(by),
     .words = "A field that tells lines apart that are woven into each other, such as .stream: those with different values are not joined."},
    {.key = "timeout", .type = OPTION_DURATION, .offset = AT(limits.timeout), .fallback = "\"1s\"", .min = 10, .max = 3600000,
     .words = "A record to which nothing was added for so long is passed on."},
    {.key = "max_bytes", .type = OPTION_SIZE, .offset = AT(limits.max_bytes), .fallback = "\"1MiB\"", .min = 16, .max = 1 << 30,
     .words = "Longest joined text. One that would be longer is passed on in pieces, each counted as too long; nothing is thrown away."},
    {0},
};

static void check_pattern(const char *key, const char *pattern, struct config_report *report)
{
    struct err e = {0};
    if (pattern == NULL)
        return;
    struct regex *re = regex_new(pattern, strlen(pattern), &e);
    if (re == NULL && e.code == ERR_NOMEM)
        report->failed = true;
    else if (re == NULL)
        report_key(report, key, "%s", e.text);
    regex_free(&re);
}

static void check(const void *settings, struct config_report *report)
{
    const struct multiline_settings *set = settings;
    bool patterns = set->start != NULL || set->more != NULL;
    if (!patterns && set->preset.count == 0)
        report_key(report, "", "expected \"start\", \"continue\" or \"preset\": which lines belong together?");
    if (patterns && set->preset.count > 0)
        report_key(report, "preset", "a preset has its own rules: expected either it or \"start\" and \"continue\"");
    for (size_t i = 0; i < set->preset.count; i++)
        if (preset_find(set->preset.items[i]) == 0)
            report_key(report, "preset", "expected \"java\", \"python\", \"go\" or \"node\", got \"%s\"", set->preset.items[i]);
    if (set->field->meta != PATH_FIELD)
        report_key(report, "field", "%s is metadata, which cannot be changed: expected a field", set->field->text);
    check_pattern("start", set->start, report);
    check_pattern("continue", set->more, report);
}

static void clear(void *self)
{
    struct multiline *t = self;
    regex_free(&t->start);
    regex_free(&t->more);
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    (void)env;
    struct multiline *t = self;
    const struct multiline_settings *set = settings;
    for (size_t i = 0; i < set->preset.count; i++)
        t->presets |= preset_find(set->preset.items[i]);
    if (set->start != NULL)
        t->start = regex_new(set->start, strlen(set->start), e);
    if (set->more != NULL)
        t->more = regex_new(set->more, strlen(set->more), e);
    if ((t->start == NULL) == (set->start == NULL) && (t->more == NULL) == (set->more == NULL))
        return 0;
    clear(t);
    return -1;
}

static enum each_verdict look(void *self, const void *settings, struct batch *b, struct record *r,
                              struct join_piece *piece, struct each_why *why)
{
    (void)self;
    const struct multiline_settings *set = settings;
    int result = record_text(b, r, set->field, &piece->text);
    if (result == DOC_OK && set->by != NULL)
        result = record_text(b, r, set->by, &piece->stream) == DOC_NOMEM ? DOC_NOMEM : DOC_OK;
    if (result == DOC_NOMEM)
        return EACH_NOMEM;
    if (result == DOC_OK)
        return EACH_PASS;
    why->reason = "not a string";
    each_explain(why, "%s is not a string", set->field->text);
    return EACH_ERROR_PASS;
}

static bool matches(struct regex *re, const struct value *text)
{
    return re != NULL && regex_match(re, text->u.s, text->len) == REGEX_YES;
}

static enum join_verdict judge(void *self, const void *settings, const struct join_piece *piece, uint32_t *state)
{
    (void)settings;
    struct multiline *t = self;
    if (t->presets != 0)
        return preset_judge(t->presets, piece->text.u.s, piece->text.len, state);
    if (matches(t->start, &piece->text))
        return JOIN_BEGIN;
    if (t->more == NULL)
        return JOIN_MORE;
    if (matches(t->more, &piece->text))
        return JOIN_MORE;
    return t->start == NULL ? JOIN_BEGIN : JOIN_ALONE;
}

static int put(void *self, const void *settings, struct batch *b, struct record *r, const struct value *text)
{
    (void)self;
    const struct multiline_settings *set = settings;
    return record_adopt(b, r, set->field, text) == DOC_NOMEM ? -1 : 0;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct join_ops ops = {
        .self_size = sizeof(struct multiline),
        .between = "\n",
        .init = init,
        .clear = clear,
        .look = look,
        .judge = judge,
        .put = put,
    };
    const struct multiline_settings *set = settings;
    return join_open(&ops, &set->limits, env, settings, e);
}

#define DATE   "\"start\": \"^\\\\d{4}-\""
#define INDENT "\"continue\": \"^\\\\s\""

static const struct stage_case cases[] = {
    {DATE, "2026-01-01 a\nb\n c\n2026-01-02 d",
     "{\"message\":\"2026-01-01 a\\nb\\n c\"}\n2026-01-02 d"},
    {DATE, "no start\nat all", "{\"message\":\"no start\\nat all\"}"},
    {INDENT, "a\n b\n\tc\nd\ne", "{\"message\":\"a\\n b\\n\\tc\"}\nd\ne"},
    {DATE ", " INDENT, "2026-01-01 a\n b\nc\n d\n2026-01-02 e", "{\"message\":\"2026-01-01 a\\n b\"}\nc\n d\n2026-01-02 e"},
    {DATE ", " INDENT, "2026-01-01 a\nc\nd\n2026-01-02 e\n", "2026-01-01 a\nc\nd\n2026-01-02 e"},
    {"\"preset\": \"java\"", "ok\nIOError: x\n\tat a.b(C.java:1)\nCaused by: E\n\t... 1 more\nok",
     "ok\n{\"message\":\"IOError: x\\n\\tat a.b(C.java:1)\\nCaused by: E\\n\\t... 1 more\"}\nok"},
    {"\"preset\": \"python\"", "Traceback (most recent call last):\n File x\n  f\nError\nok",
     "{\"message\":\"Traceback (most recent call last):\\n File x\\n  f\\nError\"}\nok"},
    {"\"preset\": \"go\"", "panic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/m.go:4\nok",
     "{\"message\":\"panic: x\\n\\ngoroutine 1 [running]:\\nmain.f()\\n\\t/m.go:4\"}\nok"},
    {"\"preset\": [\"node\", \"python\"]", "Error: no\n    at f (/x.js:1:2) {\n  code: 'E'\n}\nok",
     "{\"message\":\"Error: no\\n    at f (/x.js:1:2) {\\n  code: 'E'\\n}\"}\nok"},
    {INDENT ", \"by\": \".s\", \"field\": \".m\"", "{\"s\":\"1\",\"m\":\"a\"}\n{\"s\":\"2\",\"m\":\"b\"}\n{\"s\":\"1\",\"m\":\" c\"}\n{\"s\":\"2\",\"m\":\" d\"}",
     "{\"s\":\"1\",\"m\":\"a\\n c\"}\n{\"s\":\"2\",\"m\":\"b\\n d\"}"},
    {INDENT ", \"field\": \".m\"", "{\"m\":1}\n{\"n\":2}", "{\"m\":1}\n{\"n\":2}"},
    {INDENT, "\xff\n \xfe", "{\"message\":\"\xef\xbf\xbd\\n \xef\xbf\xbd\"}"},
    {INDENT ", \"max_bytes\": 16", "aaaaaaaa\n bbbb\n cccc",
     "{\"message\":\"aaaaaaaa\\n bbbb\"}\n cccc"},
    {0},
};

const struct stage stage_multiline = {
    .kind = STAGE_TRANSFORM,
    .type = "multiline",
    .summary = "Makes one record of lines that belong together.",
    .description =
        "Lines of one log are joined, with line feeds between them; those of different files, connections or, with by, streams never are. A log "
        "that is rotated goes on in the new file. As a source's option \"multiline\" it stands right behind that source.\n\n"
        "A record of several lines counts as changed, so that it is sent as a JSON object on one line (text sends its lines as they "
        "are). One of a single line is untouched.\n\n"
        "A record is complete when the next one begins, or when nothing was added for timeout, or when weir stops. Until then nothing of it counts as "
        "delivered: after a crash it is read again from its first line.",
    .example = "{ \"type\": \"multiline\", \"start\": \"^\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d \" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct multiline_settings),
    .check = check,
    .open = open_stage,
};
