#include "config/address.h"

#include <arpa/inet.h>
#include <string.h>

/* A name or an IPv4 address: no white space, no control characters, nothing that belongs to a URL.
 */
static bool host_ok(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c <= ' ' || c == 0x7f || strchr("/:[]@?#\"\\", c) != NULL)
            return false;
    }
    return len > 0 && len <= 253;
}

static bool ipv6_ok(const char *host, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char addr[sizeof(struct in6_addr)];
    if (len >= sizeof copy)
        return false;
    memcpy(copy, host, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, addr) == 1;
}

static bool port_parse(const char *text, uint16_t *port)
{
    unsigned n = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    if (n < 1 || n > 65535)
        return false;
    *port = (uint16_t)n;
    return true;
}

bool address_parse(const char *text, struct address *out)
{
    struct address a = {.host = text};
    const char *colon;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL || close[1] != ':')
            return false;
        a.host = text + 1;
        a.host_len = (size_t)(close - a.host);
        colon = close + 1;
        if (!ipv6_ok(a.host, a.host_len))
            return false;
    } else {
        colon = strchr(text, ':');
        if (colon == NULL)
            return false;
        a.host_len = (size_t)(colon - text);
        if (!host_ok(a.host, a.host_len))
            return false;
    }
    if (!port_parse(colon + 1, &a.port))
        return false;
    *out = a;
    return true;
}
