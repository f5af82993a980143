/* expr_regex: constant patterns, by PCRE2 when it is built in. */
#include "config.h"

#include "base/err.h"
#include "record/expr_code.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/* Bytes of stack that the JIT code may use; the first of these from the start, so that matching does not allocate. */
#define JIT_STACK_MIN ((size_t)32 << 10)
#define JIT_STACK_MAX ((size_t)1 << 20)
/* KiB of heap for what the JIT cannot do. */
#define HEAP_LIMIT 4096

struct expr_regex {
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_code *code;
    pcre2_match_context *match;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
};

static void *take(size_t size, void *arg)
{
    (void)arg;
    return mem_alloc(size);
}

static void give(void *p, void *arg)
{
    (void)arg;
    mem_free(p);
}

bool expr_has_regex(void)
{
    return true;
}

void expr_regex_free(struct expr_regex *re)
{
    pcre2_jit_stack_free(re->stack);
    pcre2_match_data_free(re->data);
    pcre2_match_context_free(re->match);
    pcre2_code_free(re->code);
    pcre2_compile_context_free(re->compile);
    pcre2_general_context_free(re->general);
    mem_free(re);
}

static int compile(struct expr_regex *re, const char *pattern, size_t len, size_t column,
                   struct err *e)
{
    int error;
    PCRE2_SIZE offset;
    PCRE2_UCHAR words[200];
    re->general = pcre2_general_context_create(take, give, NULL);
    if (re->general == NULL || (re->compile = pcre2_compile_context_create(re->general)) == NULL)
        return err_nomem(e);
    re->code = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error,
                             &offset, re->compile);
    if (re->code != NULL)
        return 0;
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return err_nomem(e);
    pcre2_get_error_message(error, words, sizeof words);
    return err_set(e, ERR_INVALID, "column %zu: wrong pattern, at its byte %zu: %s", column,
                   (size_t)offset + 1, (const char *)words);
}

static int prepare(struct expr_regex *re, struct err *e)
{
    /* Without JIT (not built in, or refused by the kernel) the pattern is interpreted. */
    int jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    re->match = pcre2_match_context_create(re->general);
    re->data = pcre2_match_data_create(1, re->general);
    if (re->match == NULL || re->data == NULL)
        return err_nomem(e);
    pcre2_set_match_limit(re->match, EXPR_MATCH_LIMIT);
    pcre2_set_heap_limit(re->match, HEAP_LIMIT);
    if (jit != 0)
        return jit == PCRE2_ERROR_NOMEMORY ? err_nomem(e) : 0;
    re->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, re->general);
    if (re->stack == NULL)
        return err_nomem(e);
    pcre2_jit_stack_assign(re->match, NULL, re->stack);
    return 0;
}

struct expr_regex *expr_regex_new(const char *pattern, size_t len, size_t column, struct err *e)
{
    struct expr_regex *re = mem_zalloc(1, sizeof *re);
    if (re == NULL) {
        err_nomem(e);
        return NULL;
    }
    if (compile(re, pattern, len, column, e) != 0 || prepare(re, e) != 0) {
        expr_regex_free(re);
        return NULL;
    }
    return re;
}

int expr_regex_test(struct expr_regex *re, const char *s, size_t len)
{
    int found = pcre2_match(re->code, (PCRE2_SPTR)s, len, 0, 0, re->data, re->match);
    if (found >= 0)
        return 1;
    return found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

#else

bool expr_has_regex(void)
{
    return false;
}

struct expr_regex *expr_regex_new(const char *pattern, size_t len, size_t column, struct err *e)
{
    (void)pattern;
    (void)len;
    err_set(e, ERR_INVALID, "column %zu: patterns are not built in (weir was built without PCRE2)",
            column);
    return NULL;
}

void expr_regex_free(struct expr_regex *re)
{
    (void)re;
}

int expr_regex_test(struct expr_regex *re, const char *s, size_t len)
{
    (void)re;
    (void)s;
    (void)len;
    return -1;
}

#endif
