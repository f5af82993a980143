/*
 * The gunzip transform: decompresses a field, within bounds.
 *
 * A few bytes can stand for gigabytes. What one record becomes is bounded by max_bytes; what a batch of them becomes goes on in parts, the next
 * one made when the one before was taken.
 */
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/report.h"
#include "record/doc.h"
#include "record/lines.h"
#include "stage/each.h"
#include "stream/stream.h"

#define PART_BYTES ((size_t)256 << 10) /* of decompressed text, at least, in a part that is not the last */
#define STEP       ((size_t)16 << 10)  /* how much room for output is made at once */

enum { ERROR_PASS, ERROR_DROP };

struct gunzip_settings {
    struct path *field;
    uint64_t max_bytes;
    int on_error;
};

/* What becomes of a record, and so which part it can be in. */
enum kind { NOTHING, SAME, LINES, FIELD };

struct gunzip {
    struct stream *stream;
    struct stage_env *env;
    const struct gunzip_settings *set;
    z_stream z;
    struct batch *in; /* under way; NULL: none */
    size_t at;        /* its next record, the one at hand */
    struct buf text;  /* what that decompresses to, */
    enum kind kind;   /* and what becomes of it, */
    bool looked;      /* if it was looked at */
};

static const char *const on_errors[] = {"pass", "drop", NULL};

#define AT(name) offsetof(struct gunzip_settings, name)
static const struct option options[] = {
    {.key = "field", .type = OPTION_PATH, .offset = AT(field), .fallback = "\".message\"",
     .words = "The string to decompress."},
    {.key = "max_bytes", .type = OPTION_SIZE, .offset = AT(max_bytes), .fallback = "\"1MiB\"", .min = 64, .max = 1 << 30,
     .words = "How long the text of one record may become. One that would be longer is an error, however little it came as."},
    {.key = "on_error", .type = OPTION_CHOICE, .offset = AT(on_error), .fallback = "\"pass\"",
     .choices = on_errors,
     .words = "What becomes of a record whose field is missing, no whole gzip or zlib data, or too long: it is passed on as it is, or dropped. "
              "Either is counted."},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct gunzip_settings *set = settings;
    if (set->field->meta != PATH_FIELD)
        report_key(report, "field", "%s is metadata, which cannot be changed: expected a field", set->field->text);
}

enum inflated { INFLATED, NOT_GZIP, TOO_LONG, NO_MEMORY };

/* One member behind what is in the text already. */
static enum inflated inflate_member(struct gunzip *t)
{
    int rc;
    inflateReset(&t->z);
    do {
        size_t room = (size_t)t->set->max_bytes + 1 - t->text.len;
        if (!buf_reserve(&t->text, room < STEP ? room : STEP))
            return NO_MEMORY;
        t->z.next_out = (unsigned char *)t->text.data + t->text.len;
        t->z.avail_out = (uInt)(room < STEP ? room : STEP);
        uInt before = t->z.avail_out;
        rc = inflate(&t->z, Z_NO_FLUSH);
        t->text.len += before - t->z.avail_out;
        if (t->text.len > t->set->max_bytes)
            return TOO_LONG;
    } while (rc == Z_OK && (t->z.avail_in > 0 || t->z.avail_out == 0));
    return rc == Z_STREAM_END ? INFLATED : rc == Z_MEM_ERROR ? NO_MEMORY : NOT_GZIP;
}

/* All of ${data}, which is one member or several. */
static enum inflated inflate_all(struct gunzip *t, const struct value *data)
{
    enum inflated result = NOT_GZIP;
    t->text.len = 0;
    t->z.next_in = (z_const Bytef *)(uintptr_t)data->u.s;
    t->z.avail_in = data->len;
    while (t->z.avail_in > 0 && (result = inflate_member(t)) == INFLATED)
        ;
    return result;
}

