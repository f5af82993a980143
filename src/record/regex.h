/*
 * regex: patterns, by PCRE2 when it is built in.
 *
 * UTF-8, unanchored; bytes that are not UTF-8 match nothing but do no harm. Compiled to machine code where the JIT may. A match is given up
 * after REGEX_MATCH_LIMIT steps, so that no pattern can hang the agent. Matching does not allocate. A pattern belongs to one thread.
 */
#ifndef WEIR_RECORD_REGEX_H
#define WEIR_RECORD_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct regex;

/* PCRE2's match limit. */
#define REGEX_MATCH_LIMIT 1000000

enum regex_result { REGEX_GAVE_UP = -1, REGEX_NO = 0, REGEX_YES = 1 };

/* Was PCRE2 built in? Without, every pattern is wrong. */
bool regex_built_in(void);

/* Compile the ${len} bytes at ${pattern}. NULL: ${e} says "at byte N: …". */
struct regex *regex_new(const char *pattern, size_t len, struct err *e);

/* Free *${re} (may be NULL) and clear it. */
void regex_free(struct regex **re);

/* Does ${s} hold a match? */
enum regex_result regex_match(struct regex *re, const char *s, size_t len);

/* As regex_match, for a match that begins at byte ${from} or later; what lies before is still seen by ^, \b and their kin. */
enum regex_result regex_match_from(struct regex *re, const char *s, size_t len, size_t from);

/* Groups of the pattern, from 1 to the count; 0 is the whole match. */
unsigned regex_groups(const struct regex *re);

/* The name of group ${i}, or NULL. Lives as long as ${re}. */
const char *regex_name(const struct regex *re, unsigned i);

/* After a match: where group ${i} is in the text. False: it took no part. */
bool regex_group(const struct regex *re, unsigned i, size_t *start, size_t *end);

#endif
