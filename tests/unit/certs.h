/*
 * certs: certificates for tests of TLS, made on the spot.
 */
#ifndef WEIR_TESTS_CERTS_H
#define WEIR_TESTS_CERTS_H

struct rig;

/* Make DIR/${name}.pem and DIR/${name}.key (P-256). ${issuer}: name of one made before, NULL: self-signed authority. ${names}: alternative
 * names as OpenSSL writes them ("DNS:a,IP:127.0.0.1"), NULL: none. Valid from ${from} to ${to}, in days from now. */
void certs_make(const struct rig *r, const char *name, const char *issuer, const char *names, int from, int to);

#endif
