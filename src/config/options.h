/*
 * options: from a JSON object and its table (option.h) to a settings struct.
 *
 * Several tables may describe one object, each with a struct of its own: a stage has the common options and
 * those of its type. Problems go to a report and reading goes on; what could not be read keeps its default.
 */
#ifndef WEIR_CONFIG_OPTIONS_H
#define WEIR_CONFIG_OPTIONS_H

#include "config/option.h"

struct config_report;
struct node;

struct options_part {
    const struct option *table;
    void *settings;
};

/* Fill the zeroed ${settings} with the defaults of ${table}. -1: no memory (what was filled is to be freed). */
int options_defaults(const struct option *table, void *settings);

/* Read ${object} into ${count} ${parts}, which hold their defaults. -1: no memory. */
int options_read(const struct node *object, const struct options_part *parts, size_t count,
                 struct config_report *report);

/* A member of ${object} that none of the ${parts} knows is a problem. -1: no memory. */
int options_check_known(const struct node *object, const struct options_part *parts, size_t count,
                        struct config_report *report);

/* Do two settings structs of ${table} say the same? Expressions and paths are compared as they are written. */
bool options_same(const struct option *table, const void *a, const void *b);

/* Release what ${settings} holds; the struct is not to be used again before it is zeroed. */
void options_free(const struct option *table, void *settings);

/* The entry for ${key} or NULL. */
const struct option *options_find(const struct option *table, const char *key);

#endif
