/* Why TLS failed, in the words of the person who has to mend it: see tls_state.h. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "net/tls_state.h"

/* ---- certificates -------------------------------------------------------------------------------- */

static void add_name(struct buf *out, const char *name, size_t len)
{
    if (out->len > 300) { /* the rest would not be shown anyway */
        if (out->data[out->len - 1] != '.')
            buf_str(out, ", ...");
        return;
    }
    buf_str(out, out->len > 0 ? ", \"" : "\"");
    for (size_t i = 0; i < len; i++) /* the peer wrote it: nothing that a terminal obeys */
        buf_char(out, name[i] >= ' ' && name[i] <= '~' && name[i] != '"' ? name[i] : '?');
    buf_char(out, '"');
}

static void add_common_name(struct buf *out, const X509_NAME *name)
{
    char text[200];
    int len = X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, text, sizeof text);
    if (len > 0)
        add_name(out, text, (size_t)len);
}

static void add_subject(struct buf *out, X509 *cert)
{
    struct buf name = {0};
    add_common_name(&name, X509_get_subject_name(cert));
    buf_add(out, name.data, name.len);
    buf_clear(&name);
}

/* The names that ${cert} is for, quoted, with commas between. */
static void add_names(struct buf *out, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        char ip[INET6_ADDRSTRLEN];
        if (n->type == GEN_DNS) {
            add_name(out, (const char *)ASN1_STRING_get0_data(n->d.dNSName), (size_t)ASN1_STRING_length(n->d.dNSName));
        } else if (n->type == GEN_IPADD) {
            int family = ASN1_STRING_length(n->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            if (ASN1_STRING_length(n->d.iPAddress) == (family == AF_INET ? 4 : 16) &&
                inet_ntop(family, ASN1_STRING_get0_data(n->d.iPAddress), ip, sizeof ip) != NULL)
                add_name(out, ip, strlen(ip));
        }
    }
    GENERAL_NAMES_free(names);
    if (out->len == 0)
        add_common_name(out, X509_get_subject_name(cert));
}

static void add_date(struct buf *out, const ASN1_TIME *when)
{
    struct tm tm;
    char text[40];
    if (when == NULL || ASN1_TIME_to_tm(when, &tm) != 1)
        buf_str(out, "an unknown date");
    else if (strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
        buf_str(out, text);
}

static void explain_name(struct buf *out, X509 *cert, const struct tls *t)
{
    struct buf names = {0};
    add_names(&names, cert);
    buf_str(out, "certificate is for ");
    if (names.len > 0)
        buf_add(out, names.data, names.len);
    else
        buf_str(out, "no name at all");
    buf_fmt(out, ", not for \"%s\"", t->name != NULL ? t->name : "");
    buf_clear(&names);
}

static void explain_trust(struct buf *out, int code, X509 *cert, const struct tls *t)
{
    const char *ca = t->context->settings->ca_file;
    struct buf issuer = {0};
    buf_fmt(out, "certificate is not trusted: %s", X509_verify_cert_error_string(code));
    if (cert != NULL)
        add_common_name(&issuer, X509_get_issuer_name(cert));
    buf_str(out, " (");
    if (issuer.len > 0) {
        buf_str(out, "issued by ");
        buf_add(out, issuer.data, issuer.len);
        buf_str(out, "; ");
    }
    if (ca != NULL)
        buf_fmt(out, "ca_file \"%s\")", ca);
    else
        buf_str(out, "looked up in the system's store; no ca_file)");
    buf_clear(&issuer);
}

static void explain(struct buf *out, int code, int depth, X509 *cert, const struct tls *t)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        if (depth > 0) {
            buf_str(out, "the issuer's certificate ");
            add_subject(out, cert);
        } else {
            buf_str(out, "certificate");
        }
        buf_str(out, code == X509_V_ERR_CERT_HAS_EXPIRED ? " expired on " : " is not valid before ");
        add_date(out, code == X509_V_ERR_CERT_HAS_EXPIRED ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: explain_name(out, cert, t); break;
    default: explain_trust(out, code, cert, t);
    }
}

