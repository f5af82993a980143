/*
 * load: the configuration that -c names, for the commands that need one.
 */
#ifndef WEIR_CLI_LOAD_H
#define WEIR_CLI_LOAD_H

#include <stdbool.h>

struct cli;
struct config;

/* Load ${file} (NULL: -c was not given). NULL: its problems were told on stderr, as a JSON array if ${json} says so, as
 * log lines if the log is JSON, and *${status} is the exit status. Free with config_free. */
struct config *load_config(const struct cli *cli, const char *file, bool json, int *status);

#endif
