#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

int cli_print(struct buf *out)
{
    int status = CLI_OK;
    bool written = fwrite(out->len == 0 ? "" : out->data, 1, out->len, stdout) == out->len &&
                   fflush(stdout) == 0;
    if (out->failed) {
        fprintf(stderr, "weir: out of memory\n");
        status = CLI_FAILED;
    } else if (!written) {
        fprintf(stderr, "weir: cannot write to stdout: %s\n", strerror(errno));
        status = CLI_FAILED;
    }
    buf_clear(out);
    return status;
}

int cli_wrong(const struct cli *cli, const char *fmt, ...)
{
    struct buf line = {0};
    const char *command = cli->command == NULL ? "" : cli->command->name;
    const char *space = cli->command == NULL ? "" : " ";
    va_list ap;
    va_start(ap, fmt);
    buf_vfmt(&line, fmt, ap);
    va_end(ap);
    const char *text = buf_cstr(&line);
    fprintf(stderr, "weir%s%s: %s\nTry \"weir%s%s --help\".\n", space, command,
            text == NULL ? "out of memory" : text, space, command);
    buf_clear(&line);
    return CLI_INVALID;
}
