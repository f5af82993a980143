#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "cli/flags.h"

static const struct command commands[] = {
    {"run", "-c FILE [--once]", "Runs the agent until SIGTERM or SIGINT", run_run},
    {"dry-run", "-c FILE [-n N] [--input FILE] [--format text|json]",
     "Shows what would happen to real input, and changes nothing", dry_run_run},
    {"check", "-c FILE [--format text|json]",
     "Checks a configuration and tells every problem at once", check_run},
    {"list", "[TYPE] [--format text|markdown|names]",
     "Lists the stages, or prints the manual of one", list_run},
    {"schema", "", "Prints the JSON Schema of the configuration, for editors", schema_run},
    {"version", "", "Prints the version and what is built in", version_run},
    {"help", "[COMMAND]", "Prints help", help_run},
};

#define COUNT (sizeof commands / sizeof commands[0])

const struct command *commands_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

int commands_unknown(const char *what, const char *word)
{
    struct buf hint = {0};
    struct nearest near = nearest_to(word);
    for (size_t i = 0; i < COUNT; i++)
        nearest_try(&near, commands[i].name);
    nearest_add(&near, &hint);
    const char *text = buf_cstr(&hint);
    fprintf(stderr, "weir: unknown %s \"%s\"%s\nTry \"weir --help\".\n", what, word,
            text == NULL ? "" : text);
    buf_clear(&hint);
    return CLI_INVALID;
}

void commands_usage(struct buf *out)
{
    buf_str(out, "Usage: weir COMMAND [FLAGS]\n\nweir ships logs: from sources, through "
                 "transforms, to sinks.\n\n"
                 "Commands:\n");
    for (size_t i = 0; i < COUNT; i++)
        buf_fmt(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    buf_str(out, "\n\"weir COMMAND --help\" says more.\n");
}

static int no_command(void)
{
    struct buf out = {0};
    commands_usage(&out);
    fwrite(out.data, 1, out.len, stderr);
    buf_clear(&out);
    return CLI_INVALID;
}

int commands_run(int argc, char **argv)
{
    struct cli cli = {.log_level = "info", .log_format = "text", .color = "auto"};
    bool version = false;
    const struct flag flags[] = {
        {'V', "version", NULL, NULL, &version, "the same as \"weir version\""},
        {0},
    };
    int status = flags_parse(&cli, flags, true, &argc, &argv);
    if (status >= 0)
        return status;
    char name[] = "version";
    char *version_argv[] = {name, NULL};
    if (version)
        return version_run(&cli, 1, version_argv);
    if (argc == 0)
        return no_command();
    cli.command = commands_find(argv[0]);
    if (cli.command == NULL)
        return commands_unknown("command", argv[0]);
    return cli.command->run(&cli, argc, argv);
}
