#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "rig.h"

static FILE *in_dir(const struct rig *r, const char *name, const char *kind, const char *mode)
{
    char file[100];
    snprintf(file, sizeof file, "%s.%s", name, kind);
    FILE *f = fopen(rig_path(r, file), mode);
    ck_assert_ptr_nonnull(f);
    return f;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void certs_make(const struct rig *r, const char *name, const char *issuer, const char *names, int from, int to)
{
    static long serial;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = key;
    X509 *cert = X509_new(), *ca = cert;
    FILE *f;
    if (issuer != NULL) {
        f = in_dir(r, issuer, "pem", "r");
        ca = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
        f = in_dir(r, issuer, "key", "r");
        signer = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        fclose(f);
    }
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial + getpid());
    X509_gmtime_adj(X509_getm_notBefore(cert), from * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(cert), to * 86400L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(ca));
    X509_set_pubkey(cert, key);
    if (issuer == NULL)
        extend(cert, ca, NID_basic_constraints, "critical,CA:TRUE");
    if (names != NULL)
        extend(cert, ca, NID_subject_alt_name, names);
    ck_assert_int_gt(X509_sign(cert, signer, EVP_sha256()), 0);
    f = in_dir(r, name, "pem", "w");
    ck_assert_int_eq(PEM_write_X509(f, cert), 1);
    fclose(f);
    f = in_dir(r, name, "key", "w");
    ck_assert_int_eq(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    if (issuer != NULL) {
        X509_free(ca);
        EVP_PKEY_free(signer);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}