/* The lines of the text are records of ${out} now. -1: no memory. */
static int add_lines(const struct gunzip *t, struct batch *out, const struct record *from)
{
    size_t used, too_long, first = out->count, len = t->text.len;
    char *text = arena_text(&out->body->arena, len + 1);
    if (text == NULL)
        return -1;
    memcpy(text, t->text.data, len);
    text[len] = '\n'; /* what makes a last line without one as whole as the others */
    bool ended = len > 0 && text[len - 1] == '\n';
    if (lines_add(out, text, ended ? len : len + 1, len, false, &used, &too_long) != 0)
        return -1;
    for (size_t i = first; i < out->count; i++)
        out->records[i].time = from->time;
    return 0;
}

/* Put the text at the field of the one record of ${out}. -1: no memory. */
static int set_field(const struct gunzip *t, struct batch *out)
{
    struct value v = value_string(t->text.data, t->text.len);
    return record_set(out, &out->records[0], t->set->field, &v) == DOC_NOMEM ? -1 : 0;
}

/* Look at the record at hand; its text is in t->text. -1: no memory. */
static int look(struct gunzip *t, enum kind *kind)
{
    struct record *r = &t->in->records[t->at];
    struct each_why why = {.wanted = t->env->trace != NULL, .reason = "not gzip"};
    enum each_verdict verdict = EACH_PASS;
    struct value data;
    int rc = record_text(t->in, r, t->set->field, &data);
    enum inflated result = rc == DOC_OK ? inflate_all(t, &data) : rc == DOC_NOMEM ? NO_MEMORY : NOT_GZIP;
    if (result == NO_MEMORY)
        return -1;
    if (result != INFLATED) {
        verdict = t->set->on_error == ERROR_DROP ? EACH_ERROR_DROP : EACH_ERROR_PASS;
        if (result == TOO_LONG)
            why.reason = "too long";
        each_explain(&why, "%s %s", t->set->field->text,
                     result == TOO_LONG  ? "becomes longer than max_bytes"
                     : rc == DOC_REFUSED ? "is not a string"
                                         : "is not whole gzip or zlib data");
    }
    bool stays = each_settle(t->env, r, verdict, &why);
    bool line = r->doc == NULL && t->set->field->message;
    *kind = !stays ? NOTHING : verdict != EACH_PASS ? SAME : line ? LINES : FIELD;
    return 0;
}

/* An empty part for records of ${kind}: what did not change stays where it is, all else has memory of its own. NULL: no memory. */
static struct batch *begin(struct gunzip *t, enum kind kind)
{
    const struct record *r = &t->in->records[t->at];
    if (kind == SAME)
        return batch_beside(t->in);
    if (kind == FIELD)
        return batch_apart(t->in, r);
    struct batch *out = batch_new(t->env->pool, NULL, t->in->body->origin);
    if (out == NULL)
        return NULL;
    out->body->base_offset = batch_offset(t->in, r);
    out->body->time = t->in->body->time;
    return out;
}

/* The record at hand goes to ${out}. -1: no memory. */
static int put(struct gunzip *t, struct batch *out, enum kind kind)
{
    const struct record *r = &t->in->records[t->at];
    if (kind == LINES)
        return add_lines(t, out, r);
    if (kind == FIELD)
        return set_field(t, out);
    struct record *same = batch_add(out);
    if (same != NULL)
        *same = *r;
    return same != NULL ? 0 : -1;
}

/* The next records, as many as can be one part and not too many; *${out} NULL: none is left. -1: no memory. */
static int make_part(struct gunzip *t, struct batch **out)
{
    enum kind of = NOTHING;
    for (; t->at < t->in->count; t->at++, t->looked = false) {
        if (!t->looked && look(t, &t->kind) != 0)
            return -1;
        t->looked = true;
        if (t->kind == NOTHING)
            continue;
        if (*out != NULL && (t->kind != of || of == FIELD || (of == LINES && (*out)->body->arena.total >= PART_BYTES)))
            return 0;
        if (*out == NULL && ((*out = begin(t, t->kind)) == NULL || ticket_set_join(&(*out)->tickets, &t->in->tickets) != 0))
            return -1;
        of = t->kind;
        if (put(t, *out, of) != 0)
            return -1;
    }
    return 0;
}

/* The batch under way is done with, or, with ${e}, failed. */
static void done(struct gunzip *t, const struct err *e)
{
    struct chunk *c = &t->in->chunk;
    t->in = NULL;
    if (e == NULL)
        chunk_delivered(&c); /* its parts hold what it held */
    else
        chunk_free(&c);
    stream_transform_done(t->stream, e);
}

