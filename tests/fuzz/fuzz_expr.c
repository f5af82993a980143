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

static const char where[] = ".a.b[2].\"c d\"";

static void store(struct batch *b, struct record *r, const struct value *v)
{
    struct err e = {0};
    struct path *p = path_new(where, sizeof where - 1, &e);
    struct value back;
    struct buf out = {0}, copy = {0};
    struct arena a = {0};
    struct jscan j;
    render_value(&copy, v);
    if (record_set(b, r, p, v) == DOC_OK) {
        struct buf again = {0};
        if (!record_get(b, r, p, &back))
            fail("what was set is not there");
        render_value(&again, &back);
        if (again.len != copy.len || memcmp(again.data, copy.data, copy.len) != 0)
            fail("what was set is something else");
        buf_clear(&again);
        render_record(&out, r, RENDER_AUTO);
        struct jscan_fault fault;
        if (jscan_text(&j, &a, out.data, out.len, &fault) != 0 && fault.error != JSCAN_TOO_DEEP)
            fail("a changed record is not JSON");
        if (record_remove(b, r, p) != DOC_OK || record_get(b, r, p, &back))
            fail("what was removed is still there");
    }
    arena_clear(&a);
    buf_clear(&out);
    buf_clear(&copy);
    path_free(&p);
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
    store(b, r, &v);
    if (!value_equal(&v, &v))
        fail("a value that is not itself");
    scratch_clear(&scratch);
    path_free(&message);
    expr_free(&x);
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    return 0;
}
