/* Certificates, keys and trust: see tls.h. */
#include "net/tls_state.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static void stamp_files(const struct tls_settings *s, struct tls_stamp *stamps)
{
    const char *const paths[] = {s->ca_file, s->cert_file, s->key_file};
    memset(stamps, 0, 3 * sizeof *stamps);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        if (paths[i] != NULL && stat(paths[i], &st) == 0)
            stamps[i] = (struct tls_stamp){st.st_ino, (uint64_t)st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
    }
}

/* Set ${e} to what the last call of OpenSSL on the file ${path} of option ${key} failed with. */
static int wrong_file(struct err *e, const char *key, const char *path, const char *wanted)
{
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
        return err_set(e, ERR_INVALID, "key_file \"%s\" does not belong to cert_file", path);
    if (ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ)
        return err_set(e, ERR_INVALID, "key_file \"%s\" is encrypted: key_password is missing", path);
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return err_nomem(e);
    const char *why = ERR_reason_error_string(code);
    return err_set(e, ERR_INVALID, "%s \"%s\" has no %s: %s", key, path, wanted, why != NULL ? why : "unknown reason");
}

/* Can it be read at all? OpenSSL's words for that would be its own. */
static int check_readable(struct err *e, const char *key, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(e, errno, "cannot read %s \"%s\"", key, path);
    close(fd);
    return 0;
}

/* Without this OpenSSL would ask on the terminal. */
static int give_password(char *out, int size, int writing, void *arg)
{
    (void)writing;
    const char *password = arg;
    if (password == NULL || strlen(password) > (size_t)size)
        return -1;
    memcpy(out, password, strlen(password));
    return (int)strlen(password);
}

static int load_own(SSL_CTX *ssl, const struct tls_settings *s, struct err *e)
{
    if (s->cert_file == NULL)
        return 0;
    if (check_readable(e, "cert_file", s->cert_file) != 0 || check_readable(e, "key_file", s->key_file) != 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(ssl, s->cert_file) != 1)
        return wrong_file(e, "cert_file", s->cert_file, "certificate that can be used");
    if (SSL_CTX_use_PrivateKey_file(ssl, s->key_file, SSL_FILETYPE_PEM) != 1)
        return wrong_file(e, "key_file", s->key_file, "private key that can be used");
    return 0;
}

static int load_trust(SSL_CTX *ssl, const struct tls_settings *s, struct err *e)
{
    if (s->ca_file == NULL) {
        SSL_CTX_set_default_verify_paths(ssl);
        return 0;
    }
    if (check_readable(e, "ca_file", s->ca_file) != 0)
        return -1;
    if (SSL_CTX_load_verify_file(ssl, s->ca_file) != 1)
        return wrong_file(e, "ca_file", s->ca_file, "certificate that can be used");
    return 0;
}

/* A server that wants a client certificate has asked for it: remember that, and go on with what is configured. */
static int on_asked(SSL *ssl, void *arg)
{
    (void)arg;
    ((struct tls *)SSL_get_app_data(ssl))->asked = true;
    return 1;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)session;
    ((struct tls *)SSL_get_app_data(ssl))->heard = true;
    return 0;
}

static int set_up_client(SSL_CTX *ssl, const struct tls_settings *s, struct err *e)
{
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_ticket);
    SSL_CTX_set_cert_cb(ssl, on_asked, NULL);
    if (!s->verify)
        return 0;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, tls_reason_verify);
    return load_trust(ssl, s, e);
}

static int set_up_server(SSL_CTX *ssl, const struct tls_settings *s, struct err *e)
{
    static const unsigned char id[] = "weir";
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
    SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (!s->verify_client)
        return 0;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, tls_reason_verify);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(s->ca_file);
    if (names != NULL)
        SSL_CTX_set_client_CA_list(ssl, names); /* which certificate to choose, for peers that have several */
    return load_trust(ssl, s, e);
}

static SSL_CTX *load(enum tls_side side, const struct tls_settings *s, struct err *e)
{
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(side == TLS_CLIENT ? TLS_client_method() : TLS_server_method());
    if (ssl == NULL) {
        err_nomem(e);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ssl, s->min_version == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_passwd_cb(ssl, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, s->key_password);
    int rc = load_own(ssl, s, e);
    if (rc == 0)
        rc = side == TLS_CLIENT ? set_up_client(ssl, s, e) : set_up_server(ssl, s, e);
    ERR_clear_error();
    if (rc == 0)
        return ssl;
    SSL_CTX_free(ssl);
    return NULL;
}

struct tls_context *tls_context_new(enum tls_side side, const struct tls_settings *s, struct err *e)
{
    struct tls_context *c = mem_zalloc(1, sizeof *c);
    if (c == NULL) {
        err_nomem(e);
        return NULL;
    }
    c->side = side;
    c->settings = s;
    c->sink = tls_sink_new();
    if (c->sink == NULL)
        err_nomem(e);
    stamp_files(s, c->stamps); /* before reading: what changes meanwhile is read again */
    if (c->sink != NULL)
        c->ssl = load(side, s, e);
    if (c->ssl == NULL)
        tls_context_free(&c);
    return c;
}

int tls_context_refresh(struct tls_context *c, struct err *e)
{
    struct tls_stamp now[3];
    stamp_files(c->settings, now);
    if (memcmp(now, c->stamps, sizeof now) == 0)
        return 0;
    SSL_CTX *fresh = load(c->side, c->settings, e);
    if (fresh == NULL)
        return -1;
    SSL_CTX_free(c->ssl);
    c->ssl = fresh;
    memcpy(c->stamps, now, sizeof now);
    return 0;
}

void tls_context_free(struct tls_context **c)
{
    struct tls_context *dead = *c;
    *c = NULL;
    if (dead == NULL)
        return;
    SSL_CTX_free(dead->ssl);
    BIO_meth_free(dead->sink);
    mem_free(dead);
}