/* A part goes on, and if that was the last one the batch is done; else the consumer asks for more. */
static void go_on(struct gunzip *t)
{
    struct batch *out = NULL;
    struct err e = {0};
    if (make_part(t, &out) != 0) {
        struct chunk *c = out != NULL ? &out->chunk : NULL;
        chunk_free(&c);
        err_nomem(&e);
        done(t, &e);
        return;
    }
    if (out != NULL) {
        out->bytes = batch_count_text(out);
        stage_pass(t->env, t->stream, &out->chunk);
    }
    if (t->at == t->in->count)
        done(t, NULL);
}

static void gunzip_transform(struct stream *s, void *self, struct chunk *c)
{
    (void)s;
    struct gunzip *t = self;
    t->in = chunk_batch(c);
    t->at = 0;
    t->env->stats->records_in += t->in->count;
    t->env->stats->bytes_in += t->in->text;
    go_on(t);
}

/* The consumer has taken the part before. */
static void gunzip_read(struct stream *s, void *self)
{
    (void)s;
    struct gunzip *t = self;
    if (t->in != NULL)
        go_on(t);
}

static void gunzip_destroy(struct stream *s, void *self, const struct err *e)
{
    struct gunzip *t = self;
    if (t->in != NULL) {
        struct chunk *c = &t->in->chunk;
        chunk_free(&c);
        t->in = NULL;
    }
    stream_destroy_done(s, e);
}

static void gunzip_free(void *self)
{
    struct gunzip *t = self;
    inflateEnd(&t->z);
    buf_clear(&t->text);
    mem_free(t);
}

static const struct stream_ops ops = {
    .type = "gunzip",
    .read = gunzip_read,
    .transform = gunzip_transform,
    .destroy = gunzip_destroy,
    .free = gunzip_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct gunzip *t = mem_zalloc(1, sizeof *t);
    if (t == NULL)
        goto err0;
    t->env = env;
    t->set = settings;
    if (inflateInit2(&t->z, 15 + 32) != Z_OK) /* gzip or zlib, as it begins */
        goto err1;
    struct stream_opts o = stage_stream_opts(env);
    t->stream = stream_transform_new(&ops, t, &o, e);
    if (t->stream == NULL)
        goto err2;
    return t->stream;
err2:
    inflateEnd(&t->z);
err1:
    mem_free(t);
err0:
    err_nomem(e);
    return NULL;
}

#define ZLIB "\x78\x9c\x4b\x4a\x4d\x52\x50\x50\x38\xbc\x32\x25\x49\x21\xf1\xf0\xca\xc3\x2b\x13\x01\x3a\xa5\x07"

static const struct stage_case cases[] = {
    {"", ZLIB "\x76", "beb   \xc3\xa9" "db a\xc3\xa9\xc3\xa9" "a"},
    {"", ZLIB "\x77", ZLIB "\x77"},
    {"\"on_error\": \"drop\"", ZLIB, NULL},
    {"", "not compressed", "not compressed"},
    {"\"on_error\": \"drop\"", "\x1f\x8b\x08", NULL},
    {"\"on_error\": \"drop\", \"field\": \".n\"", "{\"n\":1}", NULL},
    {0},
};

const struct stage stage_gunzip = {
    .kind = STAGE_TRANSFORM,
    .type = "gunzip",
    .summary = "Decompresses a field.",
    .description =
        "The string at field is gzip (RFC 1952, one member or several) or zlib data (RFC 1950), as senders put it into a datagram or a counted frame; the text "
        "takes its place. A record that is a line becomes a record for each line of its text.\n\n"
        "What one record may become is bounded by max_bytes. A batch that becomes much goes on in parts, each made when the one before was taken, so that memory "
        "stays bounded too.",
    .example = "{ \"type\": \"gunzip\", \"max_bytes\": \"4MiB\" }",
    .cases = cases,
    .in = PAYLOAD_RECORDS,
    .out = PAYLOAD_RECORDS,
    .options = options,
    .settings_size = sizeof(struct gunzip_settings),
    .check = check,
    .open = open_stage,
};
