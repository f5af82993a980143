#include "cli/cli.h"

#include "base/buf.h"
#include "cli/flags.h"

int help_run(struct cli *cli, int argc, char **argv)
{
    const struct flag flags[] = {{0}};
    int status = flags_parse(cli, flags, false, &argc, &argv);
    if (status >= 0)
        return status;
    if (argc > 1)
        return cli_wrong(cli, "unexpected \"%s\"", argv[1]);
    char name[] = "weir", flag[] = "--help";
    char *help_argv[] = {name, flag, NULL};
    if (argc == 0)
        return commands_run(2, help_argv);
    cli->command = commands_find(argv[0]);
    if (cli->command == NULL)
        return commands_unknown("command", argv[0]);
    return cli->command->run(cli, 2, help_argv);
}
