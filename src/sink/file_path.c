#include "sink/file_path.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/batch.h"
#include "record/path.h"
#include "record/time_write.h"
#include "sink/file_name.h"

/* Room that is left of PATH_MAX for the working directory's sake, and the least that a component must have to be told apart. */
#define PATH_ROOM 3800
#define NAME_LEAST 64

enum part_kind { PART_TEXT, PART_SLASH, PART_VALUE, PART_TIME };

struct part {
    enum part_kind kind;
    struct buf text;    /* PART_TEXT; the format of PART_TIME */
    struct path *value; /* PART_VALUE */
    size_t at;          /* where it was read */
};

struct file_path {
    struct part *parts;
    size_t count, cap;
    struct buf prefix;  /* up to and with its slash; all of the path when there is no placeholder */
    bool literal, needs_records;
    struct name_rules rules;
};

struct compiling {
    struct file_path *p;
    const char *text;
    size_t len, at;
    struct err *e;
};

static int fail(const struct compiling *c, size_t at, const char *what)
{
    return err_set(c->e, ERR_INVALID, "column %zu: %s", utf8_count(c->text, at) + 1, what);
}

static struct part *add_part(struct compiling *c, enum part_kind kind)
{
    struct file_path *p = c->p;
    if (p->count == p->cap) {
        size_t cap = p->cap < 8 ? 8 : p->cap * 2;
        struct part *parts = mem_realloc(p->parts, cap * sizeof *parts);
        if (parts == NULL)
            return NULL;
        p->parts = parts;
        p->cap = cap;
    }
    struct part *part = &p->parts[p->count++];
    *part = (struct part){.kind = kind, .at = c->at};
    return part;
}

/* Append ${c} to the text at hand. */
static int add_char(struct compiling *c, enum part_kind kind, char byte)
{
    struct file_path *p = c->p;
    struct part *last = p->count > 0 ? &p->parts[p->count - 1] : NULL;
    if (byte == '/') {
        if (last != NULL && last->kind == PART_SLASH)
            return 0; /* a//b is a/b */
        return add_part(c, PART_SLASH) != NULL ? 0 : err_nomem(c->e);
    }
    if (last == NULL || last->kind != kind)
        last = add_part(c, kind);
    if (last == NULL)
        return err_nomem(c->e);
    buf_char(&last->text, byte);
    return last->text.failed ? err_nomem(c->e) : 0;
}

static int read_value(struct compiling *c)
{
    struct err e = {0};
    size_t start = c->at, at = 0;
    struct path *value = path_prefix(c->text + start, c->len - start, &at, &e);
    if (value == NULL) {
        const char *what = strstr(e.text, ": ");
        return e.code == ERR_NOMEM ? err_nomem(c->e) : fail(c, start + at, what != NULL ? what + 2 : e.text);
    }
    c->at += at;
    struct part *part = add_part(c, PART_VALUE);
    if (part == NULL) {
        path_free(&value);
        return err_nomem(c->e);
    }
    part->value = value;
    c->p->needs_records = true;
    if (value->meta == PATH_META_OFFSET)
        return fail(c, start, "@offset would give each record a file of its own");
    if (value->meta == PATH_FIELD && value->count == 0)
        return fail(c, start, "expected a field, got the whole record");
    if (c->at == c->len || c->text[c->at] != '}')
        return fail(c, c->at, "expected \"}\" behind the field");
    return 0;
}

/* Slashes in a format separate directories as they do outside of it. */
static int read_time(struct compiling *c)
{
    struct err e = {0};
    size_t start = c->at;
    const char *end = memchr(c->text + start, '}', c->len - start);
    if (end == NULL)
        return fail(c, start - 1, "this \"{\" is not closed");
    size_t len = (size_t)(end - (c->text + start));
    if (time_write_check(c->text + start, len, &e) != 0) {
        int skip = 0;
        size_t at = 0;
        sscanf(e.text, "at byte %zu: %n", &at, &skip);
        return fail(c, start + at, e.text + skip);
    }
    struct part *first = add_part(c, PART_TIME);
    if (first == NULL)
        return err_nomem(c->e);
    for (; c->at < start + len; c->at++)
        if (add_char(c, PART_TIME, c->text[c->at]) != 0)
            return -1;
    return 0;
}

/* Behind a "{". */
static int read_placeholder(struct compiling *c)
{
    char kind = c->at < c->len ? c->text[c->at] : '\0';
    int rc;
    if (kind == '.' || kind == '@')
        rc = read_value(c);
    else if (kind == '%')
        rc = read_time(c);
    else
        rc = fail(c, c->at, "expected {.field}, {@metadata} or {%Y-%m-%d} ({{ is a brace)");
    c->at++; /* the closing one */
    return rc;
}

static int read_all(struct compiling *c)
{
    while (c->at < c->len) {
        char byte = c->text[c->at];
        bool twice = c->at + 1 < c->len && c->text[c->at + 1] == byte;
        if (byte == '}' && !twice)
            return fail(c, c->at, "a lone \"}\" (}} is a brace)");
        if (byte == '{' && !twice) {
            c->at++;
            if (read_placeholder(c) != 0)
                return -1;
            continue;
        }
        if (add_char(c, PART_TEXT, byte) != 0)
            return -1;
        c->at += (byte == '{' || byte == '}') && twice ? 2 : 1;
    }
    return 0;
}

static bool is_dots(const struct part *part)
{
    return part->kind == PART_TEXT && (part->text.len == 1 || part->text.len == 2) &&
           memcmp(part->text.data, "..", part->text.len) == 0;
}

