#include "record/lines.h"

#include <string.h>

#include "record/batch.h"

static int add(struct batch *b, const char *text, size_t len, bool strip_cr, bool ended)
{
    struct record *r = batch_add(b);
    if (r == NULL)
        return -1;
    r->text = text;
    r->len = (uint32_t)len;
    if (ended)
        r->flags = RECORD_ENDED;
    if (strip_cr && len > 0 && text[len - 1] == '\r') {
        r->len--;
        r->flags = 0;
    }
    return 0;
}

int lines_add(struct batch *b, const char *text, size_t len, size_t longest, bool strip_cr,
              size_t *used, size_t *too_long)
{
    const char *at = text, *end = text + len, *stop;
    *used = *too_long = 0;
    while (at < end && (stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if ((size_t)(stop - at) > longest) {
            *too_long = (size_t)(stop + 1 - at);
            break;
        }
        if (add(b, at, (size_t)(stop - at), strip_cr, true) != 0)
            return -1;
        at = stop + 1;
    }
    *used = (size_t)(at - text);
    b->bytes += *used;
    b->text += *used;
    return 0;
}

int lines_add_rest(struct batch *b, const char *text, size_t len, bool strip_cr)
{
    if (add(b, text, len, strip_cr, false) != 0)
        return -1;
    b->bytes += len;
    b->text += len;
    return 0;
}
