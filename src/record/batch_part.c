/* Parts of batches: see batch.h. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/doc.h"
#include "record/pool.h"
#include "record/render.h"

struct batch *batch_beside(struct batch *from)
{
    struct batch *b = mem_zalloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    chunk_init(&b->chunk, &batch_type, sizeof *b);
    b->body = from->body;
    b->body->refs++;
    return b;
}

struct batch *batch_single(struct batch *from, size_t i)
{
    struct batch *b = batch_beside(from);
    struct record *r = b != NULL ? batch_add(b) : NULL;
    if (r == NULL) {
        struct chunk *c = b != NULL ? &b->chunk : NULL;
        chunk_free(&c);
        return NULL;
    }
    *r = from->records[i];
    if (r->doc != NULL)
        r->flags |= RECORD_SHARED;
    b->bytes = batch_count_text(b);
    batch_weigh(b);
    return b;
}

/* The doc of ${from} in the arena of ${b}, from its text when that says it, else from a rendering. */
static int copy_doc(struct batch *b, struct record *r, const struct record *from)
{
    struct arena *a = &b->body->arena;
    struct buf text = {0};
    render_record(&text, from, RENDER_JSON);
    char *copy = text.failed ? NULL : arena_text(a, text.len);
    if (copy != NULL)
        memcpy(copy, text.data, text.len);
    int rc = copy != NULL ? doc_parse(&r->doc, a, copy, text.len, NULL) : DOC_NOMEM;
    buf_clear(&text);
    return rc == DOC_OK ? 0 : -1;
}

struct batch *batch_apart(const struct batch *from, const struct record *r)
{
    const struct batch_body *body = from->body;
    struct batch *b = batch_new(body->arena.pool, NULL, body->origin);
    if (b == NULL)
        return NULL;
    struct chunk *c = &b->chunk;
    struct record *copy = batch_add(b);
    if (copy == NULL || arena_first(&b->body->arena, r->len + (size_t)1) != 0)
        goto nomem;
    char *text = arena_text(&b->body->arena, r->len + (size_t)1);
    if (text == NULL)
        goto nomem;
    memcpy(text, r->text, r->len);
    text[r->len] = '\n';
    *copy = *r;
    copy->text = text;
    copy->doc = NULL;
    copy->flags = (r->flags & ~(uint32_t)RECORD_SHARED) | RECORD_ENDED;
    if (r->doc != NULL && copy_doc(b, copy, r) != 0)
        goto nomem;
    b->body->base_offset = batch_offset(from, r);
    b->body->time = body->time;
    b->bytes = batch_count_text(b);
    batch_weigh(b);
    return b;
nomem:
    chunk_free(&c);
    return NULL;
}

int batch_cut(const struct batch *b, const char *text, struct ticket_set *set, struct ticket_set *before)
{
    const struct batch_body *body = b->body;
    const struct slab *slab = body->slab;
    struct ticket *t = set->count == 1 ? (set->many != NULL ? set->many[0] : set->one) : NULL;
    if (t == NULL || t->cut == NULL || t->holders != 1 || t->failed || slab == NULL || text <= body->base_text ||
        text > slab->data + slab->size || body->base_text < slab->data || body->places != NULL)
        return 0;
    size_t len = (size_t)(text - body->base_text);
    struct ticket *head = t->cut(t, body->base_offset + len, body->base_text, len);
    if (head == NULL)
        return -1;
    ticket_set_add(before, head); /* the first of a set needs no memory */
    return 1;
}
