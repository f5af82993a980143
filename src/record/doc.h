/*
 * doc: a record as a JSON object: an index over its text, with edits on top.
 *
 * Nothing of the text is copied. An edit says what stands in place of one member; it may itself be an object of which only
 * parts were edited, so edits form a tree beside the index, as deep as the paths that were set. Lookups, walks and rendering see both
 * as one: members keep their order and bytes, an edited one stands where it stood, new ones follow in the order they
 * came. Of a repeated name the last counts; once edited, it is there once.
 *
 * Everything is in the arena given, usually the batch's. Setting copies the value, so a value may come from anywhere,
 * the same doc included. What fails changes nothing. A doc that a fork sees too (RECORD_SHARED) is cloned before it is
 * edited: the record_ functions see to that.
 */
#ifndef WEIR_RECORD_DOC_H
#define WEIR_RECORD_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/batch.h"
#include "record/jscan.h"
#include "record/path.h"
#include "record/record.h"
#include "record/value.h"

struct scratch;

/* What stands in place of a member or element: `base` with the edits in `first` done to it. */
struct doc_edit {
    struct doc_edit *next; /* of the same container, oldest first */
    const char *key;       /* unescaped; NULL: an element */
    uint32_t len;          /* of the key */
    uint32_t index;        /* of the element */
    uint32_t at;           /* the value's node in the container's index, or JSCAN_NONE: a new one */
    bool gone;             /* removed */
    struct value base;     /* an empty container has u.json NULL */
    struct doc_edit *first, *last;
    uint32_t elements; /* of an edited array: how many it has */
};

struct doc {
    struct doc_edit root; /* its base is an object */
    struct jscan json;    /* what was parsed; empty when nothing was */
};

enum doc_result {
    DOC_OK = 0,
    DOC_NOMEM = -1,
    DOC_REFUSED = 1, /* cannot be: nothing was changed */
};

/* Scan ${text}, which must be a JSON object and outlive the arena's content. DOC_REFUSED with ${fault} (may be NULL) when it is
 * not: `what` says why. */
int doc_parse(struct doc **out, struct arena *a, const char *text, size_t len,
              struct jscan_fault *fault);

/* An empty object. NULL: no memory. */
struct doc *doc_new(struct arena *a);

/* The object {"message": text}; ${text} is any bytes and outlives the arena's content. NULL: no memory. */
struct doc *doc_plain(struct arena *a, const char *text, size_t len);

/* A copy that can be edited by itself; it shares text and index. NULL: no memory. */
struct doc *doc_clone(const struct doc *doc, struct arena *a);

/* The value at ${p}, a field. False (and null) when there is none. */
bool doc_get(const struct doc *doc, const struct path *p, struct value *out);

/* Put ${v} at ${p}, a field. What is missing on the way is created, what is in the way (.a.b when .a is a string) is replaced; an array
 * is filled up with null. The root can only be an object, else DOC_REFUSED. */
int doc_set(struct doc *doc, struct arena *a, const struct path *p, const struct value *v);

/* As doc_set without the copy: what ${v} refers to lives as long as the arena's content anyway (the record's text). */
int doc_adopt(struct doc *doc, struct arena *a, const struct path *p, const struct value *v);

/* Take away what is at ${p}, a field; later elements of an array move up; the root becomes empty. DOC_REFUSED when
 * nothing was there. */
int doc_remove(struct doc *doc, struct arena *a, const struct path *p);

/* The root, as a value. */
struct value doc_root(const struct doc *doc);

/* Walk a container, edits included: start, then call until it says false. `key` is null for elements. */
struct doc_walk {
    struct value key, value;
    const struct value *in;
    const struct doc_edit *edit; /* the next edit to look at, behind the index */
    uint32_t node, index;        /* the next node of the index; the next element */
};

void doc_walk_start(struct doc_walk *w, const struct value *container);
bool doc_walk_next(struct doc_walk *w);

/* How many elements or members a walk finds. */
size_t doc_count(const struct value *container);

/* One member by its name, one element by its index. False (and null) when there is none. */
bool doc_member(const struct value *container, const char *key, size_t len, struct value *out);
bool doc_element(const struct value *container, size_t index, struct value *out);

/*
 * The record as a whole: a plain line has the one field .message; metadata comes from its batch.
 */

/* The value at ${p}: field or metadata. False (and null) when there is none. The root of a plain line is no value: it has
 * none until something parses or sets it. */
bool record_get(const struct batch *b, const struct record *r, const struct path *p,
                struct value *out);

/* Put ${v} at the field ${p}; a plain record becomes {"message": …} first. Sets RECORD_CHANGED.
 * enum doc_result; metadata is DOC_REFUSED. record_adopt does not copy: see doc_adopt. */
int record_set(struct batch *b, struct record *r, const struct path *p, const struct value *v);
int record_adopt(struct batch *b, struct record *r, const struct path *p, const struct value *v);

/* Take away the field ${p}. Sets RECORD_CHANGED, unless it was not there (DOC_REFUSED). */
int record_remove(struct batch *b, struct record *r, const struct path *p);

/* The string at ${field}, unescaped: in place, or in the arena; either lives as long as the batch. DOC_REFUSED: it is missing, or no string. */
int record_text(struct batch *b, const struct record *r, const struct path *field, struct value *out);

/* Put ${doc}, which was made in the batch's arena, at ${target}; with the root (or NULL) it becomes the record. Sets RECORD_CHANGED. */
int record_put(struct batch *b, struct record *r, const struct path *target, struct doc *doc);

/*
 * Parse the string at ${field} as a JSON object and put it at ${target}; with the root (or NULL) as target it becomes the
 * record. A plain record parsed into the root stays unchanged: its text still says it. DOC_REFUSED with ${fault} (may be
 * NULL) when it is missing, no string or no object: the record is as it was.
 */
int record_parse(struct batch *b, struct record *r, const struct path *field,
                 const struct path *target, struct jscan_fault *fault);

#endif
