/*
 * fuzz_expr: an expression on the first line, a record behind it: compile, evaluate, store, render,
 * look again.
 *
 * Checks what must hold for any input: an error points into the expression; the record that was
 * changed renders as JSON which scans, and says at the path what was put there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "record/doc.h"
#include "record/expr.h"
#include "record/render.h"
#include "record/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
    fprintf(stderr, "fuzz_expr: %s\n", what);
    abort();
}

static void check_error(const struct err *e, size_t len)
{
    unsigned long column = 0;
    if (sscanf(e->text, "column %lu: ", &column) != 1 || column < 1 || column > len + 1)
        fail("an error without its place");
}

static void check_json(const struct record *r)
{
    struct buf out = {0};
    struct arena a = {0};
    struct jscan j;
    struct jscan_fault fault;
    render_record(&out, r, RENDER_JSON);
    if (jscan_text(&j, &a, out.data, out.len, &fault) != 0 && fault.error != JSCAN_TOO_DEEP)
        fail("a changed record is not JSON");
    if (memchr(out.data, '\n', out.len) != NULL)
        fail("a changed record is not one line");
    arena_clear(&a);
    buf_clear(&out);
}

/* Put ${v}, which says ${want}, to ${where} and take it away again. */
static void store(struct batch *b, struct record *r, const char *where, const struct value *v,
                  const struct buf *want)
{
    struct err e = {0};
    struct path *p = path_new(where, strlen(where), &e);
    struct value back;
    struct buf said = {0};
    if (record_set(b, r, p, v) == DOC_OK) {
        if (!record_get(b, r, p, &back))
            fail("what was set is not there");
        render_value(&said, &back);
        if (said.len != want->len || memcmp(said.data, want->data, said.len) != 0)
            fail("what was set is something else");
        buf_clear(&said);
        check_json(r);
        bool keep = want->len % 2 == 1; /* later edits lie on top of this one */
        if (!keep && (record_remove(b, r, p) != DOC_OK || record_get(b, r, p, &back)))
            fail("what was removed is still there");
        check_json(r);
    }
    path_free(&p);
}

/* At several places one after the other, so that edits meet. */
static void store_all(struct batch *b, struct record *r, const struct value *v)
{
    static const char *const where[] = {".copy",   ".a.b[2].\"c d\"", ".a.b", ".a.c",
                                        ".a[0].b", ".message",        ".a"};
    struct buf want = {0};
    struct arena a = {0};
    struct jscan j;
    render_value(&want, v);
    store(b, r, where[0], v, &want);
    /* An edit may take away what ${v} refers to: from here on it is a copy that is stored. */
    if (jscan_text(&j, &a, want.data, want.len, NULL) == 0) {
        struct value copy = value_node(&j, 0);
        for (size_t i = 1; i < sizeof where / sizeof *where; i++)
            store(b, r, where[i], &copy, &want);
    }
    arena_clear(&a);
    buf_clear(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *nl = memchr(text, '\n', size);
    size_t len = nl != NULL ? (size_t)(nl - text) : size;
    struct err e = {0};
    struct expr *x = expr_new(text, len, &e);
    if (x == NULL) {
        check_error(&e, len);
        return 0;
    }
    struct batch *b = batch_new(NULL, NULL, NULL);
    struct record *r = batch_add(b);
    struct scratch scratch = {.limit = 1 << 20};
    struct path *message = path_new(".message", 8, &e);
    r->text = nl != NULL ? nl + 1 : "";
    r->len = nl != NULL ? (uint32_t)(size - len - 1) : 0;
    record_parse(b, r, message, NULL, NULL);
    struct value v = expr_eval(x, b, r, &scratch);
    if (!value_equal(&v, &v))
        fail("a value that is not itself");
    store_all(b, r, &v);
    scratch_clear(&scratch);
    path_free(&message);
    expr_free(&x);
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    return 0;
}