int tls_reason_verify(int ok, X509_STORE_CTX *store)
{
    if (ok)
        return 1;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    struct buf out = {0};
    if (t->context->side == TLS_SERVER)
        buf_str(&out, "the peer's ");
    if (cert != NULL)
        explain(&out, X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store), cert, t);
    else
        explain_trust(&out, X509_STORE_CTX_get_error(store), NULL, t);
    err_set(&t->err, ERR_INVALID, "%s", out.failed ? "certificate refused" : buf_cstr(&out));
    buf_clear(&out);
    return 0;
}

/* ---- the handshake, and alerts --------------------------------------------------------------------- */

static const struct {
    int reason;
    const char *client, *server; /* words by who says them */
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS", "the peer does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "the peer does not speak TLS, but HTTP", "the peer does not speak TLS, but HTTP"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the peer does not speak TLS", "the peer does not speak TLS"},
    {SSL_R_BAD_RECORD_TYPE, "the peer does not speak TLS", "the peer does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer speaks only versions of TLS older than min_version",
     "the peer speaks only versions of TLS older than min_version"},
    {SSL_R_VERSION_TOO_LOW, "the peer speaks only versions of TLS older than min_version",
     "the peer speaks only versions of TLS older than min_version"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer speaks no version of TLS from min_version on",
     "the peer does not accept the versions of TLS from min_version on"},
    {SSL_R_NO_SHARED_CIPHER, "no cipher in common with the peer", "no cipher in common with the peer"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer has no certificate", "the peer shows no certificate (verify_client)"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the peer requires a client certificate: cert_file and key_file are needed",
     "the peer requires a certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not trust the issuer of our certificate (cert_file)",
     "the peer does not trust the issuer of our certificate (cert_file)"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refuses our certificate (cert_file)", "the peer refuses our certificate (cert_file)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer refuses our certificate (cert_file)",
     "the peer refuses our certificate (cert_file)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired, says the peer (cert_file)",
     "our certificate has expired, says the peer (cert_file)"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "our certificate is revoked, says the peer (cert_file)",
     "our certificate is revoked, says the peer (cert_file)"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "our certificate is of a kind the peer does not take (cert_file)",
     "our certificate is of a kind the peer does not take (cert_file)"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the peer denies us access", "the peer denies us access"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer does not know the name it was asked for (server_name)", "the peer does not know our name"},
};

/* ${code}, the first of OpenSSL's queue that says anything, in words. */
static void set_reason(struct tls *t, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    bool client = t->context->side == TLS_CLIENT;
    if (reason == ERR_R_MALLOC_FAILURE) {
        err_nomem(&t->err);
        return;
    }
    if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE) {
        err_set(&t->err, ERR_INVALID, "the peer refuses the handshake: %s",
                t->asked && t->context->settings->cert_file == NULL
                    ? "it requires a client certificate: cert_file and key_file are needed"
                    : "no cipher or version of TLS in common, or a certificate that it does not take");
        return;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].reason == reason) {
            err_set(&t->err, ERR_INVALID, "%s", client ? reasons[i].client : reasons[i].server);
            return;
        }
    }
    const char *words = ERR_reason_error_string(code);
    err_set(&t->err, ERR_INVALID, "%s failed: %s", t->shaken ? "TLS" : "TLS handshake", words != NULL ? words : "unknown reason");
}

void tls_reason_set(struct tls *t, int ssl_error, int sys)
{
    bool during = !t->shaken;
    unsigned long code = ERR_peek_error();
    if (err_is(&t->err)) /* the check of the certificate has said why */
        return;
    if (ssl_error == SSL_ERROR_ZERO_RETURN || (code == 0 && sys == 0))
        err_set(&t->err, ERR_INVALID, "the peer closed the connection%s", during ? " during the TLS handshake" : "");
    else if (code == 0)
        err_set(&t->err, ERR_SYSTEM, "%s%s", strerror(sys), during ? " during the TLS handshake" : "");
    else
        set_reason(t, code);
}
