/*
 * frames: cut a stream of bytes into records.
 *
 *     newline          '\n' ends a record and does not belong to it
 *     octet counting   "LENGTH SP" stands before each record (RFC 6587, 3.4.1)
 *     auto             each record says it: octet counting when it begins with a number and a space, else newline, as rsyslog does
 *
 * A record that is longer than allowed is cut, split or skipped as configured, and what follows it is found again. The bytes are the
 * caller's: it keeps those that were not used and has them in front of what comes next. Nothing is logged or counted here.
 */
#ifndef WEIR_SOURCE_FRAMES_H
#define WEIR_SOURCE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"

struct batch;

/* Rows of an option table for settings that have a struct frames_options as member ${o} of ${owner}. */
#define FRAMES_OPTIONS(owner, o)                                                                    \
    {.key = "max_line_bytes", .type = OPTION_SIZE, .offset = offsetof(owner, o.max_line_bytes),     \
     .fallback = "\"1MiB\"", .min = 64, .max = 1 << 30,                                            \
     .words = "Longest line, terminator not counted."},                                            \
    {.key = "on_long_line", .type = OPTION_CHOICE, .offset = offsetof(owner, o.on_long_line),       \
     .fallback = "\"truncate\"", .choices = frames_long_lines,                                     \
     .words = "What becomes of a longer line: its head is sent, all of it in pieces, or nothing. " \
              "Each is counted and logged."},                                                      \
    {.key = "strip_cr", .type = OPTION_BOOL, .offset = offsetof(owner, o.strip_cr),                 \
     .fallback = "false",                                                                          \
     .words = "A carriage return before the line feed does not belong to the line."}

enum framing { FRAMING_NEWLINE, FRAMING_OCTET_COUNTING, FRAMING_AUTO };
enum long_line { LONG_TRUNCATE, LONG_SPLIT, LONG_SKIP };

/* Words of these choices, for option tables. */
extern const char *const frames_long_lines[];

struct frames_options {
    int framing;             /* enum framing */
    int on_long_line;        /* enum long_line */
    uint64_t max_line_bytes; /* of a record, terminator or length not counted */
    bool strip_cr;           /* newline: a '\r' before the '\n' does not belong to the record */
};

#define FRAMES_HEAD_MAX 9 /* bytes that may be begun before it is known how the record goes on: the figures of a length */

struct frames {
    const struct frames_options *set;
    bool tidy; /* for syslog: one '\n' at the end of a counted record does not belong to it, and empty records are none */
    enum { FRAMES_START, FRAMES_LINE, FRAMES_BODY, FRAMES_SKIP_LINE, FRAMES_SKIP_BODY } state;
    uint64_t left; /* BODY, SKIP_BODY: bytes of the record that are still to come, begun ones included */
};

enum frames_result {
    FRAMES_MORE,  /* all that is whole was cut */
    FRAMES_LONG,  /* so was a record that is too long, as configured: say so, and call again with the rest */
    FRAMES_BAD,   /* what follows is no length: there is no way to go on */
    FRAMES_SHORT, /* the end has come inside a counted record */
    FRAMES_NOMEM,
};

void frames_init(struct frames *f, const struct frames_options *set, bool tidy);

/* Append a record to ${b} for each that is whole in the ${len} bytes at ${text} (part of the batch's slab): first the *begun* ones, that
 * were not used before, then what came since. ${last}: nothing will come after them. *${used} bytes are done with; what is
 * behind them is begun, except after FRAMES_LONG. */
enum frames_result frames_cut(struct frames *f, struct batch *b, const char *text, size_t len,
                              bool last, size_t *used);

/* Is there anything to cut when the ${len} bytes at ${text} come behind ${begun} bytes? If not, they are begun too, and need not be looked
 * at again. */
bool frames_ends(const struct frames *f, size_t begun, const char *text, size_t len);

/* There is no memory to keep the ${len} begun bytes at ${text}: do with them as with a record that is too long. -1: no memory. */
int frames_give_up(struct frames *f, struct batch *b, const char *text, size_t len);

#endif
