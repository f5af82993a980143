#include "config/dump.h"

#include "base/buf.h"

static int add(const char *text, size_t len, void *arg)
{
    struct buf *out = arg;
    buf_add(out, text, len);
    return out->failed ? -1 : 0;
}

void dump_json(const json_t *value, size_t flags, struct buf *out)
{
    if (value == NULL || json_dump_callback(value, add, out, flags) < 0)
        out->failed = true;
}
