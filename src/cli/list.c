#include "cli/cli.h"

#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "cli/flags.h"
#include "stage/manual.h"
#include "stage/reference.h"
#include "stage/stages.h"

static int unknown_type(const struct cli *cli, const char *type)
{
    struct buf hint = {0};
    struct nearest near = nearest_to(type);
    for (size_t i = 0; stages[i] != NULL; i++)
        nearest_try(&near, stages[i]->type);
    nearest_add(&near, &hint);
    const char *text = buf_cstr(&hint);
    int status = cli_wrong(cli, "there is no stage \"%s\"%s", type, text == NULL ? "" : text);
    buf_clear(&hint);
    return status;
}

/* A type may be both a source and a sink: then both. */
static int print_manual(const struct cli *cli, const char *type)
{
    struct buf out = {0};
    for (size_t i = 0; stages[i] != NULL; i++) {
        if (strcmp(stages[i]->type, type) != 0)
            continue;
        if (out.len > 0)
            buf_char(&out, '\n');
        manual_stage(stages[i], &out);
    }
    if (out.len == 0 && !out.failed)
        return unknown_type(cli, type);
    return cli_print(&out);
}

int list_run(struct cli *cli, int argc, char **argv)
{
    const char *format = "text";
    const struct flag flags[] = {
        {0, "format", "text|markdown|names", &format, NULL,
         "markdown: the whole reference; names: KIND/TYPE, for completion"},
        {0},
    };
    int status = flags_parse(cli, flags, false, &argc, &argv);
    if (status >= 0)
        return status;
    bool text = strcmp(format, "text") == 0;
    if (argc > 1 || (argc == 1 && !text))
        return cli_wrong(cli, "unexpected \"%s\"", argv[argc - 1]);
    if (argc == 1)
        return print_manual(cli, argv[0]);
    struct buf out = {0};
    if (text)
        manual_list(stages, &out);
    else if (strcmp(format, "markdown") == 0)
        reference_markdown(stages, &out);
    else
        manual_names(stages, &out);
    return cli_print(&out);
}
