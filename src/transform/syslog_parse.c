/* The syslog_parse transform: takes a syslog message apart. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/time_read.h"
#include "record/zone.h"
#include "stage/each.h"
#include "transform/syslog_read.h"

enum { ERROR_PASS, ERROR_DROP };

struct syslog_settings {
    struct path *field, *target;
    char *timezone;
    int format; /* enum syslog_format */
    int on_error;
};

enum { FACILITY, SEVERITY, TIMESTAMP, HOSTNAME, APPNAME, PROCID, MSGID, DATA, MESSAGE, FIELDS };

struct syslog_stage {
    struct path *fields[FIELDS];
    struct path *param; /* .structured_data."id"."name"[i], filled in anew for each */
    struct zone *zone;
    struct time_format old_time;
};

static const char *const on_errors[] = {"pass", "drop", NULL};
static const char *const formats[] = {"auto", "rfc5424", "rfc3164", NULL};

#define AT(name) offsetof(struct syslog_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to take apart."},
    {.key = "target", .type = OPTION_PATH, .offset = AT(target), .fallback = "\".\"",
     .words = "Where the parts are put, as an object; the root replaces the record."},
    {.key = "format", .type = OPTION_CHOICE, .offset = AT(format), .fallback = "\"auto\"", .choices = formats,
     .words = "auto: RFC 5424 where it is that, else RFC 3164."},
    {.key = "timezone", .type = OPTION_STRING, .offset = AT(timezone), .fallback = "\"local\"", .min = 1,
     .words = "Of timestamps of RFC 3164, which do not say it: a name such as Europe/Berlin, UTC, an offset such as +02:00, or local, the "
              "machine's."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing or is not syslog: it is passed on as it is, or dropped. Either is "
              "counted."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct syslog_settings *set = settings;
    struct err e = {0};
    struct zone *zone = zone_new(set->timezone, &e);
    if (e.code == ERR_NOMEM)
        report->failed = true;
    else if (zone == NULL)
        report_key(report, "timezone", "%s", e.text);
    zone_free(&zone);
    if (set->target->meta != PATH_FIELD)
        report_key(report, "target", "%s is metadata, which cannot be changed: expected a field", set->target->text);
}

static void clear(void *self)
{
    struct syslog_stage *t = self;
    for (int i = 0; i < FIELDS; i++)
        path_free(&t->fields[i]);
    mem_free(t->param);
    zone_free(&t->zone);
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    static const char *const texts[FIELDS] = {".facility", ".severity", ".timestamp", ".hostname", ".appname", ".procid", ".msgid",
                                              ".structured_data", ".message"};
    (void)env;
    struct syslog_stage *t = self;
    const struct syslog_settings *set = settings;
    bool ok = time_format_read("syslog", &t->old_time, e) == 0;
    for (int i = 0; i < FIELDS && ok; i++) {
        t->fields[i] = path_new(texts[i], strlen(texts[i]), e);
        ok = t->fields[i] != NULL;
    }
    t->param = mem_zalloc(1, sizeof *t->param + 4 * sizeof t->param->steps[0]);
    t->zone = ok ? zone_new(set->timezone, e) : NULL;
    if (t->zone != NULL && t->param != NULL) {
        t->param->steps[0] = (struct path_step){.key = "structured_data", .len = 15};
        return 0;
    }
    if (t->param == NULL)
        err_nomem(e);
    clear(t);
    return -1;
}

/* The record being made. */
struct making {
    struct syslog_stage *stage;
    struct arena *arena;
    struct doc *doc;
};

/* -1: no memory, here and below. */
static int put(const struct making *k, int field, const char *s, size_t len)
{
    struct value v = value_string(s, len);
    return s != NULL && doc_adopt(k->doc, k->arena, k->stage->fields[field], &v) == DOC_NOMEM ? -1 : 0;
}

static int put_slice(const struct making *k, int field, const struct syslog_slice *s)
{
    return put(k, field, s->s, s->len);
}

static int put_word(const struct making *k, int field, const char *word)
{
    return put(k, field, word, strlen(word));
}

/* Put ${v} where the first ${steps} steps of the path lead. */
static int put_at(const struct making *k, uint32_t steps, const struct value *v)
{
    k->stage->param->count = steps;
    return doc_adopt(k->doc, k->arena, k->stage->param, v) == DOC_NOMEM ? -1 : 0;
}

