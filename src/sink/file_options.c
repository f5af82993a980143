#include "sink/file_options.h"

#include <string.h>

#include "base/err.h"
#include "config/report.h"
#include "record/zone.h"
#include "sink/file_path.h"

#define KEEP_MOST 1000

static const char *const deliveries[] = {"at_least_once", "exactly_once", NULL};
static const char *const syncs[] = {"none", "always", NULL};
static const char *const encodings[] = {"auto", "json", "text", NULL};

static const struct option rotate_options[] = {
    {.key = "max_bytes", .type = OPTION_SIZE, .offset = offsetof(struct file_rotation, max_bytes), .min = 1024,
     .words = "Rotate before a record (or a compressed member) would make the file larger than this. One that is larger by itself has a file of its own."},
    {.key = "max_age", .type = OPTION_DURATION, .offset = offsetof(struct file_rotation, max_age), .min = 1000,
     .words = "Rotate with the first record that comes when the file was created so long ago. A restart does not change that."},
    {.key = "keep", .type = OPTION_INT, .offset = offsetof(struct file_rotation, keep), .fallback = "5", .min = 1, .max = KEEP_MOST,
     .words = "How many rotated files there may be beside the one that is written: PATH.1, the newest, to PATH.N. The oldest is deleted."},
    {0},
};

#define AT(field) offsetof(struct file_settings, field)
const struct option file_options[] = {
    {.key = "path", .type = OPTION_STRING, .offset = AT(path), .required = true, .min = 1,
     .words = "The file to append to. May hold {.field}, {@meta} and {%Y-%m-%d}, see above; {{ and }} are braces. Missing directories are "
              "created."},
    {.key = "timezone", .type = OPTION_STRING, .offset = AT(timezone), .fallback = "\"UTC\"", .min = 1,
     .words = "On whose clock {%…} is: UTC, +02:00, local, or a name such as Europe/Berlin."},
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. A line feed follows each. Bytes are written as they are."},
    {.key = "delivery", .type = OPTION_CHOICE, .offset = AT(delivery),
     .fallback = "\"at_least_once\"", .choices = deliveries,
     .words = "What is promised after a crash: at_least_once: nothing is missing, the newest records may be there twice; exactly_once: nor is anything there "
              "twice, see above."},
    {.key = "sync", .type = OPTION_CHOICE, .offset = AT(sync), .fallback = "\"none\"",
     .choices = syncs,
     .words = "When a record counts as delivered: none: when it was written (it survives a crash of weir, not one of the "
              "machine); always: when fsync(2) has returned."},
    {.key = "mode", .type = OPTION_MODE, .offset = AT(mode), .fallback = "\"0640\"",
     .words = "Permissions of a new file, as octal digits; exactly these, whatever the umask is."},
    {.key = "rotate", .type = OPTION_OBJECT, .offset = AT(rotate), .given = AT(rotate.given), .fields = rotate_options,
     .words = "Rename the file to PATH.1, that to PATH.2 and so on, and begin a new one. Needs max_bytes, max_age or both."},
    {.key = "max_open_files", .type = OPTION_INT, .offset = AT(max_open_files), .fallback = "100", .min = 1, .max = 65536,
     .words = "How many files a path with placeholders may hold open; beyond it the one that was not written the longest is closed."},
    {.key = "close_inactive", .type = OPTION_DURATION, .offset = AT(close_inactive), .fallback = "\"5m\"", .min = 100,
     .words = "Close a file of lines that was not written for so long."},
    {0},
};

unsigned file_options_keep(const struct file_settings *set)
{
    return set->rotate.given ? (unsigned)set->rotate.keep : 0;
}

void file_options_check(const void *settings, struct config_report *report)
{
    const struct file_settings *set = settings;
    struct err e = {0}, zone_error = {0};
    struct file_path *path = file_path_new(set->path, file_options_keep(set), &e);
    struct zone *zone = zone_new(set->timezone, &zone_error);
    report->failed = report->failed || e.code == ERR_NOMEM || zone_error.code == ERR_NOMEM;
    if (path == NULL && e.code != ERR_NOMEM)
        report_key(report, "path", "%s", e.text);
    if (zone == NULL && zone_error.code != ERR_NOMEM)
        report_key(report, "timezone", "%s", zone_error.text);
    if (set->rotate.given && set->rotate.max_bytes == 0 && set->rotate.max_age <= 0)
        report_key(report, "rotate", "expected \"max_bytes\", \"max_age\" or both");
    zone_free(&zone);
    file_path_free(&path);
}

const char *file_options_need_records(const void *settings)
{
    const struct file_settings *set = settings;
    struct file_path *path = set->path != NULL ? file_path_new(set->path, 0, NULL) : NULL;
    bool needs = path != NULL && file_path_needs_records(path);
    file_path_free(&path);
    return needs ? "path" : NULL;
}

const char *file_options_output(const void *settings, bool *numbered)
{
    const struct file_settings *set = settings;
    *numbered = set->rotate.given;
    return set->path != NULL && strpbrk(set->path, "{}") == NULL ? set->path : NULL;
}

bool file_options_exact(const void *settings)
{
    const struct file_settings *set = settings;
    return set->delivery == FILE_EXACTLY_ONCE;
}
