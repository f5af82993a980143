#include "cli/load.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/cli.h"
#include "config/report.h"
#include "stage/config.h"
#include "stage/stages.h"

/* A log that a program reads stays in its format, also when it tells of a reload. */
static void log_problems(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_problem *p = &report->problems[i];
        log_error(NULL, "%s:%u:%u: %s%s%s", p->file, p->line, p->column, p->path, p->path[0] == '\0' ? "" : ": ",
                  p->message);
    }
}

struct config *load_config(const struct cli *cli, const char *file, bool json, int *status)
{
    struct config_report report = {0};
    struct buf out = {0};
    bool log_json = strcmp(cli->log_format, "json") == 0;
    if (file == NULL) {
        *status = cli_wrong(cli, "which configuration? -c FILE is missing");
        return NULL;
    }
    struct config *config = config_load(file, stages, &report);
    *status = config != NULL ? CLI_OK : report.failed ? CLI_FAILED : CLI_INVALID;
    if (config == NULL && json)
        report_json(&report, &out);
    else if (config == NULL && log_json)
        log_problems(&report);
    else if (config == NULL)
        report_text(&report, &out);
    if (out.len > 0)
        fwrite(out.data, 1, out.len, stderr);
    if (report.failed || out.failed)
        fprintf(stderr, "weir: out of memory\n");
    buf_clear(&out);
    report_clear(&report);
    return config;
}
