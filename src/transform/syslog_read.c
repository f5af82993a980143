#include "transform/syslog_read.h"

#include <string.h>

#define PARAMS_MAX 200 /* finding a name takes time for each one before it: a message of many must not hang the agent */
#define TAG_MAX 64 /* RFC 3164 says 32; programs in containers have longer names */

const char *syslog_facility(int facility)
{
    static const char *const names[] = {"kern",   "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",
                                        "uucp",   "cron",   "authpriv", "ftp",  "ntp",    "audit",  "alert",  "clock",
                                        "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
    return names[facility];
}

const char *syslog_severity(int severity)
{
    static const char *const names[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    return names[severity];
}

/* What is left of the text. */
struct reader {
    const char *at, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* "<34>"; 0 to 191. */
static bool take_priority(struct reader *r, int *out)
{
    struct reader p = *r;
    int n = 0;
    const char *start;
    if (!take(&p, '<'))
        return false;
    for (start = p.at; p.at < p.end && is_digit(*p.at) && p.at - start < 3; p.at++)
        n = n * 10 + (*p.at - '0');
    if (p.at == start || n > 191 || !take(&p, '>'))
        return false;
    *r = p;
    *out = n;
    return true;
}

/* What stands before the next blank or the end. */
static struct syslog_slice word(const struct reader *r)
{
    const char *blank = memchr(r->at, ' ', (size_t)(r->end - r->at));
    return (struct syslog_slice){r->at, (size_t)((blank != NULL ? blank : r->end) - r->at)};
}

/* ---- RFC 5424 ------------------------------------------------------------------------------------ */

/* A word and the blank behind it. */
static bool take_header(struct reader *r, struct syslog_slice *out)
{
    *out = word(r);
    if (out->len == 0)
        return false;
    r->at += out->len;
    if (out->len == 1 && *out->s == '-')
        *out = (struct syslog_slice){0};
    return take(r, ' ');
}

/* A name of structured data: printable ASCII but = ] " and the blank. */
static struct syslog_slice take_name(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at > ' ' && *r->at < 127 && *r->at != '=' && *r->at != ']' && *r->at != '"')
        r->at++;
    return (struct syslog_slice){start, (size_t)(r->at - start)};
}

/* ="value", where \" \\ and \] stand for their second sign. */
static bool take_value(struct reader *r, struct syslog_param *p)
{
    if (!take(r, '=') || !take(r, '"'))
        return false;
    const char *start = r->at;
    p->escaped = false;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at == ']')
            return false;
        if (*r->at == '\\' && r->at + 1 < r->end) {
            p->escaped = true;
            r->at++;
        }
    }
    p->value = (struct syslog_slice){start, (size_t)(r->at - start)};
    return take(r, '"');
}

/* One step through the elements: "[id", " name=value" or "]". 1: *${p} is the next parameter or an element without any; 0: the end; -1: wrong. */
static int step(struct reader *r, struct syslog_param *p)
{
    if (p->id.s != NULL && take(r, ']'))
        p->id = (struct syslog_slice){0};
    if (p->id.s == NULL) {
        if (!take(r, '['))
            return 0;
        p->id = take_name(r);
        p->name = p->value = (struct syslog_slice){0};
        if (p->id.len == 0)
            return -1;
        if (r->at < r->end && *r->at == ']')
            return 1;
    }
    if (!take(r, ' '))
        return -1;
    p->name = take_name(r);
    return p->name.len > 0 && take_value(r, p) ? 1 : -1;
}

static bool take_data(struct reader *r, struct syslog_slice *out)
{
    const char *start = r->at;
    struct syslog_param p = {0};
    int rc, count = 0;
    *out = (struct syslog_slice){0};
    if (take(r, '-'))
        return true;
    while ((rc = step(r, &p)) == 1 && count < PARAMS_MAX)
        count++;
    *out = (struct syslog_slice){start, (size_t)(r->at - start)};
    return rc == 0 && out->len > 0;
}

bool syslog_next(struct syslog_slice *data, struct syslog_param *param)
{
    if (data->s == NULL)
        return false;
    struct reader r = {data->s, data->s + data->len};
    if (step(&r, param) != 1)
        return false;
    *data = (struct syslog_slice){r.at, (size_t)(r.end - r.at)};
    return true;
}

size_t syslog_unescape(const struct syslog_slice *value, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < value->len; i++) {
        char c = value->s[i], next = i + 1 < value->len ? value->s[i + 1] : '\0';
        if (c == '\\' && (next == '"' || next == '\\' || next == ']'))
            c = value->s[++i];
        out[n++] = c; /* any other backslash is one (section 6.3.3) */
    }
    return n;
}

