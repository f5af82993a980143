#include "record/path.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/arena.h"
#include "base/utf8.h"
#include "record/arena.h"
#include "record/jscan.h"
#include "record/jscan_string.h"

static const struct {
    const char *name;
    enum path_meta meta;
} metas[] = {
    {"path", PATH_META_PATH}, {"peer", PATH_META_PEER},     {"offset", PATH_META_OFFSET},
    {"host", PATH_META_HOST}, {"time", PATH_META_TIME},     {"source", PATH_META_SOURCE},
    {"pipeline", PATH_META_PIPELINE},
};

/* A path being read. The steps go to a place that is large enough for PATH_STEPS_MAX, unescaped keys to one that is as
 * large as the text. */
struct reading {
    const char *text;
    size_t len, start, at;
    struct err *e;
    enum path_meta meta;
    uint32_t count;
    struct path_step steps[PATH_STEPS_MAX];
    char *keys;
    size_t keys_len;
};

bool path_name_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '@' || c >= 0x80;
}

static int fail(struct reading *r, size_t at, const char *what)
{
    return err_set(r->e, ERR_INVALID, "column %zu: %s", utf8_count(r->text, at) + 1, what);
}

static int add_step(struct reading *r, struct path_step step)
{
    if (r->count == PATH_STEPS_MAX)
        return fail(r, r->at, "expected no more than 64 steps");
    r->steps[r->count++] = step;
    return 0;
}

static bool here(const struct reading *r, char c)
{
    return r->at < r->len && r->text[r->at] == c;
}

static size_t name_length(const struct reading *r)
{
    size_t n = 0;
    while (r->at + n < r->len && path_name_char((unsigned char)r->text[r->at + n]))
        n++;
    return n;
}

static int read_name(struct reading *r)
{
    size_t n = name_length(r);
    char *key = memcpy(r->keys + r->keys_len, r->text + r->at, n);
    if (add_step(r, (struct path_step){.key = key, .len = (uint32_t)n}) != 0)
        return -1;
    r->keys_len += n;
    r->at += n;
    return 0;
}

/* How long the quoted name is, quotes included; 0 when it has no end. */
static size_t quoted_length(const struct reading *r)
{
    for (size_t i = r->at + 1; i < r->len; i++) {
        if (r->text[i] == '\\')
            i++;
        else if (r->text[i] == '"')
            return i + 1 - r->at;
    }
    return 0;
}

static int read_quoted(struct reading *r)
{
    size_t n = quoted_length(r);
    struct jscan json;
    struct jscan_fault fault;
    struct arena arena = {0};
    if (n == 0)
        return fail(r, r->len, "expected '\"' at the end of the name");
    if (jscan_text(&json, &arena, r->text + r->at, n, &fault) != 0) {
        arena_clear(&arena);
        return fault.error == JSCAN_NOMEM ? err_nomem(r->e)
                                          : fail(r, r->at + fault.offset, fault.what);
    }
    arena_clear(&arena);
    char *key = r->keys + r->keys_len;
    size_t len = jscan_string_unescape(r->text + r->at + 1, n - 2, key);
    if (add_step(r, (struct path_step){.key = key, .len = (uint32_t)len}) != 0)
        return -1;
    r->keys_len += len;
    r->at += n;
    return 0;
}

static int read_index(struct reading *r)
{
    uint32_t index = 0;
    size_t start = ++r->at;
    for (; r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9'; r->at++) {
        index = index * 10 + (uint32_t)(r->text[r->at] - '0');
        if (index > PATH_INDEX_MAX)
            return fail(r, start, "expected an index of at most 65535");
    }
    if (r->at == start)
        return fail(r, r->at, "expected an index: a number from 0");
    if (!here(r, ']'))
        return fail(r, r->at, "expected \"]\" after the index");
    if (add_step(r, (struct path_step){.index = index}) != 0)
        return -1;
    r->at++;
    return 0;
}

