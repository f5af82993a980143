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

static void same_outputs(const struct list *a, const struct list *b)
{
    const struct list *y = b->next;
    for (const struct list *x = a->next; x != a; x = x->next, y = y->next) {
        assert(y != b);
        const struct checkpoint_output *p = LIST_ENTRY(x, struct checkpoint_output, node);
        const struct checkpoint_output *q = LIST_ENTRY(y, struct checkpoint_output, node);
        assert(strcmp(p->pipeline, q->pipeline) == 0 && strcmp(p->stage, q->stage) == 0 && strcmp(p->path, q->path) == 0);
        assert(p->dev == q->dev && p->ino == q->ino && p->length == q->length && mark_equal(p->mark, q->mark));
    }
    assert(y == b);
}

struct parsed {
    struct list entries, outputs;
};

static int parse(struct parsed *p, const char *text, size_t len, struct err *e)
{
    list_init(&p->entries);
    list_init(&p->outputs);
    return checkpoint_parse(text, len, &p->entries, &p->outputs, e);
}

static void forget(struct parsed *p)
{
    checkpoint_entries_free(&p->entries);
    checkpoint_outputs_free(&p->outputs);
}

static void print(const struct parsed *p, struct buf *out)
{
    checkpoint_print_begin(out);
    LIST_EACH(node, &p->entries)
        checkpoint_print_entry(LIST_ENTRY(node, struct checkpoint_entry, node), out);
    LIST_EACH(node, &p->outputs)
        checkpoint_print_output(LIST_ENTRY(node, struct checkpoint_output, node), out);
    checkpoint_print_end(out);
}

static void look(const char *text, size_t len)
{
    struct parsed first, second;
    struct err e = {0};
    struct buf out = {0};
    if (parse(&first, text, len, &e) == 0) {
        assert(!err_is(&e));
        print(&first, &out);
        assert(!out.failed);
        assert(parse(&second, out.data, out.len, &e) == 0);
        same(&first.entries, &second.entries);
        same_outputs(&first.outputs, &second.outputs);
        forget(&second);
    } else {
        assert(err_is(&e));
    }
    forget(&first);
    buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look((const char *)data, size);
    /* Few inputs have the right checksum: the body again, with an end that fits. */
    struct buf text = {0};
    size_t count = 0;
    static const char *const headers[] = {"weir-checkpoint 1\n", "weir-checkpoint 2\n", "weir-checkpoint 3\n", "weir-checkpoint 4\n"};
    const char *header = headers[size % 4];
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
