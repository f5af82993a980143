/* The timestamp transform: reads the time of a record from a field. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/time_read.h"
#include "record/zone.h"
#include "stage/each.h"

enum { ERROR_PASS, ERROR_DROP };

struct timestamp_settings {
    struct path *field, *target;
    struct strings formats;
    char *timezone;
    int on_error;
};

struct timestamp {
    struct time_format *formats;
    size_t count;
    struct zone *zone;
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct timestamp_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".time\"",
     .words = "Where the time stands: a string, or a number as the unix formats take it."},
    {.key = "format", .type = OPTION_STRINGS, .offset = AT(formats), .fallback = "\"rfc3339\"", .min = 1,
     .words = "One format or several, tried in order: rfc3339, unix, unix_ms, unix_us, unix_ns, rfc2822, common_log, syslog, or a pattern "
              "as of strptime."},
    {.key = "timezone", .type = OPTION_STRING, .offset = AT(timezone), .fallback = "\"UTC\"", .min = 1,
     .words = "Of times that do not say how far they are from UTC: a name such as Europe/Berlin, UTC, an offset such as +02:00, or local."},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target),
     .words = "Where to put the time as a string, by RFC 3339 in UTC with the digits of fraction that were given, at most 9. Without it the "
              "record is not changed."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing or is no time: it is passed on with the time when it was read, or dropped. "
              "Either is counted."},
    {0},
};

static void check_formats(const struct timestamp_settings *set, struct config_report *report)
{
    for (size_t i = 0; i < set->formats.count; i++) {
        struct time_format format;
        struct err e = {0};
        const char *text = set->formats.items[i];
        if (text != NULL && time_format_read(text, &format, &e) != 0)
            report_key(report, "format", strchr(text, '%') != NULL ? "\"%.60s\": %s" : "%.0s%s", text, e.text);
    }
}

static void check(const void *settings, struct config_report *report)
{
    const struct timestamp_settings *set = settings;
    struct err e = {0};
    struct zone *zone = zone_new(set->timezone, &e);
    if (e.code == ERR_NOMEM)
        report->failed = true;
    else if (zone == NULL)
        report_key(report, "timezone", "%s", e.text);
    zone_free(&zone);
    check_formats(set, report);
    if (set->target != NULL && (set->target->meta != PATH_FIELD || set->target->count == 0))
        report_key(report, "target", "expected a field, got \"%s\"", set->target->text);
}

static void clear(void *self)
{
    struct timestamp *t = self;
    zone_free(&t->zone);
    mem_free(t->formats);
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    (void)env;
    struct timestamp *t = self;
    const struct timestamp_settings *set = settings;
    t->formats = mem_zalloc(set->formats.count, sizeof *t->formats);
    if (t->formats == NULL)
        return err_nomem(e);
    t->zone = zone_new(set->timezone, e);
    bool ok = t->zone != NULL;
    for (; ok && t->count < set->formats.count; t->count++)
        ok = time_format_read(set->formats.items[t->count], &t->formats[t->count], e) == 0;
    if (!ok)
        clear(t);
    return ok ? 0 : -1;
}

/* The text at the field, of a number its spelling; ${spelled} is room for one that was computed. DOC_REFUSED: something else. */
static int get_text(struct batch *b, const struct record *r, const struct path *field, char *spelled, struct value *out)
{
    if (!record_get(b, r, field, out))
        return DOC_REFUSED;
    switch ((enum value_type)out->type) {
    case VALUE_NUMBER: return DOC_OK;
    case VALUE_INT:
    case VALUE_DOUBLE: *out = value_string(spelled, value_spell(out, spelled)); return DOC_OK;
    case VALUE_STRING: return record_text(b, r, field, out);
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_ARRAY:
    case VALUE_OBJECT: break;
    }
    return DOC_REFUSED;
}

