/*
 * redact_rule: what the redact transform looks for in one text, and what it puts there instead.
 */
#ifndef WEIR_TRANSFORM_REDACT_RULE_H
#define WEIR_TRANSFORM_REDACT_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "transform/sensitive.h"

struct regex;

#define REDACT_PATTERNS 32

/* A pattern, and where it is found next in the text at hand. */
struct redact_pattern {
    const char *name;
    enum sensitive_kind kind; /* when re is NULL */
    struct regex *re;
    size_t start, end;
    bool over;       /* there is no more */
    unsigned hits;   /* so far; its owner's to set back */
};

struct redact_rule {
    struct redact_pattern patterns[REDACT_PATTERNS];
    size_t count;
    const char *replacement; /* {name}, {hash} */
    const char *key;         /* for {hash} */
    bool gave_up;            /* a pattern was given up on a text, which was replaced as a whole; its owner's to set back */
    struct buf work;
};

enum redact_result { REDACT_NOTHING, REDACT_CHANGED, REDACT_NOMEM };

/* Does anything in ${s} have to go? Only says so. */
bool redact_rule_hits(struct redact_rule *rule, const char *s, size_t len);

/* ${s} with everything replaced, to ${out} (emptied first), unless there is nothing to replace. */
enum redact_result redact_rule_apply(struct redact_rule *rule, const char *s, size_t len, struct buf *out);

void redact_rule_clear(struct redact_rule *rule);

#endif
