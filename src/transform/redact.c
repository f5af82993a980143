/* The redact transform: takes secrets and personal data out of texts. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/jscan_string.h"
#include "record/regex.h"
#include "record/render.h"
#include "stage/each.h"
#include "transform/redact_rule.h"

enum { METHOD_REPLACE, METHOD_HASH };

struct redact_settings {
    struct paths fields;
    struct strings patterns;
    struct string_map custom;
    int method;
    char *replacement, *key;
};

struct redact {
    struct redact_rule rule;
    struct buf plain; /* the string at hand without escapes */
    struct buf fresh; /* and what became of it */
    struct buf json;  /* a container being written anew */
};

static const char *const methods[] = {"replace", "hash", NULL};

#define AT(name) offsetof(struct redact_settings, name)
static const struct option options[] = {
    {.key = "fields", .type = OPTION_PATHS, .offset = AT(fields), .fallback = "[]",
     .words = "Where to look: the strings there, and in objects and arrays there. Default: the whole record; a line that nothing has parsed, as it is."},
    {.key = "patterns", .type = OPTION_STRINGS, .offset = AT(patterns), .fallback = "[]",
     .words = "What to look for: email, ipv4, ipv6, card, bearer."},
    {.key = "custom", .type = OPTION_STRING_MAP, .offset = AT(custom), .fallback = "{}",
     .words = "Patterns of your own: a name each, and a PCRE2 pattern. All that it matches is replaced (from \\K on, if it has one)."},
    {.key = "method", .type = OPTION_CHOICE, .offset = AT(method), .fallback = "\"replace\"", .choices = methods,
     .words = "replace: what was found is gone; hash: it becomes a number that depends on it and key, so that equal values can still be told."},
    {.key = "replacement", .type = OPTION_STRING, .offset = AT(replacement),
     .words = "What is put in its place. {name} is the pattern's name, {hash} the hash: the first 16 hexadecimal digits of HMAC-SHA-256. Default: "
              "[REDACTED], with method hash {hash}."},
    {.key = "key", .type = OPTION_STRING, .offset = AT(key), .min = 1, .secret = true,
     .words = "For method hash: the secret without which nobody can try values out. From a file: ${file:/run/secrets/redact-key}."},
    {0},
};

/* ---- configuration ------------------------------------------------------------------------------- */

static int find_kind(const char *name)
{
    for (int i = 0; i < SENSITIVE_KINDS; i++)
        if (strcmp(name, sensitive_names[i]) == 0)
            return i;
    return -1;
}

static void check_patterns(const struct redact_settings *set, struct config_report *report)
{
    for (size_t i = 0; i < set->patterns.count; i++) {
        const char *name = set->patterns.items[i];
        if (name != NULL && find_kind(name) < 0)
            report_key(report, "patterns", "expected \"email\", \"ipv4\", \"ipv6\", \"card\" or \"bearer\", got \"%.40s\"", name);
        for (size_t k = 0; k < i && name != NULL; k++)
            if (set->patterns.items[k] != NULL && strcmp(name, set->patterns.items[k]) == 0)
                report_key(report, "patterns", "\"%.40s\" is there twice", name);
    }
    if (set->patterns.count + set->custom.count == 0)
        report_key(report, "", "nothing to look for: expected \"patterns\", \"custom\" or both");
    if (set->patterns.count + set->custom.count > REDACT_PATTERNS)
        report_key(report, "", "more than %d patterns", REDACT_PATTERNS);
}

static void check_custom(const struct redact_settings *set, struct config_report *report)
{
    for (size_t i = 0; i < set->custom.count; i++) {
        const struct string_entry *c = &set->custom.items[i];
        struct err e = {0};
        if (c->value == NULL)
            continue;
        if (c->key[0] == '\0' || find_kind(c->key) >= 0 || strpbrk(c->key, "{}\n") != NULL || strlen(c->key) > 40)
            report_key(report, "custom", "\"%.40s\": expected a name of its own, of at most 40 bytes", c->key);
        struct regex *re = regex_new(c->value, strlen(c->value), &e);
        if (e.code == ERR_NOMEM)
            report->failed = true;
        else if (re == NULL)
            report_key(report, "custom", "%.40s: %s", c->key, e.text);
        regex_free(&re);
    }
}

