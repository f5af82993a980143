#include "transform/sensitive_token.h"

#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 6750's b64token, and what base64 adds. */
static bool is_token(char c)
{
    return is_word(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/' || c == '=';
}

static size_t token_end(const char *s, size_t len, size_t at)
{
    while (at < len && is_token(s[at]))
        at++;
    return at;
}

/* "bearer of bad news" has no token: that is long, or has a digit or a = in it. */
static bool looks_random(const char *s, size_t len)
{
    if (len < 8)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((s[i] >= '0' && s[i] <= '9') || s[i] == '=')
            return true;
    return len >= 20;
}

/* At ${at} a B: "Bearer " or "Basic " with credentials. */
static bool read_scheme(const char *s, size_t len, size_t at, size_t *start, size_t *end)
{
    size_t left = len - at;
    size_t word = left > 7 && strncasecmp(s + at, "bearer ", 7) == 0 ? 7 : left > 6 && strncasecmp(s + at, "basic ", 6) == 0 ? 6 : 0;
    if (word == 0 || (at > 0 && is_word(s[at - 1])))
        return false;
    for (at += word; at < len && s[at] == ' ';)
        at++;
    *start = at;
    *end = token_end(s, len, at);
    return looks_random(s + at, *end - at);
}

/* Does the key that ends at ${at} tell that its value is secret? */
static bool is_secret_key(const char *s, size_t at)
{
    static const char *const keys[] = {"token", "secret", "password", "passwd", "pwd", "api_key", "apikey", "api-key"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t len = strlen(keys[i]);
        if (at >= len && strncasecmp(s + at - len, keys[i], len) == 0)
            return true;
    }
    return false;
}

static bool ends_value(char c)
{
    return c == ' ' || c == '\t' || c == '&' || c == ';' || c == ',' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '\n' || c == '\r';
}

static bool is_at(const char *s, size_t len, size_t at, char c)
{
    return at < len && s[at] == c;
}

/* The end of what begins at ${at} in quotes: ${quote}, or that behind a backslash (a string within a string). What is escaped does not end it. */
static size_t quoted_end(const char *s, size_t len, size_t at, char quote, bool within)
{
    while (at < len && s[at] != quote) {
        if (s[at] == '\\' && within && is_at(s, len, at + 1, quote))
            return at;
        at += s[at] == '\\' && at + 1 < len ? 2 : 1;
    }
    return at < len ? at : len;
}

/* The end of a value without quotes. A backslash stays with what it escapes, unless that is a quote, which ends the value. */
static size_t plain_end(const char *s, size_t len, size_t at)
{
    while (at < len && !ends_value(s[at])) {
        if (s[at] == '\\' && (is_at(s, len, at + 1, '"') || is_at(s, len, at + 1, '\'')))
            break;
        at += s[at] == '\\' && at + 1 < len ? 2 : 1;
    }
    return at < len ? at : len;
}

/* At ${at} a =: token=value, token="value", and with \" inside a JSON string. */
static bool read_assigned(const char *s, size_t len, size_t at, size_t *start, size_t *end)
{
    if (!is_secret_key(s, at))
        return false;
    bool within = is_at(s, len, ++at, '\\') && (is_at(s, len, at + 1, '"') || is_at(s, len, at + 1, '\''));
    at += within;
    bool quoted = is_at(s, len, at, '"') || is_at(s, len, at, '\'');
    *start = at + quoted;
    *end = quoted ? quoted_end(s, len, *start, s[at], within) : plain_end(s, len, *start);
    return *end > *start;
}

/* At ${at} a colon: "token" : "value", as JSON, also inside a JSON string with its \". */
static bool read_member(const char *s, size_t len, size_t at, size_t *start, size_t *end)
{
    size_t name = at;
    while (name > 0 && s[name - 1] == ' ')
        name--;
    if (name < 2 || s[name - 1] != '"')
        return false;
    bool within = s[name - 2] == '\\';
    if (!is_secret_key(s, name - 1 - within))
        return false;
    for (at++; at < len && s[at] == ' ';)
        at++;
    at += within && is_at(s, len, at, '\\');
    if (!is_at(s, len, at, '"'))
        return false;
    *start = at + 1;
    *end = quoted_end(s, len, *start, '"', within);
    return *end > *start;
}

static bool is_jwt_sign(char c)
{
    return is_word(c) || c == '-' || c == '_' || c == '.';
}

/* At ${at} the y of eyJ: a JSON web token begins with {" in base64, and has two dots. It is not looked for within a run of its signs: that would take
 * time for each place in it. */
static bool read_jwt(const char *s, size_t len, size_t from, size_t at, size_t *start, size_t *end)
{
    int dots = 0;
    if (at-- == from || len - at < 10 || memcmp(s + at, "eyJ", 3) != 0 || (at > 0 && is_jwt_sign(s[at - 1])))
        return false;
    *start = *end = at;
    for (; *end < len && is_jwt_sign(s[*end]); ++*end)
        dots += s[*end] == '.';
    return dots >= 2;
}

bool sensitive_token_find(const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    /* One look at each byte: what begins something is rare, the e of eyJ would not be. */
    static const bool begins[256] = {['B'] = true, ['b'] = true, ['='] = true, [':'] = true, ['y'] = true};
    for (size_t at = from; at < len; at++) {
        bool found = false;
        if (!begins[(unsigned char)s[at]])
            continue;
        switch (s[at]) {
        case '=': found = read_assigned(s, len, at, start, end); break;
        case ':': found = read_member(s, len, at, start, end); break;
        case 'y': found = read_jwt(s, len, from, at, start, end); break;
        default: found = read_scheme(s, len, at, start, end); break;
        }
        if (found)
            return true;
    }
    return false;
}
