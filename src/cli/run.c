#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/flags.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "stage/config.h"
#include "stage/stage.h"

struct reloading {
    const struct cli *cli;
    const char *file;
    struct progress progress;
};

static struct config *reload(void *arg)
{
    struct reloading *r = arg;
    int status;
    return load_config(r->cli, r->file, false, &status);
}

static void show(void *arg, const struct agent_progress *p)
{
    struct reloading *r = arg;
    progress_show(&r->progress, p->done, p->expected, p->records);
}

/* "weir run --dry-run …" is "weir dry-run …": take the word out and let that command read the rest. */
static bool is_dry(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return false;
        if (strcmp(argv[i], "--dry-run") != 0)
            continue;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
        --*argc;
        return true;
    }
    return false;
}

/* A source of ${config} that has no end to wait for; NULL: none. */
static const struct stage *find_endless(const struct config *config, const char **pipeline)
{
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct pipeline_config *p = &config->pipelines[i];
        for (size_t k = 0; k < p->sources.count; k++) {
            *pipeline = p->name;
            if (p->sources.items[k].type->endless)
                return p->sources.items[k].type;
        }
    }
    return NULL;
}

int run_run(struct cli *cli, int argc, char **argv)
{
    if (is_dry(&argc, argv)) {
        cli->command = commands_find("dry-run");
        return dry_run_run(cli, argc, argv);
    }
    const char *file = NULL;
    bool once = false, dry = false;
    const struct flag flags[] = {
        {'c', "config", "FILE", &file, NULL, "the configuration: a file, or a directory of *.json"},
        {0, "dry-run", NULL, NULL, &dry, "the same as \"weir dry-run\", with its flags"},
        {0, "once", NULL, NULL, &once, "read every source to its present end, deliver, and exit"},
        {0},
    };
    int status = flags_only(cli, flags, argc, argv);
    if (status >= 0)
        return status;
    struct config *config = load_config(cli, file, false, &status);
    if (config == NULL)
        return status;
    const char *pipeline;
    const struct stage *endless = once ? find_endless(config, &pipeline) : NULL;
    if (endless != NULL) {
        status = cli_wrong(cli, "--once: the source %s of pipeline \"%s\" has no end", endless->type, pipeline);
        config_free(&config);
        return status;
    }
    struct reloading r = {.cli = cli, .file = file};
    struct agent_options options = {.once = once, .reload = reload, .arg = &r};
    if (once && isatty(STDERR_FILENO)) {
        progress_start(&r.progress);
        options.progress = show;
    }
    struct err e = {0};
    int rc = agent_run(&config, &options, &e);
    if (options.progress != NULL)
        progress_end(&r.progress);
    if (err_is(&e))
        log_error(NULL, "%s", e.text);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}
