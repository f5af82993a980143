#include "transform/sensitive.h"

#include <arpa/inet.h>
#include <string.h>

#include "transform/sensitive_token.h"

const char *const sensitive_names[SENSITIVE_KINDS + 1] = {"email", "ipv4", "ipv6", "card", "bearer", NULL};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_digit(c) || is_letter(c);
}

/* Where byte ${c} is at or behind ${at}; ${len}: nowhere. */
static size_t next(const char *s, size_t len, size_t at, char c)
{
    const char *hit = at < len ? memchr(s + at, c, len - at) : NULL;
    return hit != NULL ? (size_t)(hit - s) : len;
}

/* ---- e-mail -------------------------------------------------------------------------------------- */

#define LOCAL_MAX  64 /* RFC 5321, 4.5.3.1 */
#define DOMAIN_MAX 255

static bool is_local(const char *s, size_t at)
{
    unsigned char c = (unsigned char)s[at];
    if (c == '\'') /* O'Brien, but not what stands in quotes */
        return at > 0 && is_word(s[at - 1]);
    return is_word(s[at]) || c >= 0x80 || c == '.' || c == '_' || c == '-' || c == '+' || c == '%';
}

static size_t local_start(const char *s, size_t from, size_t at)
{
    size_t start = at;
    while (start > from && at - start < LOCAL_MAX && is_local(s, start - 1))
        start--;
    while (start < at && (s[start] == '.' || s[start] == '\'' || ((unsigned char)s[start] & 0xC0) == 0x80))
        start++; /* not in the middle of a character */
    return start;
}

/* The end of labels with a dot in between, the last of two letters at least; ${at} when there are none. */
static size_t domain_end(const char *s, size_t len, size_t at)
{
    size_t end = at, good = at, last = len - at < DOMAIN_MAX ? len : at + DOMAIN_MAX;
    for (bool first = true;; first = false) {
        size_t label = end;
        while (end < last && (is_word(s[end]) || s[end] == '-' || (unsigned char)s[end] >= 0x80))
            end++;
        if (end == label)
            break;
        if (!first && end - label >= 2 && !is_digit(s[label]))
            good = end;
        if (end == last || s[end] != '.')
            break;
        end++;
    }
    while (good > at && s[good - 1] == '-')
        good--;
    return good;
}

static bool find_email(const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    for (size_t at = next(s, len, from, '@'); at < len; at = next(s, len, at + 1, '@')) {
        *start = local_start(s, from, at);
        *end = domain_end(s, len, at + 1);
        if (*start < at && *end > at + 1)
            return true;
    }
    return false;
}

/* ---- IP addresses -------------------------------------------------------------------------------- */

/* The end of a number to 255 at ${at}; ${at} when there is none. */
static size_t octet_end(const char *s, size_t len, size_t at)
{
    size_t end = at;
    int n = 0;
    for (; end < len && end - at < 3 && is_digit(s[end]); end++)
        n = n * 10 + (s[end] - '0');
    return n <= 255 && (end == len || !is_digit(s[end])) ? end : at;
}

/* The end of a.b.c.d at ${at}; ${at} when there is none. */
static size_t ipv4_end(const char *s, size_t len, size_t at)
{
    size_t end = at;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (end == len || s[end++] != '.'))
            return at;
        size_t octet = octet_end(s, len, end);
        if (octet == end)
            return at;
        end = octet;
    }
    bool more = end < len && (is_word(s[end]) || (s[end] == '.' && end + 1 < len && is_digit(s[end + 1])));
    return more ? at : end;
}

static bool find_ipv4(const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    for (size_t dot = next(s, len, from, '.'); dot < len; dot = next(s, len, dot + 1, '.')) {
        size_t at = dot;
        while (at > from && dot - at < 3 && is_digit(s[at - 1]))
            at--;
        bool part = at > 0 && (is_word(s[at - 1]) || (s[at - 1] == '.' && at > 1 && is_digit(s[at - 2])));
        if (at == dot || part)
            continue;
        *start = at;
        *end = ipv4_end(s, len, at);
        if (*end > at)
            return true;
    }
    return false;
}

