/*
 * fuzz_json: the scanner against jansson: the same verdict and the same value.
 *
 * Where the two differ on purpose, jansson is not asked for a verdict:
 *  - it refuses escaped lone surrogates (the scanner takes them) and \u0000 in names;
 *  - it refuses integers past 64 bits and numbers past a double; it rounds all others, so numbers
 * are compared as doubles;
 *  - it takes a NUL byte behind a value for the end of the text;
 *  - its nesting limit is 2048, the scanner's 512.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/arena.h"
#include "record/jscan.h"
#include "record/jscan_string.h"
#include "record/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
    fprintf(stderr, "fuzz_json: %s\n", what);
    abort();
}

static struct jscan_span span(const struct jscan *j, uint32_t at)
{
    const struct jscan_node *n = &j->nodes[at];
    return (struct jscan_span){j->text + n->start + 1, n->end - n->start - 2,
                               (n->flags & JSCAN_ESCAPED) != 0};
}

/* May jansson refuse what the scanner took? */
static bool excepted(const struct jscan *j)
{
    for (uint32_t i = 0; i < j->count; i++) {
        struct value v = value_node(j, i);
        double d;
        int64_t n;
        if (v.type == VALUE_NUMBER && !value_to_double(&v, &d))
            return true;
        if (value_is_spelled_int(&v) && !value_to_int(&v, &n))
            return true;
        if (v.type != VALUE_STRING || !(v.flags & VALUE_ESCAPED))
            continue;
        for (uint32_t k = 0; k + 6 <= v.len; k++)
            if (memcmp(v.u.s + k, "\\u", 2) == 0 &&
                ((v.u.s[k + 2] | 0x20) == 'd' || memcmp(v.u.s + k + 2, "0000", 4) == 0))
                return true;
    }
    return false;
}

static void same(const struct jscan *j, uint32_t at, const json_t *want);

static void same_object(const struct jscan *j, uint32_t at, const json_t *want)
{
    size_t count = 0;
    for (uint32_t n = jscan_first(j, at); n != JSCAN_NONE; n = jscan_sibling(j, at, n + 1)) {
        char *key = malloc(j->nodes[n].end - j->nodes[n].start);
        struct jscan_span s = span(j, n);
        size_t len = s.escaped ? jscan_string_unescape(s.s, s.len, key) : s.len;
        memmove(key, s.escaped ? key : s.s, len);
        uint32_t last = jscan_member(j, at, key, len);
        if (last == JSCAN_NONE)
            fail("a member that its own name does not find");
        if (last == n + 1) {
            const json_t *value = json_object_getn(want, key, len);
            if (value == NULL)
                fail("a member that jansson does not have");
            same(j, n + 1, value);
            count++;
        }
        free(key);
    }
    if (count != json_object_size(want))
        fail("members");
}

static void same_string(const struct jscan *j, uint32_t at, const json_t *want)
{
    struct jscan_span s = span(j, at);
    struct jscan_span other = {json_string_value(want), json_string_length(want), false};
    size_t len = s.escaped ? jscan_string_length(s.s, s.len) : s.len;
    if (jscan_string_compare(s, other) != 0 || len != other.len)
        fail("strings");
}

static void same_number(const struct jscan *j, uint32_t at, const json_t *want)
{
    struct value v = value_node(j, at);
    double d;
    int64_t i;
    if (!value_to_double(&v, &d) || d != json_number_value(want))
        fail("numbers");
    if (json_is_integer(want) && (!value_to_int(&v, &i) || i != json_integer_value(want)))
        fail("integers");
}

static void same(const struct jscan *j, uint32_t at, const json_t *want)
{
    size_t i = 0;
    switch ((enum jscan_type)j->nodes[at].type) {
    case JSCAN_NULL:
        if (!json_is_null(want))
            fail("null");
        break;
    case JSCAN_TRUE:
        if (!json_is_true(want))
            fail("true");
        break;
    case JSCAN_FALSE:
        if (!json_is_false(want))
            fail("false");
        break;
    case JSCAN_NUMBER: same_number(j, at, want); break;
    case JSCAN_STRING: same_string(j, at, want); break;
    case JSCAN_ARRAY:
        if (!json_is_array(want) || jscan_count(j, at) != json_array_size(want))
            fail("arrays");
        for (uint32_t n = jscan_first(j, at); n != JSCAN_NONE; n = jscan_sibling(j, at, n))
            same(j, n, json_array_get(want, i++));
        break;
    case JSCAN_OBJECT:
        if (!json_is_object(want))
            fail("objects");
        same_object(j, at, want);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct jscan j;
    struct jscan_fault fault;
    bool accepted = jscan_text(&j, &a, (const char *)data, size, &fault) == 0;
    json_t *want = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!accepted && fault.offset > size)
        fail("a fault outside the text");
    if (accepted && want == NULL && !excepted(&j))
        fail("accepted what jansson refuses");
    if (!accepted && want != NULL && fault.error != JSCAN_TOO_DEEP && memchr(data, 0, size) == NULL)
        fail("refused what jansson accepts");
    if (accepted && want != NULL)
        same(&j, 0, want);
    json_decref(want);
    arena_clear(&a);
    return 0;
}