static void check_method(const struct redact_settings *set, struct config_report *report)
{
    const char *r = set->replacement;
    bool hash = set->method == METHOD_HASH;
    for (const char *p = r; p != NULL && *p != '\0'; p++)
        if ((unsigned char)*p < ' ') {
            report_key(report, "replacement", "expected no control characters");
            break;
        }
    if (r != NULL && hash != (strstr(r, "{hash}") != NULL))
        report_key(report, "replacement", hash ? "expected {hash} in it, as method is hash" : "{hash} needs \"method\": \"hash\" and \"key\"");
    if (hash && set->key == NULL)
        report_key(report, "key", "required with method hash: without, anybody could try all values out");
    if (!hash && set->key != NULL)
        report_key(report, "key", "only for \"method\": \"hash\"");
}

static void check(const void *settings, struct config_report *report)
{
    const struct redact_settings *set = settings;
    check_patterns(set, report);
    check_custom(set, report);
    check_method(set, report);
    each_check_paths(&set->fields, report);
}

static void clear(void *self)
{
    struct redact *t = self;
    redact_rule_clear(&t->rule);
    buf_clear(&t->plain);
    buf_clear(&t->fresh);
    buf_clear(&t->json);
}

static int init(void *self, struct stage_env *env, const void *settings, struct err *e)
{
    (void)env;
    struct redact *t = self;
    const struct redact_settings *set = settings;
    struct redact_rule *rule = &t->rule;
    rule->key = set->key;
    rule->replacement = set->replacement != NULL ? set->replacement : set->method == METHOD_HASH ? "{hash}" : "[REDACTED]";
    for (size_t i = 0; i < set->patterns.count; i++)
        rule->patterns[rule->count++] =
            (struct redact_pattern){.name = set->patterns.items[i], .kind = (enum sensitive_kind)find_kind(set->patterns.items[i])};
    for (size_t i = 0; i < set->custom.count; i++) {
        const struct string_entry *c = &set->custom.items[i];
        struct redact_pattern *p = &rule->patterns[rule->count++];
        p->name = c->key;
        p->re = regex_new(c->value, strlen(c->value), e);
        if (p->re == NULL) {
            clear(t);
            return -1;
        }
    }
    return 0;
}

/* ---- values -------------------------------------------------------------------------------------- */

/* The string ${v} without escapes, valid until the next one. False: no memory. */
static bool plain(struct redact *t, const struct value *v, struct value *out)
{
    *out = *v;
    if (!(v->flags & VALUE_ESCAPED))
        return true;
    t->plain.len = 0;
    if (!buf_reserve(&t->plain, v->len))
        return false;
    *out = value_string(t->plain.data, jscan_string_unescape(v->u.s, v->len, t->plain.data));
    return true;
}

/* Does any string in ${v} hold something? As deep as JSON may be. -1: no memory. */
static int hits(struct redact *t, const struct value *v)
{
    struct value text;
    struct doc_walk w;
    int rc = 0;
    if (v->type == VALUE_STRING)
        return plain(t, v, &text) ? redact_rule_hits(&t->rule, text.u.s, text.len) : -1;
    if (v->type != VALUE_ARRAY && v->type != VALUE_OBJECT)
        return 0;
    for (doc_walk_start(&w, v); rc == 0 && doc_walk_next(&w);)
        rc = hits(t, &w.value);
    return rc;
}

static void write_string(struct redact *t, const struct value *v)
{
    struct value text;
    if (!plain(t, v, &text)) {
        t->json.failed = true;
        return;
    }
    switch (redact_rule_apply(&t->rule, text.u.s, text.len, &t->fresh)) {
    case REDACT_NOTHING: render_value(&t->json, v); break;
    case REDACT_CHANGED: render_string(&t->json, t->fresh.data, t->fresh.len); break;
    case REDACT_NOMEM: t->json.failed = true; break;
    }
}