static const char *read_new(struct reader r, struct syslog_message *m)
{
    if (!take_priority(&r, &m->priority))
        return "has no priority such as <34>";
    if (!take(&r, '1') || !take(&r, ' '))
        return "is not version 1 of RFC 5424";
    if (!take_header(&r, &m->timestamp) || !take_header(&r, &m->hostname) || !take_header(&r, &m->appname) ||
        !take_header(&r, &m->procid) || !take_header(&r, &m->msgid))
        return "lacks a part of the header";
    if (!take_data(&r, &m->data) || (r.at < r.end && *r.at != ' '))
        return "has wrong structured data, or more than 200 parameters";
    if (take(&r, ' ')) {
        if (r.end - r.at >= 3 && memcmp(r.at, "\xEF\xBB\xBF", 3) == 0)
            r.at += 3;
        m->message = (struct syslog_slice){r.at, (size_t)(r.end - r.at)};
    }
    return NULL;
}

/* ---- RFC 3164 ------------------------------------------------------------------------------------ */

/* Does the text begin like ${shape}: A a letter, 0 a digit, _ a digit or a blank, else itself? */
static bool begins(const struct reader *r, const char *shape)
{
    size_t i = 0, left = (size_t)(r->end - r->at);
    for (; shape[i] != '\0' && i < left; i++) {
        char c = r->at[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool fits = shape[i] == 'A'   ? letter
                    : shape[i] == '0' ? is_digit(c)
                    : shape[i] == '_' ? is_digit(c) || c == ' '
                                      : c == shape[i];
        if (!fits)
            return false;
    }
    return shape[i] == '\0';
}

/* "Nov  5 10:00:00", with a year or a fraction as well, or RFC 3339; with the blank behind it. */
static bool take_time(struct reader *r, struct syslog_message *m)
{
    static const char plain[] = "AAA _0 00:00:00", with_year[] = "AAA _0 0000 00:00:00";
    struct reader p = *r;
    if (begins(&p, "0000-00-00T00:00:00")) {
        m->timestamp = word(&p);
        p.at += m->timestamp.len;
    } else if (begins(&p, plain) || begins(&p, with_year)) {
        m->old_time = true;
        p.at += begins(&p, plain) ? sizeof plain - 1 : sizeof with_year - 1;
        if (begins(&p, ".0"))
            for (p.at++; p.at < p.end && is_digit(*p.at);)
                p.at++;
        m->timestamp = (struct syslog_slice){r->at, (size_t)(p.at - r->at)};
        take(&p, ':'); /* as routers write */
    }
    if (m->timestamp.s == NULL || (p.at < p.end && *p.at != ' ')) {
        m->timestamp = (struct syslog_slice){0};
        return false;
    }
    take(&p, ' ');
    *r = p;
    return true;
}

/* "sshd[123]: ", "kernel:" */
static bool take_tag(struct reader *r, struct syslog_message *m)
{
    struct reader p = *r;
    while (p.at < p.end && p.at - r->at < TAG_MAX && *p.at > ' ' && *p.at < 127 && *p.at != '[' && *p.at != ':')
        p.at++;
    struct syslog_slice name = {r->at, (size_t)(p.at - r->at)}, pid = {0};
    if (take(&p, '[')) {
        pid.s = p.at;
        while (p.at < p.end && *p.at > ' ' && *p.at < 127 && *p.at != ']')
            p.at++;
        pid.len = (size_t)(p.at - pid.s);
        if (pid.len == 0 || !take(&p, ']'))
            return false;
    }
    if (name.len == 0 || !take(&p, ':'))
        return false;
    m->appname = name;
    m->procid = pid;
    take(&p, ' ');
    *r = p;
    return true;
}

/* Is the next word a host? A tag, with which a message on a local socket goes on at once, ends with a colon or has a number in brackets. */
static bool take_host(struct reader *r, struct syslog_message *m)
{
    struct syslog_slice w = word(r);
    if (w.len == 0 || w.len > 255 || w.s[w.len - 1] == ':' || memchr(w.s, '[', w.len) != NULL || w.s + w.len == r->end)
        return false;
    for (size_t i = 0; i < w.len; i++)
        if (w.s[i] <= ' ' || w.s[i] == 127)
            return false;
    m->hostname = w;
    r->at += w.len + 1;
    return true;
}

static const char *read_old(struct reader r, struct syslog_message *m)
{
    bool priority = take_priority(&r, &m->priority);
    if (take_time(&r, m)) {
        take_host(&r, m);
        take_tag(&r, m);
    } else if (!priority) {
        return "has neither a priority such as <34> nor a timestamp";
    }
    m->message = (struct syslog_slice){r.at, (size_t)(r.end - r.at)};
    return NULL;
}

const char *syslog_read(const char *s, size_t len, enum syslog_format format, struct syslog_message *out)
{
    struct reader r = {s, s + len};
    const char *why = NULL;
    *out = (struct syslog_message){.priority = -1};
    if (format != SYSLOG_RFC3164)
        why = read_new(r, out);
    if (format == SYSLOG_RFC3164 || (format == SYSLOG_AUTO && why != NULL)) {
        *out = (struct syslog_message){.priority = -1};
        why = read_old(r, out);
    }
    return why;
}
