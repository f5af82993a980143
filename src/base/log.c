#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define SCOPE_MAX 300 /* bytes of a scope that are written */

static struct {
    enum log_level level;
    enum log_format format;
    bool color;
} setup = {LOG_INFO, LOG_TEXT, false};

static const char *const names[] = {"error", "warn", "info", "debug"};
static const char *const colors[] = {"\033[31m", "\033[33m", "\033[32m", "\033[2m"};

void log_setup(enum log_level level, enum log_format format, bool color)
{
    setup.level = level;
    setup.format = format;
    setup.color = color;
}

bool log_wants(enum log_level level)
{
    return level <= setup.level;
}

/* Append ${s} as the inside of a JSON string to ${out} (${size} bytes, ${n} used). What is not UTF-8 (a file name may hold
 * anything) becomes U+FFFD: JSON allows nothing else. */
static size_t json_escape(char *out, size_t n, size_t size, const char *s)
{
    const unsigned char *at = (const unsigned char *)s, *end = at + strlen(s);
    while (at < end && n + 7 < size) {
        size_t skip = 0, len = utf8_char(at, end, &skip);
        if (len == 0) {
            n += (size_t)snprintf(out + n, size - n, "\\ufffd");
            len = skip;
        } else if (*at == '"' || *at == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*at;
        } else if (*at < 0x20) {
            n += (size_t)snprintf(out + n, size - n, "\\u%04x", *at);
        } else {
            memcpy(out + n, at, len);
            n += len;
        }
        at += len;
    }
    return n;
}

/* Control characters (a file name may hold any) must not reach a terminal or forge a line. */
static void text_clean(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

void log_at(enum log_level level, const char *scope, const char *fmt, ...)
{
    if (!log_wants(level))
        return;
    char message[1600], line[4096], stamp[32];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);

    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    int ms = (int)(now.tv_nsec / 1000000);

    size_t n;
    if (setup.format == LOG_JSON) {
        n = (size_t)snprintf(line, sizeof line, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",", stamp, ms,
                             names[level]);
        if (scope != NULL) {
            n += (size_t)snprintf(line + n, sizeof line - n, "\"scope\":\"");
            n = json_escape(line, n, sizeof line / 2, scope);
            n += (size_t)snprintf(line + n, sizeof line - n, "\",");
        }
        n += (size_t)snprintf(line + n, sizeof line - n, "\"message\":\"");
        n = json_escape(line, n, sizeof line - 4, message);
        n += (size_t)snprintf(line + n, sizeof line - n, "\"}\n");
    } else {
        char where[SCOPE_MAX];
        snprintf(where, sizeof where, "%s", scope != NULL ? scope : "");
        text_clean(where);
        text_clean(message);
        n = (size_t)snprintf(line, sizeof line, "%s.%03dZ %s%-5s%s %s%s%s\n", stamp, ms,
                             setup.color ? colors[level] : "", names[level],
                             setup.color ? "\033[0m" : "", where, scope != NULL ? ": " : "", message);
    }
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nobody to tell */
}
