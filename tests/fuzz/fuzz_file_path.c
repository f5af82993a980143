/*
 * A template, a line feed, a record: a template that is taken gives a path below its prefix, whatever the record holds, each component of which is a
 * plain name, as many as there are for another record.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/batch.h"
#include "record/doc.h"
#include "sink/file_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Look at what lies below the prefix; how many components there are. */
static int components(const struct buf *path, size_t below)
{
    int count = 1;
    size_t start = below;
    for (size_t i = below; i <= path->len; i++) {
        if (i < path->len && path->data[i] != '/') {
            assert((unsigned char)path->data[i] >= 0x20 || below == 0);
            continue;
        }
        size_t len = i - start;
        assert(len > 0 && len <= FILE_PATH_NAME);
        assert(len > 2 || memcmp(path->data + start, "..", len) != 0);
        count += i < path->len;
        start = i + 1;
    }
    return count;
}

static void render(struct file_path *p, const char *text, size_t len, struct buf *out)
{
    struct origin *o = origin_new("/a/../b", NULL, "..", "tail", "p");
    struct batch *b = batch_new(NULL, NULL, o);
    struct record *r = batch_add(b);
    r->text = text;
    r->len = (uint32_t)len;
    doc_parse(&r->doc, &b->body->arena, text, len, NULL);
    file_path_render(p, NULL, b, r, 0, out);
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    origin_unref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct buf out = {0}, other = {0};
    const uint8_t *nl = memchr(data, '\n', size);
    if (nl == NULL || memchr(data, '\0', (size_t)(nl - data)) != NULL)
        return 0;
    char *template = strndup((const char *)data, (size_t)(nl - data));
    struct file_path *p = file_path_new(template, 5, &e);
    if (p != NULL && file_path_literal(p) == NULL) {
        size_t below = file_path_below(p);
        render(p, (const char *)nl + 1, size - (size_t)(nl - data) - 1, &out);
        render(p, "{}", 2, &other);
        assert(out.len > below && memcmp(out.data, other.data, below) == 0);
        bool plain = true; /* controls of the template itself are its author's */
        for (const char *t = template; *t != '\0'; t++)
            plain = plain && (unsigned char)*t >= 0x20;
        assert(!plain || components(&out, below) == components(&other, below));
    }
    file_path_free(&p);
    buf_clear(&out);
    buf_clear(&other);
    free(template);
    return 0;
}