/* ${v} as JSON, its strings redacted. Names stay, also repeated ones, and numbers keep their spelling. */
static void write_value(struct redact *t, const struct value *v)
{
    bool object = v->type == VALUE_OBJECT, any = false;
    struct doc_walk w;
    if (v->type == VALUE_STRING) {
        write_string(t, v);
        return;
    }
    if (!object && v->type != VALUE_ARRAY) {
        render_value(&t->json, v);
        return;
    }
    buf_char(&t->json, object ? '{' : '[');
    for (doc_walk_start(&w, v); doc_walk_next(&w); any = true) {
        if (any)
            buf_char(&t->json, ',');
        if (object) {
            render_value(&t->json, &w.key);
            buf_char(&t->json, ':');
        }
        write_value(t, &w.value);
    }
    buf_char(&t->json, object ? '}' : ']');
}

/* ${b} as a text of the arena. NULL: no memory. */
static const char *keep(struct arena *a, const struct buf *b)
{
    char *text = b->failed || b->len > UINT32_MAX ? NULL : arena_text(a, b->len + 1);
    if (text != NULL && b->len > 0)
        memcpy(text, b->data, b->len);
    return text;
}

/* ${v}, in which something was found, redacted: an object in *${out}, or (when it is none) the only element of one. enum doc_result. */
static int redacted(struct redact *t, struct arena *a, const struct value *v, bool wrap, struct doc **out)
{
    t->json.len = 0;
    if (wrap)
        buf_str(&t->json, "{\"v\":");
    write_value(t, v);
    if (wrap)
        buf_char(&t->json, '}');
    const char *text = keep(a, &t->json);
    return text != NULL ? doc_parse(out, a, text, t->json.len, NULL) : DOC_NOMEM;
}

/* ---- records ------------------------------------------------------------------------------------- */

/* How it went with a record. TOO_DEEP: it was nested, by what other stages put into it, more deeply than can be scanned. */
enum outcome { OUT_OF_MEMORY = -2, TOO_DEEP = -1, NOTHING = 0, FOUND = 1 };

static enum outcome outcome_of(int result)
{
    return result == DOC_OK ? FOUND : result == DOC_NOMEM ? OUT_OF_MEMORY : TOO_DEEP;
}

static enum outcome redact_line(struct redact *t, struct batch *b, struct record *r)
{
    switch (redact_rule_apply(&t->rule, r->text, r->len, &t->fresh)) {
    case REDACT_NOTHING: return NOTHING;
    case REDACT_NOMEM: return OUT_OF_MEMORY;
    case REDACT_CHANGED: break;
    }
    const char *text = keep(&b->body->arena, &t->fresh);
    if (text == NULL)
        return OUT_OF_MEMORY;
    r->text = text; /* it stays a line: nothing made it an object */
    r->len = (uint32_t)t->fresh.len;
    r->flags &= ~(uint32_t)RECORD_ENDED;
    return FOUND;
}

static enum outcome redact_root(struct redact *t, struct batch *b, struct record *r)
{
    struct value root = doc_root(r->doc);
    struct doc *doc;
    int found = hits(t, &root);
    if (found <= 0)
        return found < 0 ? OUT_OF_MEMORY : NOTHING;
    int result = redacted(t, &b->body->arena, &root, false, &doc);
    return outcome_of(result == DOC_OK ? record_put(b, r, NULL, doc) : result);
}

static enum outcome redact_field(struct redact *t, struct batch *b, struct record *r, const struct path *p)
{
    struct value v, inside;
    struct doc *doc;
    int found = record_get(b, r, p, &v) ? hits(t, &v) : 0;
    if (found <= 0)
        return found < 0 ? OUT_OF_MEMORY : NOTHING;
    int result = redacted(t, &b->body->arena, &v, true, &doc);
    if (result != DOC_OK)
        return outcome_of(result);
    v = doc_root(doc);
    doc_member(&v, "v", 1, &inside);
    return outcome_of(record_adopt(b, r, p, &inside));
}

