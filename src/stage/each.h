/*
 * each: transforms that look at one record at a time.
 *
 * Such a stage is a settings struct, a private struct and one function, which says of each record whether it stays. Books, traces and
 * the stream around it are here.
 */
#ifndef WEIR_STAGE_EACH_H
#define WEIR_STAGE_EACH_H

#include "stage/stage.h"

struct batch;

enum each_verdict {
    EACH_PASS,
    EACH_DROP,       /* as configured: counted under the reason */
    EACH_ERROR_PASS, /* could not be handled: counted as an error, passed on as it was */
    EACH_ERROR_DROP, /* could not be handled: counted as an error and under the reason */
    EACH_PASS_TELL,  /* passes, and the detail says what was done to it */
    EACH_NOMEM,      /* no memory: the stream fails, the record is read again */
};

/* Why, for a record that does not simply pass. */
struct each_why {
    const char *reason; /* a constant: what is counted */
    bool wanted;        /* somebody is watching: fill in the detail */
    char detail[224];   /* more words about this record; "": none */
};

struct each_ops {
    size_t self_size; /* of the private struct, which is zeroed first */
    /* Prepare ${self}; may be NULL. -1 and ${e}: cannot be opened (clear is not called). */
    int (*init)(void *self, struct stage_env *env, const void *settings, struct err *e);
    /* Look at, and change, ${r}. */
    enum each_verdict (*record)(void *self, const void *settings, struct batch *b, struct record *r,
                                struct each_why *why);
    /* Release what ${self} holds; may be NULL. */
    void (*clear)(void *self);
};

/* What follows from ${verdict} on ${r}, one of the stage's records: it is told to whoever traces, and counted. Returns whether it stays. */
bool each_settle(struct stage_env *env, const struct record *r, enum each_verdict verdict,
                 struct each_why *why);

/* Put more words about the record at hand into ${why}, if somebody is watching. */
void each_explain(struct each_why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For check hooks: metadata cannot be changed, so it may not be among the paths of the option `fields`. */
void each_check_paths(const struct paths *fields, struct config_report *report);
void each_check_fields(const struct path_entry *fields, size_t count, struct config_report *report);

/* The stream of a stage with these ${ops}. NULL and ${e} on failure. */
struct stream *each_open(const struct each_ops *ops, struct stage_env *env, const void *settings,
                         struct err *e);

#endif
