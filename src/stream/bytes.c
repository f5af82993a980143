#include "stream/bytes.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct bytes_body {
    size_t refs;
    char data[];
};

static void bytes_free(struct chunk *c)
{
    struct bytes *b = bytes_of(c);
    if (--b->body->refs == 0)
        mem_free(b->body);
    mem_free(b);
}

static struct chunk *bytes_fork(struct chunk *c)
{
    const struct bytes *from = bytes_of(c);
    struct bytes *b = mem_alloc(sizeof *b);
    if (b == NULL)
        return NULL;
    *b = *from;
    chunk_init(&b->chunk, &bytes_type, from->chunk.weight);
    b->body->refs++;
    return &b->chunk;
}

const struct chunk_type bytes_type = {"bytes", bytes_free, bytes_fork};

struct bytes *bytes_new(const void *data, size_t len)
{
    struct bytes *b = mem_alloc(sizeof *b);
    if (b == NULL)
        goto err0;
    b->body = mem_alloc(sizeof *b->body + len);
    if (b->body == NULL)
        goto err1;
    b->body->refs = 1;
    b->data = b->body->data;
    b->len = len;
    if (data != NULL && len > 0)
        memcpy(b->data, data, len);
    chunk_init(&b->chunk, &bytes_type, len);
    return b;
err1:
    mem_free(b);
err0:
    return NULL;
}

struct bytes *bytes_of(struct chunk *c)
{
    assert(c->type == &bytes_type);
    return LIST_ENTRY(c, struct bytes, chunk);
}
