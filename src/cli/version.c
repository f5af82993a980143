#include "config.h"

#include "cli/cli.h"

#include <ev.h>
#include <jansson.h>
#include <zlib.h>

#include "base/buf.h"
#include "cli/flags.h"
#include "record/expr.h"
#include "record/regex.h"

int version_run(struct cli *cli, int argc, char **argv)
{
    const struct flag flags[] = {{0}};
    int status = flags_only(cli, flags, argc, argv);
    if (status >= 0)
        return status;
    struct buf out = {0};
    buf_fmt(&out, "weir %s\n", PACKAGE_VERSION);
    buf_fmt(&out, "  libev    %d.%d\n", ev_version_major(), ev_version_minor());
    buf_fmt(&out, "  jansson  %s\n", jansson_version_str());
    buf_fmt(&out, "  zlib     %s\n", zlibVersion());
    buf_fmt(&out, "  pcre2    %s\n", regex_built_in() ? "yes" : "not built in");
#ifdef HAVE_ISAL
    buf_str(&out, "  gzip     levels 1 to 3 by ISA-L, 4 to 9 by zlib\n");
#else
    buf_str(&out, "  gzip     by zlib (ISA-L is not built in)\n");
#endif
#ifdef HAVE_ZSTD
    buf_str(&out, "  zstd     yes\n");
#else
    buf_str(&out, "  zstd     not built in\n");
#endif
#ifdef HAVE_LZ4
    buf_str(&out, "  lz4      yes\n");
#else
    buf_str(&out, "  lz4      not built in\n");
#endif
    return cli_print(&out);
}