/* Put the time at the target. -1: no memory. */
static int put_text(struct batch *b, struct record *r, const struct path *target, const struct time_found *found)
{
    char *text = arena_text(&b->body->arena, CIVIL_TEXT);
    if (text == NULL)
        return -1;
    struct value v = value_string(text, civil_write(found->time, found->digits, text));
    return record_adopt(b, r, target, &v) == DOC_NOMEM ? -1 : 0;
}

static enum each_verdict refuse(const struct timestamp_settings *set, struct each_why *why, const char *what, const struct value *text)
{
    why->reason = "no time";
    if (text != NULL)
        each_explain(why, "%s %s: %.*s", set->field->text, what, (int)(text->len < 60 ? text->len : 60), text->u.s);
    else
        each_explain(why, "%s %s", set->field->text, what);
    return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
}

static enum each_verdict read_time(void *self, const void *settings, struct batch *b, struct record *r, struct each_why *why)
{
    struct timestamp *t = self;
    const struct timestamp_settings *set = settings;
    struct time_place place = {t->zone, b->body->time};
    struct time_found found;
    struct value text;
    char spelled[VALUE_SPELL_MAX];
    const char *what = NULL;
    int result = get_text(b, r, set->field, spelled, &text);
    if (result == DOC_NOMEM)
        return EACH_NOMEM;
    if (result == DOC_REFUSED)
        return refuse(set, why, "is neither a string nor a number", NULL);
    for (size_t i = 0; i < t->count; i++) {
        what = time_read(&t->formats[i], text.u.s, text.len, &place, &found);
        if (what == NULL)
            break;
    }
    if (what != NULL)
        return refuse(set, why, what, &text);
    r->time = found.time != 0 ? found.time : 1; /* 0 would say that no time was found */
    if (set->target != NULL && put_text(b, r, set->target, &found) != 0)
        return EACH_NOMEM;
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {
        .self_size = sizeof(struct timestamp), .init = init, .record = read_time, .clear = clear};
    return each_open(&ops, env, settings, e);
}

#define TO ", \"target\": \".t\""
#define DROP ", \"on_error\": \"drop\""

