#include "config/substitute.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/text.h"

#define FILE_MAX ((size_t)64 << 10)

static size_t name_length(const char *s)
{
    size_t n = 0;
    while ((s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= 'a' && s[n] <= 'z') || s[n] == '_' ||
           (n > 0 && s[n] >= '0' && s[n] <= '9'))
        n++;
    return n;
}

static bool names_secret(const char *name)
{
    static const char *const marks[] = {"pass", "secret", "token", "key", "credential"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strcasestr(name, marks[i]) != NULL)
            return true;
    }
    return false;
}

/* Append ${value} if it may stand in a configuration. */
static int add(struct buf *out, const char *value, size_t len, const char *from, struct err *e)
{
    if (memchr(value, '\0', len) != NULL || !text_valid(value, len))
        return err_set(e, ERR_INVALID, "%s does not hold UTF-8 text", from);
    buf_add(out, value, len);
    return 0;
}

/* Read up to ${cap} bytes of ${path} into ${data}. -1 with errno. */
static ssize_t slurp(const char *path, char *data, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    size_t len = 0;
    ssize_t n;
    do {
        n = read(fd, data + len, cap - len);
        if (n > 0)
            len += (size_t)n;
    } while ((n > 0 && len < cap) || (n < 0 && errno == EINTR));
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : (ssize_t)len;
}

static int add_file(struct buf *out, const char *path, struct err *e)
{
    char *data = mem_alloc(FILE_MAX + 1);
    if (data == NULL)
        return err_nomem(e);
    int rc = 0;
    ssize_t len = slurp(path, data, FILE_MAX + 1);
    if (len < 0) {
        rc = err_sys(e, errno, "cannot read \"%s\"", path);
    } else if ((size_t)len > FILE_MAX) {
        rc = err_set(e, ERR_INVALID, "\"%s\" is larger than 64 KiB", path);
    } else {
        if (len > 0 && data[len - 1] == '\n')
            len--;
        rc = add(out, data, (size_t)len, path, e);
    }
    mem_free(data);
    return rc;
}

static int add_variable(struct buf *out, char *text, struct substituted *what, struct err *e)
{
    size_t n = name_length(text);
    const char *fallback = NULL;
    if (strncmp(text + n, ":-", 2) == 0)
        fallback = text + n + 2;
    else if (text[n] != '\0')
        n = 0;
    if (n == 0)
        return err_set(e, ERR_INVALID,
                       "expected ${NAME}, ${NAME:-default} or ${file:/path}, got \"${%.60s}\"",
                       text);
    if (fallback != NULL && strstr(fallback, "${") != NULL)
        return err_set(e, ERR_INVALID, "a default cannot hold another \"${\"");
    text[n] = '\0';
    if (names_secret(text))
        what->secret = true;
    const char *value = getenv(text);
    if (fallback != NULL && (value == NULL || value[0] == '\0'))
        value = fallback;
    if (value == NULL)
        return err_set(
            e, ERR_INVALID,
            "the environment variable %.60s is not set (\"${%.60s:-default}\" gives it a default)",
            text, text);
    return add(out, value, strlen(value), text, e);
}

/* Replace the reference whose inside is ${text} of ${len} bytes. */
static int replace(const char *text, size_t len, struct buf *out, struct substituted *what,
                   struct err *e)
{
    char *copy = mem_strndup(text, len);
    if (copy == NULL)
        return err_nomem(e);
    int rc;
    if (strncmp(copy, "file:", 5) == 0) {
        what->secret = true;
        rc = add_file(out, copy + 5, e);
    } else {
        rc = add_variable(out, copy, what, e);
    }
    mem_free(copy);
    return rc;
}

int substitute(const char *text, size_t len, struct buf *out, struct substituted *what,
               size_t *where, struct err *e)
{
    const char *end = text + len, *done = text, *p = text;
    while ((p = memmem(p, (size_t)(end - p), "${", 2)) != NULL) {
        what->any = true;
        if (p > done && p[-1] == '$') { /* "$${": leave one dollar out */
            buf_add(out, done, (size_t)(p - done));
            done = ++p;
            continue;
        }
        buf_add(out, done, (size_t)(p - done));
        *where = (size_t)(p - text);
        const char *close = memchr(p, '}', (size_t)(end - p));
        if (close == NULL)
            return err_set(e, ERR_INVALID, "\"${\" without \"}\" (\"$${\" is a literal \"${\")");
        if (replace(p + 2, (size_t)(close - p) - 2, out, what, e) < 0)
            return -1;
        done = p = close + 1;
    }
    buf_add(out, done, (size_t)(end - done));
    return 0;
}