/* The path leads to a name: what stands there already and ${v} become elements of an array. */
static int put_param(const struct making *k, const struct value *v)
{
    struct path *p = k->stage->param;
    struct value old;
    p->count = 3;
    if (!doc_get(k->doc, p, &old))
        return put_at(k, 3, v);
    p->steps[3].index = 0;
    if (old.type != VALUE_ARRAY && put_at(k, 4, &old) != 0)
        return -1;
    p->steps[3].index = old.type == VALUE_ARRAY ? (uint32_t)doc_count(&old) : 1;
    return put_at(k, 4, v);
}

static struct path_step step_of(const struct syslog_slice *name)
{
    return (struct path_step){.key = name->s, .len = (uint32_t)name->len};
}

/* An object of objects. */
static int put_data(const struct making *k, struct syslog_slice data)
{
    struct syslog_param p = {0};
    while (syslog_next(&data, &p)) {
        struct value v = {.type = VALUE_OBJECT}, old;
        k->stage->param->steps[1] = step_of(&p.id);
        k->stage->param->count = 2;
        if (!doc_get(k->doc, k->stage->param, &old) && put_at(k, 2, &v) != 0)
            return -1;
        if (p.name.s == NULL)
            continue;
        v = value_string(p.value.s, p.value.len);
        if (p.escaped) {
            char *text = arena_text(k->arena, p.value.len);
            if (text == NULL)
                return -1;
            v = value_string(text, syslog_unescape(&p.value, text));
        }
        k->stage->param->steps[2] = step_of(&p.name);
        if (put_param(k, &v) != 0)
            return -1;
    }
    return 0;
}

/* The timestamp as it is, if it is RFC 3339; one of RFC 3164 as RFC 3339 in UTC. What is no date is left as it is. */
static int put_time(const struct making *k, const struct syslog_message *m, int64_t now, struct record *r)
{
    struct time_place place = {k->stage->zone, now};
    struct time_found found;
    const struct syslog_slice *s = &m->timestamp;
    if (s->s == NULL)
        return 0;
    const char *why = m->old_time ? time_read(&k->stage->old_time, s->s, s->len, &place, &found)
                                  : time_read_rfc3339(s->s, s->len, &place, &found);
    if (why == NULL)
        r->time = found.time != 0 ? found.time : 1; /* 0 would say that no time was found */
    if (why != NULL || !m->old_time)
        return put_slice(k, TIMESTAMP, s);
    char *text = arena_text(k->arena, CIVIL_TEXT);
    return text == NULL ? -1 : put(k, TIMESTAMP, text, civil_write(found.time, found.digits, text));
}

static int put_all(const struct making *k, const struct syslog_message *m, int64_t now, struct record *r)
{
    bool ok = true;
    if (m->priority >= 0)
        ok = put_word(k, FACILITY, syslog_facility(m->priority / 8)) == 0 && put_word(k, SEVERITY, syslog_severity(m->priority % 8)) == 0;
    ok = ok && put_time(k, m, now, r) == 0 && put_slice(k, HOSTNAME, &m->hostname) == 0 && put_slice(k, APPNAME, &m->appname) == 0 &&
         put_slice(k, PROCID, &m->procid) == 0 && put_slice(k, MSGID, &m->msgid) == 0;
    return ok && put_data(k, m->data) == 0 && put_slice(k, MESSAGE, &m->message) == 0 ? 0 : -1;
}

static enum each_verdict parse(void *self, const void *settings, struct batch *b, struct record *r, struct each_why *why)
{
    const struct syslog_settings *set = settings;
    struct syslog_message m;
    struct value text;
    const char *what = "is not a string";
    int result = record_text(b, r, set->field, &text);
    if (result == DOC_NOMEM)
        return EACH_NOMEM;
    if (result == DOC_OK)
        what = syslog_read(text.u.s, text.len, (enum syslog_format)set->format, &m);
    if (what != NULL) {
        why->reason = "not syslog";
        each_explain(why, "%s %s", set->field->text, what);
        return set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
    }
    struct making k = {self, &b->body->arena, doc_new(&b->body->arena)};
    if (k.doc == NULL || put_all(&k, &m, b->body->time, r) != 0 || record_put(b, r, set->target, k.doc) == DOC_NOMEM)
        return EACH_NOMEM;
    return EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {
        .self_size = sizeof(struct syslog_stage), .init = init, .record = parse, .clear = clear};
    return each_open(&ops, env, settings, e);
}

#define DROP "\"on_error\": \"drop\""

