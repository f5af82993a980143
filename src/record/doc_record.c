/* doc_record: the record_ functions of doc.h: fields and metadata of a record as a whole. */
#include <string.h>

#include "record/doc.h"
#include "record/jscan_string.h"

static bool text_or_null(const char *s, struct value *out)
{
    *out = s != NULL ? value_string(s, strlen(s)) : value_null();
    return s != NULL;
}

/* Seconds: parts of which a double holds more than of nanoseconds divided. */
static struct value seconds(int64_t time)
{
    const int64_t second = 1000000000;
    return value_double((double)(time / second) + (double)(time % second) / (double)second);
}

static bool get_meta(const struct batch *b, const struct record *r, enum path_meta meta,
                     struct value *out)
{
    static const struct origin nowhere;
    const struct origin *o = b->body->origin != NULL ? b->body->origin : &nowhere;
    switch (meta) {
    case PATH_META_PATH: return text_or_null(o->path, out);
    case PATH_META_PEER: return text_or_null(o->peer, out);
    case PATH_META_HOST: return text_or_null(o->host, out);
    case PATH_META_SOURCE: return text_or_null(o->source, out);
    case PATH_META_PIPELINE: return text_or_null(o->pipeline, out);
    case PATH_META_OFFSET: *out = value_int((int64_t)batch_offset(b, r)); return true;
    case PATH_META_TIME: *out = seconds(batch_time(b, r)); return true;
    case PATH_FIELD: break;
    }
    *out = value_null();
    return false;
}

bool record_get(const struct batch *b, const struct record *r, const struct path *p,
                struct value *out)
{
    if (p->meta != PATH_FIELD)
        return get_meta(b, r, p->meta, out);
    if (r->doc != NULL)
        return doc_get(r->doc, p, out);
    *out = p->message ? value_string(r->text, r->len) : value_null();
    return p->message;
}

/* The doc of ${r} to edit: its own, a copy of a shared one, or one made for a plain line. The record does not have it yet. */
static struct doc *own_doc(struct batch *b, const struct record *r)
{
    struct arena *a = &b->body->arena;
    if (r->doc == NULL)
        return doc_plain(a, r->text, r->len);
    return r->flags & RECORD_SHARED ? doc_clone(r->doc, a) : r->doc;
}

static int edited(struct record *r, struct doc *doc, int result)
{
    if (result != DOC_OK)
        return result;
    r->doc = doc;
    r->flags = (r->flags | RECORD_CHANGED) & ~(uint32_t)RECORD_SHARED;
    return DOC_OK;
}

int record_adopt(struct batch *b, struct record *r, const struct path *p, const struct value *v)
{
    if (p->meta != PATH_FIELD)
        return DOC_REFUSED;
    struct doc *doc = own_doc(b, r);
    if (doc == NULL)
        return DOC_NOMEM;
    return edited(r, doc, doc_adopt(doc, &b->body->arena, p, v));
}

int record_set(struct batch *b, struct record *r, const struct path *p, const struct value *v)
{
    if (p->meta != PATH_FIELD)
        return DOC_REFUSED;
    struct doc *doc = own_doc(b, r);
    if (doc == NULL)
        return DOC_NOMEM;
    return edited(r, doc, doc_set(doc, &b->body->arena, p, v));
}

int record_remove(struct batch *b, struct record *r, const struct path *p)
{
    struct value old;
    if (p->meta != PATH_FIELD || (p->count > 0 && !record_get(b, r, p, &old)))
        return DOC_REFUSED;
    struct doc *doc = own_doc(b, r);
    if (doc == NULL)
        return DOC_NOMEM;
    return edited(r, doc, doc_remove(doc, &b->body->arena, p));
}

int record_text(struct batch *b, const struct record *r, const struct path *field, struct value *out)
{
    if (!record_get(b, r, field, out) || out->type != VALUE_STRING)
        return DOC_REFUSED;
    if (out->flags & VALUE_ESCAPED) {
        char *text = arena_text(&b->body->arena, out->len);
        if (text == NULL)
            return DOC_NOMEM;
        *out = value_string(text, jscan_string_unescape(out->u.s, out->len, text));
    }
    return DOC_OK;
}

int record_put(struct batch *b, struct record *r, const struct path *target, struct doc *doc)
{
    if (target != NULL && (target->meta != PATH_FIELD || target->count > 0)) {
        struct value root = doc_root(doc);
        return record_adopt(b, r, target, &root);
    }
    return edited(r, doc, DOC_OK);
}

int record_parse(struct batch *b, struct record *r, const struct path *field,
                 const struct path *target, struct jscan_fault *fault)
{
    struct value text;
    struct doc *doc;
    int result = record_text(b, r, field, &text);
    if (result == DOC_REFUSED && fault != NULL)
        *fault = (struct jscan_fault){JSCAN_SYNTAX, 0, "expected a string"};
    if (result == DOC_OK)
        result = doc_parse(&doc, &b->body->arena, text.u.s, text.len, fault);
    if (result != DOC_OK)
        return result;
    uint32_t flags = r->flags;
    bool same = r->doc == NULL && field->message; /* its text still says it */
    result = record_put(b, r, target, doc);
    if (result == DOC_OK && same && r->doc == doc)
        r->flags = flags & ~(uint32_t)RECORD_SHARED;
    return result;
}