static enum outcome redact_fields(struct redact *t, const struct paths *fields, struct batch *b, struct record *r)
{
    enum outcome all = NOTHING;
    for (size_t i = 0; i < fields->count; i++) {
        const struct path *p = fields->items[i];
        bool line = p->message || p->count == 0; /* of a record that nothing has parsed */
        enum outcome one = r->doc == NULL ? (line ? redact_line(t, b, r) : NOTHING)
                           : p->count == 0 ? redact_root(t, b, r)
                                           : redact_field(t, b, r, p);
        if (one < 0)
            return one;
        if (one == FOUND)
            all = FOUND;
    }
    return all;
}

/* "email 2, card 1": what was found, not what it was. */
static void tell(struct redact *t, struct each_why *why)
{
    char text[sizeof why->detail];
    int n = 0;
    for (size_t i = 0; i < t->rule.count; i++) {
        struct redact_pattern *p = &t->rule.patterns[i];
        if (p->hits > 0 && (size_t)n < sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %u", n > 0 ? ", " : "redacted ", p->name, p->hits);
        p->hits = 0;
    }
    each_explain(why, "%s", n > 0 ? text : "");
}

static enum each_verdict redact(void *self, const void *settings, struct batch *b, struct record *r, struct each_why *why)
{
    struct redact *t = self;
    const struct redact_settings *set = settings;
    enum outcome out = set->fields.count > 0 ? redact_fields(t, &set->fields, b, r) : r->doc != NULL ? redact_root(t, b, r) : redact_line(t, b, r);
    bool gave_up = t->rule.gave_up;
    t->rule.gave_up = false;
    if (out == OUT_OF_MEMORY)
        return EACH_NOMEM;
    if (why->wanted)
        tell(t, why);
    if (out == TOO_DEEP) {
        why->reason = "too deep to redact"; /* and must not leave as it is */
        return EACH_ERROR_DROP;
    }
    if (gave_up) {
        why->reason = "pattern given up";
        each_explain(why, "a pattern takes too many steps on this text, which was replaced whole");
        return EACH_ERROR_PASS;
    }
    return out == FOUND ? EACH_PASS_TELL : EACH_PASS;
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    static const struct each_ops ops = {
        .self_size = sizeof(struct redact), .init = init, .record = redact, .clear = clear};
    return each_open(&ops, env, settings, e);
}

#define ALL "\"patterns\": [\"email\", \"ipv4\", \"ipv6\", \"card\", \"bearer\"], \"replacement\": \"<{name}>\""
#define OWN "\"custom\": { \"order\": \"order \\\\K[0-9]+\" }"
#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

static const struct stage_case cases[] = {
    {"\"patterns\": \"email\"", "mail from jo.doe+x@mail.example.com, and O'Brien@example.org.", "mail from [REDACTED], and [REDACTED]."},
    {"\"patterns\": \"ipv4\"", "10.0.0.1:80 v1.2.3.4 1.2.3.4.5 256.1.1.1 (192.168.1.255)", "[REDACTED]:80 v1.2.3.4 1.2.3.4.5 256.1.1.1 ([REDACTED])"},
    {"\"patterns\": \"ipv6\"", "[2001:db8::1]:80 at 10:00:00 fe80::1%eth0: ::ffff:10.0.0.1 std::move", "[[REDACTED]]:80 at 10:00:00 [REDACTED]%eth0: [REDACTED] std::move"},
    {"\"patterns\": \"card\"", "4111 1111 1111 1111, 4111111111111112, 5500-0000-0000-0004, 1500000000000", "[REDACTED], 4111111111111112, [REDACTED], 1500000000000"},
    {"\"patterns\": \"bearer\"", "Authorization: Bearer abc123def456 bearer of news ?access_token=x&b=1 " JWT,
     "Authorization: Bearer [REDACTED] bearer of news ?access_token=[REDACTED]&b=1 [REDACTED]"},
    {"\"patterns\": \"bearer\"", "raw {\"password\": \"a \\\" b\", \"n\":1}", "raw {\"password\": \"[REDACTED]\", \"n\":1}"},
    {ALL, "{\"a\":1.0,\"u\":\"x@y.zz\",\"l\":[\"\\u0031.2.3.4\",{\"c\":\"\\u00e9 4111111111111111\\n\"}]}",
     "{\"a\":1.0,\"u\":\"<email>\",\"l\":[\"<ipv4>\",{\"c\":\"\xc3\xa9 <card>\\n\"}]}"},
    {ALL, "{ \"a\" : \"\\u0041\", \"x@y.zz\" : 4111111111111111 }", "{ \"a\" : \"\\u0041\", \"x@y.zz\" : 4111111111111111 }"},
    {"\"patterns\": \"email\", \"fields\": [\".u\", \".none\"]", "{\"u\":{\"m\":\"x@y.zz\"},\"v\":\"x@y.zz\"}", "{\"u\":{\"m\":\"[REDACTED]\"},\"v\":\"x@y.zz\"}"},
    {"\"patterns\": \"email\", \"fields\": \".message\"", "by x@y.zz", "by [REDACTED]"},
    {"\"patterns\": \"email\", \"fields\": \".\"", "by x@y.zz", "by [REDACTED]"},
    {"\"patterns\": \"email\", \"fields\": \".u\"", "by x@y.zz", "by x@y.zz"},
    {"\"patterns\": [\"email\"], \"method\": \"hash\", \"key\": \"k\"", "a@b.cc x@y.zz a@b.cc", "e3bd37338c89514d c6c308df8db62c11 e3bd37338c89514d"},
    {OWN, "order 12 of order x, order 7", "order [REDACTED] of order x, order [REDACTED]"},
    {ALL, "{\"u\":\"x@y.zz\",\"u\":\"none\"}", "{\"u\":\"<email>\",\"u\":\"none\"}"},
    {ALL, "\xff x@y.zz \xff@", "\xff <email> \xff@"},
    {ALL, "@ : . = b e", "@ : . = b e"},
    {0},
};

const struct stage stage_redact = {
    .kind = STAGE_TRANSFORM,
    .type = "redact",
    .summary = "Takes secrets and personal data out of texts.",
    .description =
        "email: local@domain.tld. ipv4: four numbers to 255 that are no part of a longer row, so that most versions are left alone. ipv6: as RFC 4291 writes "
        "it. card: 13 to 19 digits from 2 to 6 on, in one or in groups as on a card, whose check digit (Luhn) is right: of other "
        "numbers so long every tenth is, too. bearer: the credentials behind Bearer or Basic, the value behind =, or in JSON behind \": \", of a key that ends in "
        "token, secret, password, passwd, pwd or api_key, and JSON web tokens. Names are looked at in lines alone: of a parsed record, take such members away with remove.\n\n"
        "Strings are looked at without their escapes, each by itself; of what overlaps the first, and longest, counts. Names of members and numbers are not looked at: set or remove "
        "what a field as a whole should not say. A record without anything stays as it is, byte for byte; a line that nothing has parsed stays a line. With fields, of a "
        "repeated name the last counts. "
        "A pattern of your own that takes too many steps on a text has all that is left of it replaced, and counts as an error. dry-run tells which patterns were found. A record that other stages made more than 512 levels deep cannot be written anew, and is dropped.",
    .example = "{ \"type\": \"redact\", \"patterns\": [\"email\", \"card\"], \"custom\": { \"ssn\": \"\\\\b[0-9]{3}-[0-9]{2}-[0-9]{4}\\\\b\" }, \"replacement\": \"[{name}]\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct redact_settings),
    .check = check,
    .open = open_stage,
};
