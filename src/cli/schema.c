#include "cli/cli.h"

#include "base/buf.h"
#include "cli/flags.h"
#include "stage/schema.h"
#include "stage/stages.h"

int schema_run(struct cli *cli, int argc, char **argv)
{
    const struct flag flags[] = {{0}};
    int status = flags_only(cli, flags, argc, argv);
    if (status >= 0)
        return status;
    struct buf out = {0};
    schema_add(stages, &out);
    return cli_print(&out);
}