static int read_meta(struct reading *r)
{
    r->at++;
    size_t n = name_length(r);
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++)
        if (n == strlen(metas[i].name) && memcmp(r->text + r->at, metas[i].name, n) == 0)
            r->meta = metas[i].meta;
    if (r->meta == PATH_FIELD)
        return fail(
            r, r->at - 1,
            "unknown metadata: expected @path, @peer, @offset, @host, @time, @source or @pipeline");
    r->at += n;
    return 0;
}

/* Behind the first dot of ${r}. */
static int read_steps(struct reading *r)
{
    if (!here(r, '"') && name_length(r) == 0)
        return 0; /* the root */
    for (;;) {
        if (here(r, '"') ? read_quoted(r) != 0 : read_name(r) != 0)
            return -1;
        while (here(r, '['))
            if (read_index(r) != 0)
                return -1;
        if (!here(r, '.'))
            return 0;
        r->at++;
        if (!here(r, '"') && name_length(r) == 0)
            return fail(r, r->at, "expected a name after the dot");
    }
}

static int read_path(struct reading *r)
{
    if (here(r, '@'))
        return read_meta(r);
    if (!here(r, '.'))
        return fail(r, r->start, "expected a path: \".field\" or \"@metadata\"");
    r->at++;
    return read_steps(r);
}

/* Everything in one piece: the head, the steps, the keys, the text. */
static struct path *build(const struct reading *r)
{
    size_t steps = r->count * sizeof(struct path_step);
    size_t len = r->at - r->start;
    struct path *p = mem_alloc(sizeof *p + steps + r->keys_len + len + 1);
    if (p == NULL)
        return NULL;
    char *keys = (char *)(p->steps + r->count), *text = keys + r->keys_len;
    *p = (struct path){.meta = r->meta, .count = r->count, .text = text};
    for (uint32_t i = 0; i < r->count; i++) {
        p->steps[i] = r->steps[i];
        if (r->steps[i].key != NULL)
            p->steps[i].key = keys + (r->steps[i].key - r->keys);
    }
    memcpy(keys, r->keys, r->keys_len);
    memcpy(text, r->text + r->start, len);
    text[len] = '\0';
    p->message = r->count == 1 && p->steps[0].key != NULL && p->steps[0].len == 7 &&
                 memcmp(p->steps[0].key, "message", 7) == 0;
    return p;
}

struct path *path_prefix(const char *text, size_t len, size_t *at, struct err *e)
{
    struct reading r = {.text = text, .len = len, .start = *at, .at = *at, .e = e};
    struct path *p = NULL;
    if (len > UINT32_MAX / 2) {
        fail(&r, 0, "expected a shorter path");
        return NULL;
    }
    r.keys = mem_alloc(len + 1);
    if (r.keys == NULL)
        err_nomem(e);
    else if (read_path(&r) == 0 && (p = build(&r)) == NULL)
        err_nomem(e);
    mem_free(r.keys);
    *at = r.at;
    return p;
}

struct path *path_new(const char *text, size_t len, struct err *e)
{
    size_t at = 0;
    struct path *p = path_prefix(text, len, &at, e);
    if (p != NULL && at < len) {
        err_set(e, ERR_INVALID,
                "column %zu: expected the end of the path (odd names go in double quotes)",
                utf8_count(text, at) + 1);
        path_free(&p);
    }
    return p;
}

struct path *path_of_key(struct arena *a, const char *key, size_t len)
{
    struct path *p = arena_alloc(a, sizeof *p + sizeof p->steps[0]);
    if (p == NULL)
        return NULL;
    *p = (struct path){.meta = PATH_FIELD, .count = 1, .text = ""};
    p->steps[0] = (struct path_step){.key = key, .len = (uint32_t)len};
    return p;
}

void path_free(struct path **p)
{
    mem_free(*p);
    *p = NULL;
}
