/*
 * cli: what the commands share.
 *
 * A command is one file with one function, and one line in the table of commands.c. It reads its flags with flags_parse
 * (cli/flags.h), which also answers --help.
 */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include <stdbool.h>

struct buf;

/* Exit status. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,  /* a failure while running */
    CLI_INVALID = 2, /* wrong usage or an invalid configuration */
    CLI_FOUND = 3,   /* dry-run or test found what it was told to look for */
};

/* A run of the program. Flags that every command takes, before or behind its name. */
struct cli {
    const struct command *command; /* NULL: none yet */
    const char *log_level;         /* one of the words of the flag; never NULL */
    const char *log_format;
    const char *color;
};

struct command {
    const char *name;
    const char *usage;   /* what follows the name: "-c FILE [--format text|json]" */
    const char *summary; /* one line */
    /* ${argv}[0] is the name. Returns the exit status. */
    int (*run)(struct cli *cli, int argc, char **argv);
};

/* Run the command that ${argv} names. Returns the exit status. */
int commands_run(int argc, char **argv);

/* By name, or NULL. */
const struct command *commands_find(const char *name);

/* Say on stderr that ${word} is no ${what} ("command"), with the command nearest to it. Returns CLI_INVALID. */
int commands_unknown(const char *what, const char *word);

/* Append the overview: every command with its summary. */
void commands_usage(struct buf *out);

/* Write ${out} to stdout and clear it. Returns CLI_OK, or CLI_FAILED when there was no memory or it cannot be written,
 * which is told on stderr. */
int cli_print(struct buf *out);

/* One line on stderr, "weir COMMAND: …", and where to find help. Returns CLI_INVALID. */
int cli_wrong(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The commands. */
int check_run(struct cli *cli, int argc, char **argv);
int dry_run_run(struct cli *cli, int argc, char **argv);
int help_run(struct cli *cli, int argc, char **argv);
int list_run(struct cli *cli, int argc, char **argv);
int run_run(struct cli *cli, int argc, char **argv);
int schema_run(struct cli *cli, int argc, char **argv);
int version_run(struct cli *cli, int argc, char **argv);

#endif
