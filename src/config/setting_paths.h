/*
 * setting_paths: option values that are lists or maps of field paths (option.h, OPTION_PATHS and following).
 */
#ifndef WEIR_CONFIG_SETTING_PATHS_H
#define WEIR_CONFIG_SETTING_PATHS_H

#include "config/option.h"

struct config_report;
struct err;
struct node;

/* As setting_read, for an array of paths (one alone is a string) and for an object whose keys are paths. */
int setting_read_paths(const struct option *option, const struct node *node, struct paths *slot,
                       struct config_report *report);
int setting_read_path_map(const struct option *option, const struct node *node,
                          struct path_map *slot, struct config_report *report);

void setting_free_paths(struct paths *slot);
void setting_free_path_map(struct path_map *slot);

/* For setting.c: compile the string ${node} as a path or an expression; a message of the compiler goes to the report, placed at its
 * column, and NULL is put in *${slot}. -1: no memory. */
int setting_compile_path(const struct node *node, struct path **slot, struct config_report *report);
int setting_compile_expr(const struct node *node, struct expr **slot, struct config_report *report);

#endif
