#include "source/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "config/address.h"
#include "config/node.h"
#include "config/report.h"

/* ${text} as a socket address. False: its host is not in figures. */
static bool parse(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
    struct address a;
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)sa;
    memset(sa, 0, sizeof *sa);
    if (!address_parse(text, &a) || a.host_len >= sizeof host)
        return false;
    memcpy(host, a.host, a.host_len);
    host[a.host_len] = '\0';
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(a.port);
        *len = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(a.port);
        *len = sizeof *v6;
    } else {
        return false;
    }
    return true;
}

void listen_check_address(const char *where, const char *key, struct config_report *report)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (!parse(where, &sa, &len))
        report_key(report, key,
                   "expected an address in figures, such as \"127.0.0.1:5140\", \"0.0.0.0:5140\" or \"[::]:5140\", got \"%s\"", where);
}

void listen_check_path(const char *where, const char *key, struct config_report *report)
{
    struct sockaddr_un un;
    if (strlen(where) >= sizeof un.sun_path)
        report_key(report, key, "expected a path of at most %zu bytes: a socket cannot have a longer one",
                   sizeof un.sun_path - 1);
}

void listen_check_unused(const char *const *keys, const char *what, struct config_report *report)
{
    for (; *keys != NULL; keys++)
        if (node_member(report->at, *keys) != NULL)
            report_key(report, *keys, "does not apply to %s", what);
}

void listen_claim(const struct listen_at *at, char *out, size_t size)
{
    static const char *const words[] = {"TCP address", "UDP address", "socket", "socket"};
    if (at->where == NULL)
        return; /* wrong by itself */
    snprintf(out, size, "%s %s", words[at->kind], at->where);
}

/* ---- socket files -------------------------------------------------------------------------------- */

/* Make way at ${path}: remove what is left over from somebody who is gone. */
static int make_way(const struct sockaddr_un *un, int type, struct err *e)
{
    struct stat st;
    if (lstat(un->sun_path, &st) != 0)
        return 0; /* nothing there, or bind says what is wrong */
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_SYSTEM, "cannot listen on %s: there is something that is not a socket", un->sun_path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "cannot listen on %s", un->sun_path);
    int rc = connect(fd, (const struct sockaddr *)(const void *)un, sizeof *un);
    bool gone = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!gone)
        return err_sys(e, EADDRINUSE, "cannot listen on %s", un->sun_path);
    if (unlink(un->sun_path) != 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot remove the old socket %s", un->sun_path);
    return 0;
}

static int open_unix(struct listen *l, int type, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", l->at.where);
    if (make_way(&un, type, e) != 0)
        return -1;
    l->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* bind(2) creates the file with the mode of the socket, less the umask; what the umask took is put back after. */
    if (l->fd < 0 || fchmod(l->fd, l->at.mode) != 0 ||
        bind(l->fd, (const struct sockaddr *)(const void *)&un, sizeof un) != 0 ||
        lstat(un.sun_path, &st) != 0)
        return err_sys(e, errno, "cannot listen on %s", un.sun_path);
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    if (chmod(un.sun_path, l->at.mode) != 0)
        return err_sys(e, errno, "cannot set the permissions of %s", un.sun_path);
    return 0;
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static int open_inet(struct listen *l, int type, struct err *e)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int on = 1, off = 0;
    if (!parse(l->at.where, &sa, &len))
        return err_set(e, ERR_INVALID, "cannot listen on %s: not an address", l->at.where);
    l->fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return err_sys(e, errno, "cannot listen on %s", l->at.where);
    if (sa.ss_family == AF_INET6) /* [::] is everything, also IPv4 */
        setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (type == SOCK_STREAM) /* of UDP it would let two have one address */
        setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(l->fd, (const struct sockaddr *)(const void *)&sa, len) != 0)
        return err_sys(e, errno, "cannot listen on %s", l->at.where);
    return 0;
}

int listen_open(struct listen *l, const struct listen_at *at, struct err *e)
{
    bool local = at->kind == LISTEN_UNIX_STREAM || at->kind == LISTEN_UNIX_DATAGRAM;
    int type = at->kind == LISTEN_TCP || at->kind == LISTEN_UNIX_STREAM ? SOCK_STREAM : SOCK_DGRAM;
    *l = (struct listen){.at = *at, .fd = -1};
    int rc = local ? open_unix(l, type, e) : open_inet(l, type, e);
    if (rc == 0 && type == SOCK_STREAM && listen(l->fd, SOMAXCONN) != 0)
        rc = err_sys(e, errno, "cannot listen on %s", at->where);
    if (rc != 0)
        listen_close(l);
    return rc;
}

void listen_close(struct listen *l)
{
    struct stat st;
    if (l->fd < 0)
        return;
    if (l->ino != 0 && lstat(l->at.where, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->at.where);
    close(l->fd);
    l->fd = -1;
    l->ino = 0;
}

/* ---- names --------------------------------------------------------------------------------------- */

void listen_name(const struct sockaddr_storage *sa, socklen_t len, char out[LISTEN_NAME_MAX])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;
    char host[INET6_ADDRSTRLEN] = "?";
    out[0] = '\0';
    if (len < sizeof(sa_family_t))
        return;
    if (sa->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, LISTEN_NAME_MAX, "%s:%u", host, ntohs(v4->sin_port));
    } else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof host);
        snprintf(out, LISTEN_NAME_MAX, "%s:%u", host, ntohs(v6->sin6_port));
    } else if (sa->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, LISTEN_NAME_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (sa->ss_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
        bool abstract = un->sun_path[0] == '\0';
        size_t most = len - offsetof(struct sockaddr_un, sun_path) - abstract;
        snprintf(out, LISTEN_NAME_MAX, "%s%.*s", abstract ? "@" : "", (int)most, un->sun_path + abstract);
    }
}
