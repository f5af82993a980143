/* The object "tls" of a configuration: see tls.h. */
#include "config.h"

#include "config/report.h"
#include "net/tls.h"

static const char *const versions[] = {"1.2", "1.3", NULL};

#define AT(field) offsetof(struct tls_settings, field)
#define MIN_VERSION                                                                                \
    {.key = "min_version", .type = OPTION_CHOICE, .offset = AT(min_version), .fallback = "\"1.2\"", \
     .choices = versions, .words = "The oldest version of TLS that is spoken."}
#define KEY_PASSWORD                                                                               \
    {.key = "key_password", .type = OPTION_STRING, .offset = AT(key_password), .min = 1, .secret = true, \
     .words = "The password of an encrypted key_file; best as ${file:/run/secrets/name}."}

const struct option tls_client_options[] = {
    {.key = "ca_file", .type = OPTION_STRING, .offset = AT(ca_file), .min = 1,
     .words = "Certificates (PEM) of the authorities that are trusted, and no others. Default: those of the system."},
    {.key = "verify", .type = OPTION_BOOL, .offset = AT(verify), .fallback = "true",
     .words = "Check the peer's certificate: issuer, dates and name. false: whoever answers is sent to, which is said as a warning at each start."},
    {.key = "server_name", .type = OPTION_STRING, .offset = AT(server_name), .min = 1,
     .words = "The name or IP address that the certificate has to be for, and that is asked for (SNI). Default: the host of the address."},
    {.key = "cert_file", .type = OPTION_STRING, .offset = AT(cert_file), .min = 1,
     .words = "The own certificate (PEM, with intermediate ones behind it), for a peer that asks for one. Read again at a new connection when it has changed."},
    {.key = "key_file", .type = OPTION_STRING, .offset = AT(key_file), .min = 1,
     .words = "The private key (PEM) of cert_file."},
    KEY_PASSWORD,
    MIN_VERSION,
    {0},
};

const struct option tls_server_options[] = {
    {.key = "cert_file", .type = OPTION_STRING, .offset = AT(cert_file), .min = 1, .required = true,
     .words = "The certificate (PEM, with intermediate ones behind it) that peers are shown. Read again at a new connection when it has changed."},
    {.key = "key_file", .type = OPTION_STRING, .offset = AT(key_file), .min = 1, .required = true,
     .words = "The private key (PEM) of cert_file."},
    KEY_PASSWORD,
    {.key = "verify_client", .type = OPTION_BOOL, .offset = AT(verify_client), .fallback = "false",
     .words = "Take only peers that show a certificate of one of the authorities in ca_file."},
    {.key = "ca_file", .type = OPTION_STRING, .offset = AT(ca_file), .min = 1,
     .words = "Certificates (PEM) of the authorities whose peers are taken: for verify_client."},
    MIN_VERSION,
    {0},
};

static void check_client(const struct tls_settings *s, struct config_report *report)
{
    if (!s->verify && s->ca_file != NULL)
        report_key(report, "tls", "ca_file has no effect when verify is false");
    if (!s->verify && s->server_name != NULL)
        report_key(report, "tls", "server_name is not checked when verify is false");
}

static void check_server(const struct tls_settings *s, struct config_report *report)
{
    if (s->verify_client && s->ca_file == NULL)
        report_key(report, "tls", "verify_client needs ca_file: the authorities whose peers are taken");
    if (!s->verify_client && s->ca_file != NULL)
        report_key(report, "tls", "ca_file has no effect without verify_client");
}

void tls_check(enum tls_side side, const struct tls_settings *s, struct config_report *report)
{
    if (!s->on)
        return;
#ifndef HAVE_OPENSSL
    report_key(report, "tls", "TLS is not built in (weir was built without OpenSSL)");
#endif
    if ((s->cert_file == NULL) != (s->key_file == NULL) && side == TLS_CLIENT)
        report_key(report, "tls", "cert_file and key_file are needed both or not at all");
    if (s->key_password != NULL && s->key_file == NULL)
        report_key(report, "tls", "key_password is for a key_file");
    if (side == TLS_CLIENT)
        check_client(s, report);
    else
        check_server(s, report);
}
