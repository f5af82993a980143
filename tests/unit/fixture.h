/*
 * fixture: what the tests of the record module share: batches of one record, values and paths from text.
 */
#ifndef WEIR_TESTS_FIXTURE_H
#define WEIR_TESTS_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/doc.h"
#include "record/path.h"
#include "record/render.h"

/* A batch of one plain record whose text is exactly ${len} bytes of heap, so that a sanitizer sees any byte read past it. */
struct fixture {
    struct batch *batch;
    struct record *r;
    char *text;
};

static inline struct fixture fixture_plain(const char *text, size_t len)
{
    struct fixture f = {.batch = batch_new(NULL, NULL, NULL), .text = malloc(len != 0 ? len : 1)};
    ck_assert_ptr_nonnull(f.batch);
    ck_assert_ptr_nonnull(f.text);
    memcpy(f.text, text, len);
    f.r = batch_add(f.batch);
    ck_assert_ptr_nonnull(f.r);
    f.r->text = f.text;
    f.r->len = (uint32_t)len;
    return f;
}

static inline struct path *fixture_path(const char *text)
{
    struct err e = {0};
    struct path *p = path_new(text, strlen(text), &e);
    ck_assert_msg(p != NULL, "%s: %s", text, e.text);
    return p;
}

/* The same, parsed into the root. */
static inline struct fixture fixture_json(const char *text)
{
    struct fixture f = fixture_plain(text, strlen(text));
    struct path *message = fixture_path(".message");
    ck_assert_msg(record_parse(f.batch, f.r, message, NULL, NULL) == DOC_OK, "%s", text);
    path_free(&message);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    struct chunk *c = &f->batch->chunk;
    chunk_free(&c);
    free(f->text);
}

/* ${v} as JSON, for the caller to free with mem_free. */
static inline char *fixture_render(const struct value *v)
{
    struct buf b = {0};
    render_value(&b, v);
    ck_assert_ptr_nonnull(buf_cstr(&b));
    return b.data;
}

static inline char *fixture_record(const struct record *r, enum render_encoding encoding)
{
    struct buf b = {0};
    render_record(&b, r, encoding);
    ck_assert_ptr_nonnull(buf_cstr(&b));
    return b.data;
}

/* Run the one suite of a test program. */
static inline int fixture_main(Suite *s)
{
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
