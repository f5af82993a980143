/*
 * flags: the command line of one command.
 *
 * Flags are those of the command and those that every command takes: --log-level, --log-format, --color, --help. Values
 * point into argv.
 */
#ifndef WEIR_CLI_FLAGS_H
#define WEIR_CLI_FLAGS_H

#include <stdbool.h>

#include "cli/cli.h"

struct flag {
    char letter;         /* 0: none */
    const char *name;    /* NULL ends a table */
    const char *value;   /* what is shown in its place; words with | between them are all it may be. NULL: takes none */
    const char **string; /* where the value goes; holds the default */
    bool *given;         /* of a flag without value */
    const char *words;
};

/* Read what ${flags} describe out of *${argv}; what stays is at *${argv}[0..*${argc}). With ${stop}, reading ends at the first
 * word that is no flag. Sets up the log. Returns -1 to go on, or the exit status: help was printed, or
 * something was wrong. */
int flags_parse(struct cli *cli, const struct flag *flags, bool stop, int *argc, char ***argv);

/* As flags_parse for a command that takes no words besides its flags. */
int flags_only(struct cli *cli, const struct flag *flags, int argc, char **argv);

#endif