static bool is_ipv6_sign(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

static bool is_ipv6(const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len < 3 || len >= sizeof text)
        return false;
    memcpy(text, s, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* All eight groups, and behind them a port of two digits or more. */
static size_t without_port(const char *s, size_t at, size_t to)
{
    size_t end = to;
    while (end > at && is_digit(s[end - 1]))
        end--;
    return end + 1 < to && end > at + 1 && s[end - 1] == ':' && s[end - 2] != ':' ? end - 1 : to;
}

/* In the run of signs [${at}, ${to}) punctuation may stand before and behind the address, and a port behind it. */
static bool trim_ipv6(const char *s, size_t at, size_t to, size_t *start, size_t *end)
{
    while (to > at && s[to - 1] == '.')
        to--;
    for (size_t front = 0; front < 2 && at + front < to; front++) {
        if (front == 1 && s[at] != ':')
            break;
        for (size_t back = 0; back < 2; back++) {
            if (back == 1 && s[to - 1] != ':')
                break;
            if (is_ipv6(s + at + front, to - back - at - front)) {
                *start = at + front;
                *end = to - back;
                return true;
            }
        }
    }
    *start = at;
    *end = without_port(s, at, to);
    return *end < to && is_ipv6(s + at, *end - at);
}

/* Behind the single colon that ends the word which goes into the run [${at}, ${to}); ${at}: it is no such word. */
static size_t behind_word(const char *s, size_t at, size_t to)
{
    size_t colon = next(s, to, at, ':');
    return colon + 1 < to && s[colon + 1] != ':' ? colon + 1 : at;
}

static bool find_ipv6(const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    for (size_t colon = next(s, len, from, ':'); colon < len;) {
        size_t at = colon, to = colon;
        while (at > from && is_ipv6_sign(s[at - 1]))
            at--;
        while (to < len && is_ipv6_sign(s[to]))
            to++;
        if (s[at] != ':' && at > 0 && is_word(s[at - 1])) /* "node:2001:db8::1": the word had signs in it */
            at = behind_word(s, at, to);
        bool part = (s[at] != ':' && at > 0 && is_word(s[at - 1])) || (s[to - 1] != ':' && to < len && is_word(s[to]));
        if (!part && trim_ipv6(s, at, to, start, end))
            return true;
        colon = next(s, len, to, ':');
    }
    return false;
}

/* ---- card numbers -------------------------------------------------------------------------------- */

struct card {
    char digits[20];
    int count;
    int groups, sizes[6];
};

/* Groups as they are embossed: fours, or 4-6-4 and 4-6-5. */
static bool grouped_well(const struct card *c)
{
    if (c->groups == 1)
        return true;
    if (c->sizes[0] == 4 && c->sizes[1] == 6)
        return c->groups == 3 && (c->sizes[2] == 4 || c->sizes[2] == 5);
    for (int i = 0; i + 1 < c->groups; i++)
        if (c->sizes[i] != 4)
            return false;
    return c->sizes[c->groups - 1] <= 4;
}

static bool luhn(const struct card *c)
{
    int sum = 0;
    for (int i = 0; i < c->count; i++) {
        int d = c->digits[c->count - 1 - i] - '0';
        if (i % 2 == 1)
            d = d > 4 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    return sum % 10 == 0;
}

static bool is_card(const char *s, size_t len, size_t end, const struct card *c)
{
    bool more = end < len && (is_word(s[end]) || (s[end] == '.' && end + 1 < len && is_digit(s[end + 1])));
    return !more && c->count >= 13 && c->count <= 19 && grouped_well(c) && luhn(c);
}

/* The end of the card number at ${at}, with one kind of separator between its groups, the longest there is; ${at}: there is none. */
static size_t card_end(const char *s, size_t len, size_t at)
{
    struct card c = {0};
    char separator = '\0';
    size_t end = at;
    for (;;) {
        size_t start = at;
        while (at < len && is_digit(s[at]) && c.count < 20)
            c.digits[c.count++] = s[at++];
        c.sizes[c.groups++] = (int)(at - start);
        if (is_card(s, len, at, &c))
            end = at;
        bool more = at + 1 < len && (s[at] == ' ' || s[at] == '-') && (separator == '\0' || s[at] == separator) && is_digit(s[at + 1]);
        if (!more || c.groups == 6 || c.count >= 19 || c.sizes[0] != 4)
            return end;
        separator = s[at++];
    }
}

static bool find_card(const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    for (size_t at = from; at + 13 <= len; at++) {
        if (!is_digit(s[at]))
            continue;
        bool part = at > 0 && (is_word(s[at - 1]) || (s[at - 1] == '.' && at > 1 && is_digit(s[at - 2])));
        if (!part && s[at] >= '2' && s[at] <= '6') {
            *start = at;
            *end = card_end(s, len, at);
            if (*end > at)
                return true;
        }
        while (at + 1 < len && is_digit(s[at + 1]))
            at++;
    }
    return false;
}

bool sensitive_find(enum sensitive_kind kind, const char *s, size_t len, size_t from, size_t *start, size_t *end)
{
    switch (kind) {
    case SENSITIVE_EMAIL: return find_email(s, len, from, start, end);
    case SENSITIVE_IPV4: return find_ipv4(s, len, from, start, end);
    case SENSITIVE_IPV6: return find_ipv6(s, len, from, start, end);
    case SENSITIVE_CARD: return find_card(s, len, from, start, end);
    case SENSITIVE_BEARER: return sensitive_token_find(s, len, from, start, end);
    case SENSITIVE_KINDS: break;
    }
    return false;
}