/* A component that is nothing but . or .. would lead elsewhere. In the prefix, . stands for the working directory. */
static int check_component(struct compiling *c, size_t from, size_t to, bool below)
{
    if (to - from != 1 || !is_dots(&c->p->parts[from]) || (!below && c->p->parts[from].text.len == 1))
        return 0;
    return fail(c, c->p->parts[from].at, "a path with placeholders must not hold \"..\", nor \".\" behind its prefix");
}

static int check_components(struct compiling *c, size_t below, size_t *count)
{
    const struct file_path *p = c->p;
    size_t from = 0;
    for (size_t i = 0; i <= p->count; i++) {
        if (i < p->count && p->parts[i].kind != PART_SLASH)
            continue;
        if (check_component(c, from, i, from >= below) != 0)
            return -1;
        *count += from >= below;
        from = i + 1;
    }
    return p->parts[p->count - 1].kind == PART_SLASH ? fail(c, c->len, "expected the name of a file behind the last slash") : 0;
}

static void move_prefix(struct file_path *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct part *part = &p->parts[i];
        if (part->kind == PART_SLASH)
            buf_char(&p->prefix, '/');
        else
            buf_add(&p->prefix, part->text.data, part->text.len);
        buf_clear(&part->text);
    }
    if (count > 0)
        memmove(p->parts, p->parts + count, (p->count - count) * sizeof *p->parts);
    p->count -= count;
}

/* How many parts are the prefix: up to the last slash before the first placeholder. */
static size_t prefix_parts(const struct file_path *p)
{
    size_t below = 0;
    for (size_t i = 0; i < p->count && p->parts[i].kind <= PART_SLASH; i++)
        if (p->parts[i].kind == PART_SLASH)
            below = i + 1;
    return below;
}

/* Does a directory other than the root stand in front? */
static bool names_directory(const struct file_path *p, size_t below)
{
    bool absolute = below > 0 && p->parts[0].kind == PART_SLASH;
    for (size_t i = 0; i < below; i++)
        if (p->parts[i].kind == PART_TEXT && (!absolute || !is_dots(&p->parts[i])))
            return true;
    return false;
}

static int divide(struct compiling *c)
{
    struct file_path *p = c->p;
    size_t below = prefix_parts(p), count = 0;
    if (!names_directory(p, below))
        return fail(c, 0, "expected a directory in front of the first placeholder, which no record can lead out of: \"/var/log/app/{…}\"");
    if (check_components(c, below, &count) != 0)
        return -1;
    move_prefix(p, below);
    if (p->prefix.failed)
        return err_nomem(c->e);
    size_t room = p->prefix.len < PATH_ROOM ? (PATH_ROOM - p->prefix.len) / count : 0;
    if (room <= NAME_LEAST)
        return fail(c, 0, "expected a shorter path, or one of fewer directories");
    p->rules.longest = room - 1 < FILE_PATH_NAME ? room - 1 : FILE_PATH_NAME;
    return 0;
}

static int compile(struct compiling *c)
{
    struct file_path *p = c->p;
    if (read_all(c) != 0)
        return -1;
    p->literal = true;
    for (size_t i = 0; i < p->count; i++)
        p->literal = p->literal && p->parts[i].kind <= PART_SLASH;
    if (!p->literal)
        return divide(c);
    move_prefix(p, p->count);
    return buf_cstr(&p->prefix) != NULL ? 0 : err_nomem(c->e);
}

struct file_path *file_path_new(const char *text, unsigned keep, struct err *e)
{
    struct file_path *p = mem_zalloc(1, sizeof *p);
    if (p == NULL) {
        err_nomem(e);
        return NULL;
    }
    p->rules.keep = keep;
    struct compiling c = {p, text, strlen(text), 0, e};
    if (compile(&c) != 0)
        file_path_free(&p);
    return p;
}

void file_path_free(struct file_path **p)
{
    struct file_path *dead = *p;
    *p = NULL;
    if (dead == NULL)
        return;
    for (size_t i = 0; i < dead->count; i++) {
        buf_clear(&dead->parts[i].text);
        path_free(&dead->parts[i].value);
    }
    buf_clear(&dead->prefix);
    mem_free(dead->parts);
    mem_free(dead);
}

const char *file_path_literal(const struct file_path *p)
{
    return p->literal ? p->prefix.data : NULL;
}

bool file_path_needs_records(const struct file_path *p)
{
    return p->needs_records;
}

size_t file_path_below(const struct file_path *p)
{
    return p->literal ? 0 : p->prefix.len;
}

void file_path_render(struct file_path *p, struct zone *zone, const struct batch *b, const struct record *r, int64_t now,
                      struct buf *out)
{
    buf_add(out, p->prefix.data, p->prefix.len);
    size_t start = out->len; /* of the component at hand */
    int64_t time = r != NULL ? batch_time(b, r) : now;
    for (size_t i = 0; i < p->count && !out->failed; i++) {
        const struct part *part = &p->parts[i];
        switch (part->kind) {
        case PART_TEXT:
            buf_add(out, part->text.data, part->text.len);
            break;
        case PART_VALUE:
            file_name_add_value(out, start, b, r, part->value);
            break;
        case PART_TIME:
            file_name_add_time(out, start, part->text.data, part->text.len, time, zone);
            break;
        case PART_SLASH:
            file_name_end(&p->rules, out, start, false);
            buf_char(out, '/');
            start = out->len;
            break;
        }
    }
    if (!p->literal)
        file_name_end(&p->rules, out, start, true);
}
