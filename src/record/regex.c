#include "config.h"

#include "base/err.h"
#include "record/regex.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/* Bytes of stack that the JIT code may use; the first of these from the start, so that matching does not allocate. */
#define JIT_STACK_MIN ((size_t)32 << 10)
#define JIT_STACK_MAX ((size_t)1 << 20)
/* KiB of heap for what the JIT cannot do. */
#define HEAP_LIMIT 4096

struct regex {
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_code *code;
    pcre2_match_context *match;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
    uint32_t groups;
    const char **names; /* of groups 0 to groups; into the code */
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

bool regex_built_in(void)
{
    return true;
}

void regex_free(struct regex **re)
{
    struct regex *dead = *re;
    *re = NULL;
    if (dead == NULL)
        return;
    pcre2_jit_stack_free(dead->stack);
    pcre2_match_data_free(dead->data);
    pcre2_match_context_free(dead->match);
    pcre2_code_free(dead->code);
    pcre2_compile_context_free(dead->compile);
    pcre2_general_context_free(dead->general);
    mem_free(dead->names);
    mem_free(dead);
}

static int compile(struct regex *re, const char *pattern, size_t len, struct err *e)
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
    return err_set(e, ERR_INVALID, "at byte %zu: %s", (size_t)offset + 1, (const char *)words);
}

/* The table of names: entries of a group's number, two bytes high first, and its NUL-terminated name (pcre2_pattern_info(3)). */
static int find_names(struct regex *re, struct err *e)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
    re->names = mem_zalloc(re->groups + (size_t)1, sizeof *re->names);
    if (re->names == NULL)
        return err_nomem(e);
    for (; count > 0; count--, table += size)
        re->names[table[0] << 8 | table[1]] = (const char *)table + 2;
    return 0;
}

static int prepare(struct regex *re, struct err *e)
{
    /* Without JIT (not built in, or refused by the kernel) the pattern is interpreted. */
    int jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    re->match = pcre2_match_context_create(re->general);
    re->data = pcre2_match_data_create(re->groups + 1, re->general);
    if (re->match == NULL || re->data == NULL)
        return err_nomem(e);
    pcre2_set_match_limit(re->match, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(re->match, HEAP_LIMIT);
    if (jit != 0)
        return jit == PCRE2_ERROR_NOMEMORY ? err_nomem(e) : 0;
    re->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, re->general);
    if (re->stack == NULL)
        return err_nomem(e);
    pcre2_jit_stack_assign(re->match, NULL, re->stack);
    return 0;
}

struct regex *regex_new(const char *pattern, size_t len, struct err *e)
{
    struct regex *re = mem_zalloc(1, sizeof *re);
    if (re == NULL) {
        err_nomem(e);
        return NULL;
    }
    if (compile(re, pattern, len, e) != 0 || find_names(re, e) != 0 || prepare(re, e) != 0)
        regex_free(&re);
    return re;
}

enum regex_result regex_match_from(struct regex *re, const char *s, size_t len, size_t from)
{
    int found = pcre2_match(re->code, (PCRE2_SPTR)s, len, from, 0, re->data, re->match);
    if (found >= 0)
        return REGEX_YES;
    return found == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_GAVE_UP;
}

enum regex_result regex_match(struct regex *re, const char *s, size_t len)
{
    return regex_match_from(re, s, len, 0);
}

unsigned regex_groups(const struct regex *re)
{
    return re->groups;
}

const char *regex_name(const struct regex *re, unsigned i)
{
    return re->names[i];
}

bool regex_group(const struct regex *re, unsigned i, size_t *start, size_t *end)
{
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(re->data);
    *start = places[2 * i];
    *end = places[2 * i + 1];
    return *start != PCRE2_UNSET && *end >= *start;
}

#else

bool regex_built_in(void)
{
    return false;
}

struct regex *regex_new(const char *pattern, size_t len, struct err *e)
{
    (void)pattern;
    (void)len;
    err_set(e, ERR_INVALID, "patterns are not built in (weir was built without PCRE2)");
    return NULL;
}

void regex_free(struct regex **re)
{
    *re = NULL;
}

enum regex_result regex_match(struct regex *re, const char *s, size_t len)
{
    return regex_match_from(re, s, len, 0);
}

enum regex_result regex_match_from(struct regex *re, const char *s, size_t len, size_t from)
{
    (void)re;
    (void)s;
    (void)len;
    (void)from;
    return REGEX_GAVE_UP;
}

unsigned regex_groups(const struct regex *re)
{
    (void)re;
    return 0;
}

const char *regex_name(const struct regex *re, unsigned i)
{
    (void)re;
    (void)i;
    return NULL;
}

bool regex_group(const struct regex *re, unsigned i, size_t *start, size_t *end)
{
    (void)re;
    (void)i;
    *start = *end = 0;
    return false;
}

#endif
