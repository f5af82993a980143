#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dry_run.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/dry_print.h"
#include "cli/flags.h"
#include "cli/load.h"
#include "stage/config.h"

struct printing {
    bool json, color, failed;
};

static void flush(struct printing *p, struct buf *out)
{
    if (out->failed || fwrite(out->data, 1, out->len, stdout) != out->len)
        p->failed = true;
    buf_clear(out);
}

static void print_account(void *arg, const struct dry_account *a)
{
    struct printing *p = arg;
    struct buf out = {0};
    if (p->json)
        dry_json_account(&out, a);
    else
        dry_text_account(&out, a, p->color);
    flush(p, &out);
}

static void print_summary(struct printing *p, const struct dry_summary *s)
{
    struct buf out = {0};
    if (p->json)
        dry_json_summary(&out, s);
    else
        dry_text_summary(&out, s, p->color);
    flush(p, &out);
    if (fflush(stdout) != 0)
        p->failed = true;
}

/* Which of the words in ${list}, "drop,error", are there? -1: another word, which *${bad} then is. */
enum { FAIL_DROP = 1, FAIL_ERROR = 2, FAIL_TRUNCATED = 4, FAIL_EMPTY = 8 };

static int parse_fail_on(const char *list)
{
    static const char *const words[] = {"drop", "error", "truncated", "empty"};
    int set = 0;
    while (*list != '\0') {
        size_t n = strcspn(list, ","), i;
        for (i = 0; i < 4; i++)
            if (strlen(words[i]) == n && memcmp(list, words[i], n) == 0)
                break;
        if (i == 4)
            return -1;
        set |= 1 << i;
        list += n + (list[n] == ',');
    }
    return set;
}

static bool found_forbidden(int fail_on, const struct dry_summary *s)
{
    return ((fail_on & FAIL_DROP) && s->dropped > 0) || ((fail_on & FAIL_ERROR) && s->errors > 0) ||
           ((fail_on & FAIL_TRUNCATED) && s->truncated > 0) || ((fail_on & FAIL_EMPTY) && s->records_out == 0);
}

static bool parse_limit(const char *text, int64_t *limit)
{
    char *end;
    errno = 0;
    *limit = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && errno == 0 && *limit >= 0;
}

static enum dry_from parse_from(const char *word)
{
    if (strcmp(word, "checkpoint") == 0)
        return DRY_CHECKPOINT;
    return strcmp(word, "end") == 0 ? DRY_END : DRY_START;
}

static bool wants_color(const struct cli *cli)
{
    if (strcmp(cli->color, "auto") == 0)
        return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    return strcmp(cli->color, "always") == 0;
}

int dry_run_run(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *number = "10", *from = "start", *format = "text", *fail_on = "";
    struct dry_options options = {0};
    const struct flag flags[] = {
        {'c', "config", "FILE", &file, NULL, "the configuration: a file, or a directory of *.json"},
        {'n', "records", "N", &number, NULL, "how many records of each source; 0: all (10)"},
        {0, "input", "FILE", &options.input, NULL, "read this in place of the sources; -: standard input"},
        {0, "pipeline", "NAME", &options.pipeline, NULL, "this pipeline only"},
        {0, "from", "checkpoint|start|end", &from, NULL,
         "where to start: where weir run would, at the beginning, or with what is written from now on (start)"},
        {0, "format", "text|json", &format, NULL, "how it is told; json: one object a line (text)"},
        {0, "fail-on", "WORDS", &fail_on, NULL,
         "exit with status 3 when there was any of these: drop,error,truncated,empty"},
        {0},
    };
    int status = flags_only(cli, flags, argc, argv);
    if (status >= 0)
        return status;
    int forbidden = parse_fail_on(fail_on);
    if (forbidden < 0)
        return cli_wrong(cli, "--fail-on: expected some of drop,error,truncated,empty, got \"%s\"", fail_on);
    if (!parse_limit(number, &options.limit))
        return cli_wrong(cli, "-n: expected a number of records, got \"%s\"", number);
    options.from = parse_from(from);
    struct config *config = load_config(cli, file, false, &status);
    if (config == NULL)
        return status;
    struct printing p = {.json = strcmp(format, "json") == 0, .color = wants_color(cli)};
    struct dry_summary summary;
    struct err e = {0};
    options.account = print_account;
    options.arg = &p;
    int rc = dry_run(config, &options, &summary, &e);
    if (rc == 0)
        print_summary(&p, &summary);
    else
        fprintf(stderr, "weir dry-run: %s\n", e.text);
    status = rc != 0 || p.failed ? e.code == ERR_INVALID ? CLI_INVALID : CLI_FAILED
             : found_forbidden(forbidden, &summary) ? CLI_FOUND
                                                    : CLI_OK;
    dry_summary_clear(&summary);
    config_free(&config);
    return status;
}