static const struct stage_case cases[] = {
    {"", "<34>1 2026-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xEF\xBB\xBF'su root' failed",
     "{\"facility\":\"auth\",\"severity\":\"crit\",\"timestamp\":\"2026-10-11T22:14:15.003Z\",\"hostname\":\"mymachine.example.com\","
     "\"appname\":\"su\",\"msgid\":\"ID47\",\"message\":\"'su root' failed\"}"},
    {"", "<165>1 - - evntslog 8 - [a@1 iut=\"3\" s=\"say \\\"\\]\\\\\\n\"][b@1][c@1 ip=\"1\" ip=\"2\" ip=\"3\"]",
     "{\"facility\":\"local4\",\"severity\":\"notice\",\"appname\":\"evntslog\",\"procid\":\"8\","
     "\"structured_data\":{\"a@1\":{\"iut\":\"3\",\"s\":\"say \\\"]\\\\\\\\n\"},\"b@1\":{},\"c@1\":{\"ip\":[\"1\",\"2\",\"3\"]}}}"},
    {"\"timezone\": \"+01:00\"", "<38>Nov  5 2025 10:00:00 web1 sshd[4242]: Accepted publickey",
     "{\"facility\":\"auth\",\"severity\":\"info\",\"timestamp\":\"2025-11-05T09:00:00Z\",\"hostname\":\"web1\",\"appname\":\"sshd\","
     "\"procid\":\"4242\",\"message\":\"Accepted publickey\"}"},
    {"", "2026-11-05T10:00:00.123456+01:00 web1 kernel: oom", "{\"timestamp\":\"2026-11-05T10:00:00.123456+01:00\",\"hostname\":\"web1\",\"appname\":\"kernel\",\"message\":\"oom\"}"},
    {"", "<13>Nov 31 10:00:00 root: from a local socket", "{\"facility\":\"user\",\"severity\":\"notice\",\"timestamp\":\"Nov 31 10:00:00\",\"appname\":\"root\",\"message\":\"from a local socket\"}"},
    {"", "2026-11-05T10:00:00Z web1 no tag: here", "{\"timestamp\":\"2026-11-05T10:00:00Z\",\"hostname\":\"web1\",\"message\":\"no tag: here\"}"},
    {"", "<0>anything", "{\"facility\":\"kern\",\"severity\":\"emerg\",\"message\":\"anything\"}"},
    {"", "<14>1 2026 is not a header", "{\"facility\":\"user\",\"severity\":\"info\",\"message\":\"1 2026 is not a header\"}"},
    {"", "<14>\xff", "{\"facility\":\"user\",\"severity\":\"info\",\"message\":\"\xef\xbf\xbd\"}"},
    {"\"target\": \".s\", \"field\": \".m\"", "{\"m\":\"<14>\\u0041\"}", "{\"m\":\"<14>\\u0041\",\"s\":{\"facility\":\"user\",\"severity\":\"info\",\"message\":\"A\"}}"},
    {"", "just text", "just text"},
    {DROP, "just text", NULL},
    {DROP, "<192>1 - - - - - -", NULL},
    {DROP, "<1", NULL},
    {DROP ", \"format\": \"rfc5424\"", "<14>1 - - - - - [a b=\"]\"]", NULL},
    {DROP ", \"format\": \"rfc5424\"", "<14>Nov  5 10:00:00 host app: x", NULL},
    {DROP ", \"field\": \".n\"", "{\"n\":[[[1]]]}", NULL},
    {DROP, "{\"n\":1}", NULL},
    {0},
};

const struct stage stage_syslog_parse = {
    .kind = STAGE_TRANSFORM,
    .type = "syslog_parse",
    .summary = "Takes a syslog message apart.",
    .description =
        "Gives facility and severity (words: auth, err), timestamp, hostname, appname, procid, msgid, structured_data and message, as far as "
        "they are there; a - of RFC 5424 is left out, and so is the byte order mark in front of its message. Structured data is an object of objects, its values "
        "without escapes; of a repeated name the values become an array. More than 200 of them are no RFC 5424.\n\n"
        "RFC 3164 is taken as it comes: with or without priority, with a timestamp as Nov  5 10:00:00 (also with a year or a fraction) or "
        "as RFC 3339, with or without host, with or without tag[pid]:. What has a priority is never an error: what cannot be read is the message.\n\n"
        "A timestamp that can be read becomes @time. The field timestamp is RFC 3339: as it was sent, or in UTC where it was sent the old way; then the year is the latest "
        "that puts it no more than a day ahead of when the record was read.",
    .example = "{ \"type\": \"syslog_parse\", \"timezone\": \"UTC\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct syslog_settings),
    .check = check,
    .open = open_stage,
};
