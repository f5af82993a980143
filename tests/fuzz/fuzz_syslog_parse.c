/*
 * Any text as syslog: parts lie in the text, in order; structured data reads to its end; what begins with a priority is never refused.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transform/syslog_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct syslog_message *m, const char *text, size_t len)
{
    const struct syslog_slice *parts[] = {&m->timestamp, &m->hostname, &m->appname, &m->procid, &m->msgid, &m->data, &m->message};
    const char *at = text;
    struct syslog_slice data = m->data;
    struct syslog_param p = {0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i]->s == NULL)
            continue;
        assert(parts[i]->s >= at && parts[i]->s + parts[i]->len <= text + len);
        at = parts[i]->s + parts[i]->len;
    }
    assert(m->priority >= -1 && m->priority <= 191);
    if (m->priority >= 0)
        assert(*syslog_facility(m->priority / 8) != '\0' && *syslog_severity(m->priority % 8) != '\0');
    int count = 0;
    for (; syslog_next(&data, &p); count++) {
        assert(p.id.len > 0 && (p.name.s == NULL || p.name.len > 0));
        char *plain = malloc(p.value.len + 1);
        assert(syslog_unescape(&p.value, plain) <= p.value.len);
        free(plain);
    }
    assert(count <= 200 && (data.s == NULL || data.len <= 1)); /* the last ] is not read over */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct syslog_message m;
    char *text = malloc(size + (size == 0));
    memcpy(text, data, size);
    for (int format = SYSLOG_AUTO; format <= SYSLOG_RFC3164; format++)
        if (syslog_read(text, size, (enum syslog_format)format, &m) == NULL)
            check(&m, text, size);
    if (size >= 4 && memcmp(text, "<14>", 4) == 0)
        assert(syslog_read(text, size, SYSLOG_AUTO, &m) == NULL && syslog_read(text, size, SYSLOG_RFC3164, &m) == NULL);
    free(text);
    return 0;
}