static const struct stage_case cases[] = {
    {"", "{\"time\":\"2026-01-31T12:00:00Z\", \"a\":1.0}", "{\"time\":\"2026-01-31T12:00:00Z\", \"a\":1.0}"},
    {"\"target\": \".time\"", "{\"time\":\"2026-01-31T12:00:00.250+01:00\",\"a\":1.0}", "{\"time\":\"2026-01-31T11:00:00.250Z\",\"a\":1.0}"},
    {"\"field\": \".message\"" TO, "2026-01-31 12:00:00,5", "{\"message\":\"2026-01-31 12:00:00,5\",\"t\":\"2026-01-31T12:00:00.5Z\"}"},
    {"\"timezone\": \"Europe/Berlin\"" TO, "{\"time\":\"2026-07-31T12:00:00\"}", "{\"time\":\"2026-07-31T12:00:00\",\"t\":\"2026-07-31T10:00:00Z\"}"},
    {"\"format\": \"unix\"" TO, "{\"time\":1500000000.1234567891}", "{\"time\":1500000000.1234567891,\"t\":\"2017-07-14T02:40:00.123456789Z\"}"},
    {"\"format\": \"unix\"" TO, "{\"time\":\"-1.50\"}", "{\"time\":\"-1.50\",\"t\":\"1969-12-31T23:59:58.50Z\"}"},
    {"\"format\": \"unix_ms\"" TO, "{\"time\":1500000000123}", "{\"time\":1500000000123,\"t\":\"2017-07-14T02:40:00.123Z\"}"},
    {"\"format\": \"unix_ms\"" TO, "{\"time\":1.5e12}", "{\"time\":1.5e12,\"t\":\"2017-07-14T02:40:00.000Z\"}"},
    {"\"format\": \"common_log\", \"field\": \".message\"" TO, "10/Oct/2000:13:55:36 -0700",
     "{\"message\":\"10/Oct/2000:13:55:36 -0700\",\"t\":\"2000-10-10T20:55:36Z\"}"},
    {"\"format\": \"rfc2822\"" TO, "{\"time\":\"Sat, 31 Jan 2026 12:00:00 GMT\"}", "{\"time\":\"Sat, 31 Jan 2026 12:00:00 GMT\",\"t\":\"2026-01-31T12:00:00Z\"}"},
    {"\"format\": [\"unix\", \"%d.%m.%y %I:%M %p\"]" TO, "{\"time\":\"31.01.26 12:05 am\"}", "{\"time\":\"31.01.26 12:05 am\",\"t\":\"2026-01-31T00:05:00Z\"}"},
    {"\"target\": \".t\"", "{\"time\":\"2016-12-31T23:59:60Z\"}", "{\"time\":\"2016-12-31T23:59:60Z\",\"t\":\"2016-12-31T23:59:59Z\"}"},
    {"\"target\": \".t\"", "{\"time\":\"2026-02-30T12:00:00Z\"}", "{\"time\":\"2026-02-30T12:00:00Z\"}"},
    {"\"target\": \".t\"" DROP, "{\"time\":\"2026-01-31T24:00:00Z\"}", NULL},
    {"\"target\": \".t\"" DROP, "{\"time\":\"2263-01-01T00:00:00Z\"}", NULL},
    {"\"target\": \".t\"" DROP, "{\"time\":\"2026-01-31T12:00:00Z and more\"}", NULL},
    {"\"format\": \"unix\"" DROP, "{\"time\":1e30}", NULL},
    {"\"format\": \"unix\"" DROP, "{\"time\":\"soon\"}", NULL},
    {"\"field\": \".message\"" DROP, "2026-01-31T12:00:00\xff", NULL},
    {"\"on_error\": \"drop\"", "{\"time\":true}", NULL},
    {"\"on_error\": \"drop\"", "{\"time\":{\"a\":[[[1]]]}}", NULL},
    {"\"on_error\": \"drop\"", "{\"a\":1}", NULL},
    {"", "{\"a\":1}", "{\"a\":1}"},
    {0},
};

const struct stage stage_timestamp = {
    .kind = STAGE_TRANSFORM,
    .type = "timestamp",
    .summary = "Reads the time of a record from a field.",
    .description =
        "The time becomes @time, which else is the time when the record was read. Formats are:\n\n"
        "rfc3339: 2026-01-31T12:00:00.25+01:00; also with a blank for the T, a comma for the point, an offset without colon, or none. "
        "unix, unix_ms, unix_us, unix_ns: seconds since 1970, or thousandths of that and so on, as a number or its digits in a string, with any "
        "fraction. rfc2822: Sat, 31 Jan 2026 12:00:00 +0100. common_log: 31/Jan/2026:12:00:00 +0100. syslog: Jan 31 12:00:00.\n\n"
        "A pattern is made of %Y %y %m %b %d %e %j %H %I %p %M %S %a %z %Z %s %T %R %F %D %% as in strptime, always in English, "
        "and %f (or %L, %N): the fraction of the second, any number of digits. A blank is one or more blanks. %Z knows UTC, GMT and Z; other letters are "
        "read over, and timezone counts.\n\n"
        "A time without year gets the latest year that puts it no more than a day ahead of when the record was read. A time that the clocks "
        "of the zone show twice is the first of both; one that they skip is reckoned as if they had not been put forward yet. Second 60 is taken "
        "where a day ends in UTC, and is the end of second 59. Times are kept in nanoseconds; what is not within 1678 and 2262 is an error. Zones are those of the system "
        "(the package tzdata).",
    .example = "{ \"type\": \"timestamp\", \"field\": \".ts\", \"format\": [\"rfc3339\", \"%d/%b/%Y:%T %z\"], \"timezone\": \"Europe/Berlin\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct timestamp_settings),
    .check = check,
    .open = open_stage,
};
