/* Any bytes as a checkpoint: refused, or read; and what was read prints and reads again to the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "delivery/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct list *a, const struct list *b)
{
    const struct list *y = b->next;
    for (const struct list *x = a->next; x != a; x = x->next, y = y->next) {
        assert(y != b);
        const struct checkpoint_entry *p = LIST_ENTRY(x, struct checkpoint_entry, node);
        const struct checkpoint_entry *q = LIST_ENTRY(y, struct checkpoint_entry, node);
        assert(strcmp(p->pipeline, q->pipeline) == 0 && strcmp(p->stage, q->stage) == 0 &&
               strcmp(p->path, q->path) == 0 && strcmp(p->log, q->log) == 0);
        assert(p->state.dev == q->state.dev && p->state.ino == q->state.ino &&
               p->state.offset == q->state.offset && p->state.seen == q->state.seen &&
               p->state.whole == q->state.whole);
        assert(mark_equal(p->state.head, q->state.head) && mark_equal(p->state.mark, q->state.mark));
    }
    assert(y == b);
}

static void look(const char *text, size_t len)
{
    struct list first, second;
    struct err e = {0};
    struct buf out = {0};
    list_init(&first);
    list_init(&second);
    if (checkpoint_parse(text, len, &first, &e) == 0) {
        assert(!err_is(&e));
        checkpoint_print(&first, &out);
        assert(!out.failed);
        assert(checkpoint_parse(out.data, out.len, &second, &e) == 0);
        same(&first, &second);
    } else {
        assert(err_is(&e));
    }
    checkpoint_entries_free(&first);
    checkpoint_entries_free(&second);
    buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look((const char *)data, size);
    /* Few inputs have the right checksum: the body again, with an end that fits. */
    struct buf text = {0};
    size_t count = 0;
    static const char *const headers[] = {"weir-checkpoint 1\n", "weir-checkpoint 2\n", "weir-checkpoint 3\n"};
    const char *header = headers[size % 3];
    buf_str(&text, header);
    buf_add(&text, data, size);
    if (size > 0 && data[size - 1] != '\n')
        buf_char(&text, '\n');
    for (size_t i = strlen(header); i < text.len; i++)
        count += text.data[i] == '\n';
    uint32_t crc = (uint32_t)crc32_z(0, (const unsigned char *)text.data, text.len);
    buf_fmt(&text, "end %zu %x\n", count, crc);
    look(text.data, text.len);
    buf_clear(&text);
    assert(mem_live() == 0);
    return 0;
}
