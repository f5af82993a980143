/*
 * address: "host:port" as the configuration writes it.
 *
 * host is a name or an IPv4 address, or an IPv6 address in brackets; port is 1..65535 in decimal. Only the form
 * is looked at: nothing is resolved.
 */
#ifndef WEIR_CONFIG_ADDRESS_H
#define WEIR_CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
    const char *host; /* inside the text, without brackets; not NUL-terminated */
    size_t host_len;
    uint16_t port;
};

/* Take ${text} apart. False: it is not an address, *${out} is unchanged. */
bool address_parse(const char *text, struct address *out);

#endif
