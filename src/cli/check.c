#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/flags.h"
#include "cli/load.h"
#include "stage/config.h"

static void add_names(const struct stage_list *list, const char *between, struct buf *out);

/* A stage by name; a sink with what it has in front. */
static void add_name(const struct stage_config *sc, struct buf *out)
{
    buf_str(out, sc->name);
    if (sc->where == NULL && sc->transforms.count == 0)
        return;
    buf_str(out, " (");
    if (sc->where != NULL)
        buf_fmt(out, "where%s", sc->transforms.count == 0 ? "" : " → ");
    add_names(&sc->transforms, " → ", out);
    buf_char(out, ')');
}

static void add_names(const struct stage_list *list, const char *between, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_str(out, between);
        add_name(&list->items[i], out);
    }
}

/* "app: tail → json → gzip → tcp, file" */
static void add_pipeline(const struct pipeline_config *p, struct buf *out)
{
    buf_fmt(out, "%s: ", p->name);
    add_names(&p->sources, ", ", out);
    buf_str(out, " → ");
    add_names(&p->transforms, " → ", out);
    buf_str(out, p->transforms.count == 0 ? "" : " → ");
    add_names(&p->sinks, ", ", out);
    buf_char(out, '\n');
}

int check_run(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *format = "text";
    const struct flag flags[] = {
        {'c', "config", "FILE", &file, NULL, "the configuration: a file, or a directory of *.json"},
        {0, "format", "text|json", &format, NULL, "how problems are told (text)"},
        {0},
    };
    int status = flags_only(cli, flags, argc, argv);
    if (status >= 0)
        return status;
    bool json = strcmp(format, "json") == 0;
    struct config *config = load_config(cli, file, json, &status);
    if (config == NULL)
        return status;
    if (json)
        fputs("[]\n", stderr);
    struct buf out = {0};
    for (size_t i = 0; i < config->pipeline_count; i++)
        add_pipeline(&config->pipelines[i], &out);
    config_free(&config);
    return cli_print(&out);
}
