/* The option table of the tail source: see tail.h. */
#include "config/report.h"
#include "source/tail.h"

static const char *const starts[] = {"beginning", "end", NULL};
static const char *const long_lines[] = {"truncate", "split", "skip", NULL};

#define AT(field) offsetof(struct tail_settings, field)
const struct option tail_options[] = {
    {.key = "include", .type = OPTION_STRINGS, .offset = AT(include), .required = true, .min = 1,
     .words = "Files to follow: paths or patterns with * ? [ ] and ** for any number of directories."},
    {.key = "exclude", .type = OPTION_STRINGS, .offset = AT(exclude), .fallback = "[]",
     .words = "Patterns of files to leave out. One without / is compared with the file name alone."},
    {.key = "start_at", .type = OPTION_CHOICE, .offset = AT(start_at), .fallback = "\"beginning\"",
     .choices = starts,
     .words = "Where to start in a file that is there when weir starts and has no checkpoint. Files that appear later "
              "are read from their beginning."},
    {.key = "max_line_bytes", .type = OPTION_SIZE, .offset = AT(max_line_bytes),
     .fallback = "\"1MiB\"", .min = 64, .max = 1 << 30,
     .words = "Longest line, terminator not counted."},
    {.key = "on_long_line", .type = OPTION_CHOICE, .offset = AT(on_long_line),
     .fallback = "\"truncate\"", .choices = long_lines,
     .words = "What becomes of a longer line: its head is sent, all of it in pieces, or nothing. Each is counted and logged "
              "with file and offset, and the file goes on behind it."},
    {.key = "rotate_wait", .type = OPTION_DURATION, .offset = AT(rotate_wait), .fallback = "\"5s\"",
     .max = 86400000,
     .words = "How long a renamed or removed file must not grow before it counts as finished."},
    {.key = "ignore_older", .type = OPTION_DURATION, .offset = AT(ignore_older), .fallback = "0",
     .words = "Do not begin to follow files that were last written longer ago; 0: follow all."},
    {.key = "close_inactive", .type = OPTION_DURATION, .offset = AT(close_inactive),
     .fallback = "\"5m\"", .min = 1000,
     .words = "Close the descriptor of a file that has not grown for so long. It is still followed."},
    {.key = "rescan_interval", .type = OPTION_DURATION, .offset = AT(rescan_interval),
     .fallback = "\"10s\"", .min = 100,
     .words = "Safety net under inotify: look at all patterns again so long after something happened; periodically where "
              "inotify cannot be relied on (network file systems, watch limit reached)."},
    {.key = "forget_after", .type = OPTION_DURATION, .offset = AT(forget_after), .fallback = "\"168h\"",
     .min = 60000,
     .words = "Forget the offset of a file that has been gone for so long."},
    {.key = "follow_symlinks", .type = OPTION_BOOL, .offset = AT(follow_symlinks), .fallback = "true",
     .words = "Follow symbolic links that a pattern finds."},
    {.key = "strip_cr", .type = OPTION_BOOL, .offset = AT(strip_cr), .fallback = "false",
     .words = "A carriage return before the line feed does not belong to the line."},
    {.key = "compressed", .type = OPTION_BOOL, .offset = AT(compressed), .fallback = "false",
     .words = "Read the text of files that are gzip or zstd data, as they begin, whatever their names are. Offsets are those of the text. Such a file is finished, "
              "its last line without terminator too, when it has not grown for rotate_wait."},
    {.key = "remove_after", .type = OPTION_ABSENT, .words = "removing files that were read"},
    {0},
};

void tail_options_check(const void *settings, struct config_report *report)
{
    const struct tail_settings *set = settings;
    for (size_t i = 0; i < set->include.count; i++)
        if (set->include.items[i][0] == '\0')
            report_key(report, "include", "expected a path or pattern, got \"\"");
}

/* A file that came after the checkpoint would be taken for one that was there before, and its lines left out. */
const char *tail_options_replays(const void *settings)
{
    const struct tail_settings *set = settings;
    return set->start_at == TAIL_END ? "start_at" : "";
}
