/*
 * dead_letter: records that a sink can never deliver.
 *
 * A sink that is configured with `dead_letter` has a file of its own for them: a file sink that nothing is piped into (its env has the stream). There
 * such a record is a line,
 *
 *     {"time":"2026-01-31T15:04:05.123Z","pipeline":"app","sink":"relp","reason":"refused by the peer: 500 no","source":"tail","host":"web1",
 *      "path":"/var/log/a.log","offset":4711,"record":{…}}
 *
 * where `time` is when it was refused; `path` and `offset`, or `peer`, stand there if there is one. A record that was parsed is `record`, as an object; another
 * is `message`, or `message_base64` when it is not UTF-8. The line holds the tickets: they are delivered when the file has it. What waits to
 * be written is charged to the pool, as everything is, so a full disk stops the sources in the end.
 */
#ifndef WEIR_STAGE_DEAD_LETTER_H
#define WEIR_STAGE_DEAD_LETTER_H

#include <stddef.h>

struct batch;
struct stage_env;
struct ticket_set;

/* The line for record ${i} of ${from}, which the sink of ${env} refuses because of ${reason} and, unless NULL, ${words}; a batch without tickets. NULL: no memory. */
struct batch *dead_letter_new(struct stage_env *env, struct batch *from, size_t i, const char *reason, const char *words);

/* Record ${i} of ${from} can never be delivered because of ${reason} (a string constant): hand it to the dead letters of ${env}, which there are, with a hold of the
 * ${tickets}. The caller's hold stays its own, to be ended as delivered. -1: no memory, nothing has happened. */
int dead_letter_send(struct stage_env *env, struct batch *from, size_t i, const struct ticket_set *tickets, const char *reason,
                     const char *words);

#endif
