#include "cli/load.h"

#include <stdio.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "config/report.h"
#include "stage/config.h"
#include "stage/stages.h"

struct config *load_config(const struct cli *cli, const char *file, bool json, int *status)
{
    struct config_report report = {0};
    struct buf out = {0};
    if (file == NULL) {
        *status = cli_wrong(cli, "which configuration? -c FILE is missing");
        return NULL;
    }
    struct config *config = config_load(file, stages, &report);
    *status = config != NULL ? CLI_OK : report.failed ? CLI_FAILED : CLI_INVALID;
    if (config == NULL && json)
        report_json(&report, &out);
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
