#include "cli/flags.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/nearest.h"

#define FLAGS_MAX 32
#define LONG_BASE 256 /* getopt's value of flags[0]: above every letter */

/* The flags of a command and the common ones, as getopt_long wants them. */
struct parser {
    struct cli *cli;
    const struct flag *own;
    struct flag flags[FLAGS_MAX];
    struct option longs[FLAGS_MAX + 1];
    char letters[2 * FLAGS_MAX + 3];
    size_t count, own_count;
    bool help;
};

static void add_flag(struct parser *p, const struct flag *f)
{
    if (p->count == FLAGS_MAX)
        return;
    p->longs[p->count] =
        (struct option){.name = f->name,
                        .has_arg = f->value == NULL ? no_argument : required_argument,
                        .val = LONG_BASE + (int)p->count};
    size_t n = strlen(p->letters);
    if (f->letter != 0) {
        p->letters[n] = f->letter;
        p->letters[n + 1] = f->value == NULL ? '\0' : ':';
    }
    p->flags[p->count++] = *f;
}

static void add_flags(struct parser *p, const struct flag *own, bool stop)
{
    const struct flag common[] = {
        {0, "log-level", "error|warn|info|debug", &p->cli->log_level, NULL,
         "how much the agent's own log on stderr says (info)"},
        {0, "log-format", "text|json", &p->cli->log_format, NULL, "how it says it (text)"},
        {0, "color", "auto|always|never", &p->cli->color, NULL, "whether it has colours (auto)"},
        {'h', "help", NULL, NULL, &p->help, "this page"},
    };
    strcpy(p->letters, stop ? "+:" : ":"); /* ':': a missing value is told from an unknown flag */
    for (const struct flag *f = own; f->name != NULL; f++)
        add_flag(p, f);
    p->own_count = p->count;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        add_flag(p, &common[i]);
}

static const struct flag *find(const struct parser *p, int value)
{
    for (size_t i = 0; i < p->count; i++) {
        if (value == LONG_BASE + (int)i || (value == p->flags[i].letter && value != 0))
            return &p->flags[i];
    }
    return NULL;
}

/* Is ${word} one of ${words}, "a|b|c"? Any word is, when there is no bar. */
static bool allowed(const char *words, const char *word)
{
    size_t len = strlen(word);
    if (strchr(words, '|') == NULL)
        return true;
    for (;;) {
        size_t n = strcspn(words, "|");
        if (n == len && memcmp(words, word, n) == 0)
            return true;
        if (words[n] == '\0')
            return false;
        words += n + 1;
    }
}

static int unknown(const struct parser *p, const char *token)
{
    struct buf name = {0}, hint = {0}, near_name = {0};
    if (strncmp(token, "--", 2) != 0)
        return cli_wrong(p->cli, "unknown flag -%c", optopt);
    buf_add(&name, token + 2, strcspn(token + 2, "="));
    const char *text = buf_cstr(&name), *near_text = "";
    struct nearest near = nearest_to(text == NULL ? "" : text);
    for (size_t i = 0; i < p->count; i++)
        nearest_try(&near, p->flags[i].name);
    if (near.best != NULL) {
        buf_fmt(&near_name, "--%s", near.best);
        near.best = buf_cstr(&near_name);
    }
    nearest_add(&near, &hint);
    near_text = buf_cstr(&hint);
    int status = cli_wrong(p->cli, "unknown flag \"--%s\"%s", text == NULL ? "" : text,
                           near_text == NULL ? "" : near_text);
    buf_clear(&name);
    buf_clear(&hint);
    buf_clear(&near_name);
    return status;
}

/* What getopt_long said: '?', ':' or a flag. -1: go on. */
static int take(struct parser *p, int got, char **argv)
{
    const struct flag *f = find(p, got == '?' || got == ':' ? optopt : got);
    if (f == NULL)
        return unknown(p, argv[optind - 1]);
    if (got == ':')
        return cli_wrong(p->cli, "--%s needs a value: %s", f->name, f->value);
    if (got == '?')
        return cli_wrong(p->cli, "--%s takes no value", f->name);
    if (f->value == NULL) {
        *f->given = true;
        return -1;
    }
    if (!allowed(f->value, optarg))
        return cli_wrong(p->cli, "--%s: expected %s, got \"%s\"", f->name, f->value, optarg);
    *f->string = optarg;
    return -1;
}

static void add_help(const struct flag *f, struct buf *out)
{
    struct buf left = {0};
    if (f->letter != 0)
        buf_fmt(&left, "-%c, ", f->letter);
    else
        buf_str(&left, "    ");
    buf_fmt(&left, "--%s%s%s", f->name, f->value == NULL ? "" : " ",
            f->value == NULL ? "" : f->value);
    const char *text = buf_cstr(&left);
    buf_fmt(out, "  %-38s %s\n", text == NULL ? "" : text, f->words);
    out->failed = out->failed || left.failed;
    buf_clear(&left);
}

static int print_help(const struct parser *p)
{
    struct buf out = {0};
    const struct command *c = p->cli->command;
    if (c == NULL)
        commands_usage(&out);
    else
        buf_fmt(&out, "Usage: weir %s %s\n\n%s.\n", c->name, c->usage, c->summary);
    buf_str(&out, "\nFlags:\n");
    for (size_t i = 0; i < p->count; i++)
        add_help(&p->flags[i], &out);
    return cli_print(&out);
}

static void set_up_log(const struct cli *cli)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    unsigned level = LOG_ERROR;
    while (level < LOG_DEBUG && strcmp(levels[level], cli->log_level) != 0)
        level++;
    bool color = strcmp(cli->color, "always") == 0 ||
                 (strcmp(cli->color, "auto") == 0 && isatty(STDERR_FILENO));
    log_setup((enum log_level)level, strcmp(cli->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT,
              color);
}

int flags_parse(struct cli *cli, const struct flag *flags, bool stop, int *argc, char ***argv)
{
    struct parser p = {.cli = cli};
    int got, status = -1;
    add_flags(&p, flags, stop);
    optind = 0; /* start over, forgetting what an earlier call has seen (glibc) */
    opterr = 0;
    while (status < 0 && (got = getopt_long(*argc, *argv, p.letters, p.longs, NULL)) != -1)
        status = take(&p, got, *argv);
    if (status < 0 && p.help)
        status = print_help(&p);
    if (status >= 0)
        return status;
    set_up_log(cli);
    *argc -= optind;
    *argv += optind;
    return -1;
}

static bool takes_config(const struct flag *flags)
{
    while (flags->name != NULL && strcmp(flags->name, "config") != 0)
        flags++;
    return flags->name != NULL;
}

int flags_only(struct cli *cli, const struct flag *flags, int argc, char **argv)
{
    int status = flags_parse(cli, flags, false, &argc, &argv);
    if (status < 0 && argc > 0)
        return cli_wrong(cli, takes_config(flags) ? "unexpected \"%s\": a configuration is named with -c"
                                                  : "unexpected \"%s\"", argv[0]);
    return status;
}
