#include "transform/redact_rule.h"

#include <string.h>

#include "base/sha256.h"
#include "record/regex.h"

#define HASH_DIGITS 16 /* of 64: enough that no two values of a log are taken for one */

/* ---- finding ------------------------------------------------------------------------------------- */

/* The next match that is not empty. A pattern that is given up hits all that is left: better too much than a secret. */
static bool find_own(struct redact_rule *rule, struct redact_pattern *p, const char *s, size_t len, size_t from)
{
    while (from < len) {
        switch (regex_match_from(p->re, s, len, from)) {
        case REGEX_NO: return false;
        case REGEX_GAVE_UP:
            rule->gave_up = true;
            p->start = from;
            p->end = len;
            return true;
        case REGEX_YES: break;
        }
        if (regex_group(p->re, 0, &p->start, &p->end) && p->end > p->start && p->start >= from)
            return true;
        for (from = p->end > from ? p->end : from + 1; from < len && ((unsigned char)s[from] & 0xC0) == 0x80;)
            from++;
    }
    return false;
}

static void find(struct redact_rule *rule, struct redact_pattern *p, const char *s, size_t len, size_t from)
{
    p->over = p->re != NULL ? !find_own(rule, p, s, len, from) : !sensitive_find(p->kind, s, len, from, &p->start, &p->end);
}

/* The pattern whose match comes first; of several the longest. NULL: there is none. */
static struct redact_pattern *first_hit(struct redact_rule *rule)
{
    struct redact_pattern *first = NULL;
    for (size_t i = 0; i < rule->count; i++) {
        struct redact_pattern *p = &rule->patterns[i];
        if (!p->over && (first == NULL || p->start < first->start || (p->start == first->start && p->end > first->end)))
            first = p;
    }
    return first;
}

bool redact_rule_hits(struct redact_rule *rule, const char *s, size_t len)
{
    for (size_t i = 0; i < rule->count; i++) {
        find(rule, &rule->patterns[i], s, len, 0);
        if (!rule->patterns[i].over)
            return true;
    }
    return false;
}

/* ---- replacing ----------------------------------------------------------------------------------- */

static unsigned char nibble(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* HMAC (RFC 2104) with SHA-256: H(key ^ opad, H(key ^ ipad, text)), in the work buffer. False: no memory. */
static bool hmac(struct redact_rule *rule, const char *s, size_t len, char hex[SHA256_HEX])
{
    struct buf *work = &rule->work;
    unsigned char key[64] = {0};
    char inner[SHA256_HEX];
    size_t key_len = strlen(rule->key);
    if (key_len > sizeof key) {
        sha256_hex(rule->key, key_len, inner);
        for (size_t i = 0; i < SHA256_HEX / 2; i++)
            key[i] = (unsigned char)(nibble(inner[2 * i]) << 4 | nibble(inner[2 * i + 1]));
    } else {
        memcpy(key, rule->key, key_len);
    }
    work->len = 0;
    for (size_t i = 0; i < sizeof key; i++)
        buf_char(work, (char)(key[i] ^ 0x36));
    buf_add(work, s, len);
    if (work->failed)
        return false;
    sha256_hex(work->data, work->len, inner);
    work->len = 0;
    for (size_t i = 0; i < sizeof key; i++)
        buf_char(work, (char)(key[i] ^ 0x5c));
    for (size_t i = 0; i < SHA256_HEX / 2; i++)
        buf_char(work, (char)(nibble(inner[2 * i]) << 4 | nibble(inner[2 * i + 1])));
    if (work->failed)
        return false;
    sha256_hex(work->data, work->len, hex);
    return true;
}

/* The replacement of ${s}, which ${p} has found. */
static void add_replacement(struct redact_rule *rule, const struct redact_pattern *p, const char *s, size_t len, struct buf *out)
{
    char hex[SHA256_HEX];
    for (const char *at = rule->replacement; *at != '\0';) {
        if (strncmp(at, "{name}", 6) == 0) {
            buf_str(out, p->name);
            at += 6;
        } else if (strncmp(at, "{hash}", 6) == 0) {
            if (!hmac(rule, s, len, hex))
                out->failed = true;
            else
                buf_add(out, hex, HASH_DIGITS);
            at += 6;
        } else {
            buf_char(out, *at++);
        }
    }
}

enum redact_result redact_rule_apply(struct redact_rule *rule, const char *s, size_t len, struct buf *out)
{
    struct redact_pattern *p;
    size_t done = 0;
    for (size_t i = 0; i < rule->count; i++)
        find(rule, &rule->patterns[i], s, len, 0);
    out->len = 0;
    if (first_hit(rule) == NULL)
        return REDACT_NOTHING;
    while ((p = first_hit(rule)) != NULL) {
        buf_add(out, s + done, p->start - done);
        add_replacement(rule, p, s + p->start, p->end - p->start, out);
        p->hits++;
        done = p->end;
        for (size_t i = 0; i < rule->count; i++)
            if (!rule->patterns[i].over && rule->patterns[i].start < done)
                find(rule, &rule->patterns[i], s, len, done);
    }
    buf_add(out, s + done, len - done);
    return out->failed || rule->work.failed ? REDACT_NOMEM : REDACT_CHANGED;
}

void redact_rule_clear(struct redact_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++)
        regex_free(&rule->patterns[i].re);
    buf_clear(&rule->work);
}
