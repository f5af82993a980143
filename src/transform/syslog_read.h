/*
 * syslog_read: the parts of a syslog message, as RFC 5424 or RFC 3164 has them.
 *
 * Nothing is copied or allocated: parts are slices of the text. A part that is missing, or `-` in RFC 5424, has s NULL.
 */
#ifndef WEIR_TRANSFORM_SYSLOG_READ_H
#define WEIR_TRANSFORM_SYSLOG_READ_H

#include <stdbool.h>
#include <stddef.h>

enum syslog_format { SYSLOG_AUTO, SYSLOG_RFC5424, SYSLOG_RFC3164 };

struct syslog_slice {
    const char *s;
    size_t len;
};

struct syslog_message {
    int priority;  /* facility * 8 + severity; -1: there is none */
    bool old_time; /* timestamp is as "Nov  5 10:00:00", else as RFC 3339 */
    struct syslog_slice timestamp, hostname, appname, procid, msgid;
    struct syslog_slice data; /* structured data, checked: for syslog_next */
    struct syslog_slice message;
};

/* A name and value of structured data. */
struct syslog_param {
    struct syslog_slice id, name, value; /* value: with its escapes */
    bool escaped;                        /* it has some */
};

/* Take ${s} apart. NULL, or why it is not syslog. RFC 3164 and auto take anything that begins with a priority or a timestamp. */
const char *syslog_read(const char *s, size_t len, enum syslog_format format, struct syslog_message *out);

/* The next parameter of *${data}, which moves on; ${param} is the one before, zeroed at first. An element without parameters gives its id with
 * a name that is NULL. False: there is no more. */
bool syslog_next(struct syslog_slice *data, struct syslog_param *param);

/* ${value} without escapes to ${out}, of as many bytes. Returns the length. */
size_t syslog_unescape(const struct syslog_slice *value, char *out);

/* "auth", "err"; of 0 to 23, and 0 to 7. */
const char *syslog_facility(int facility);
const char *syslog_severity(int severity);

#endif
