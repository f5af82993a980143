#include "config_stages.h"

#include <string.h>

#include "config/report.h"

static const char *const starts[] = {"beginning", "end", NULL};
static const char *const on_errors[] = {"pass", "drop", NULL};

static const struct option tail_options[] = {
    {"include", OPTION_STRINGS, offsetof(struct test_tail, include), .required = true, .min = 1,
     .words = "Globs."},
    {"start_at", OPTION_CHOICE, offsetof(struct test_tail, start_at), .fallback = "\"beginning\"",
     .choices = starts, .words = "Where."},
    {"max_line_bytes", OPTION_SIZE, offsetof(struct test_tail, max_line_bytes),
     .fallback = "\"1MiB\"", .min = 1024, .max = 1 << 30, .words = "Longest line."},
    {"rescan_interval", OPTION_DURATION, offsetof(struct test_tail, rescan_interval),
     .fallback = "10", .min = 100, .words = "How often."},
    {"strip_cr", OPTION_BOOL, offsetof(struct test_tail, strip_cr), .fallback = "false",
     .words = "Whether."},
    {"compressed", OPTION_ABSENT, .words = "reading compressed files"},
    {0},
};

static const struct option json_options[] = {
    {"field", OPTION_PATH, offsetof(struct test_json, field), .fallback = "\".message\"",
     .words = "Which."},
    {"on_error", OPTION_CHOICE, offsetof(struct test_json, on_error), .fallback = "\"pass\"",
     .choices = on_errors, .words = "What then."},
    {0},
};

static const struct option filter_options[] = {
    {"where", OPTION_EXPR, offsetof(struct test_filter, where), .required = true,
     .words = "What stays."},
    {0},
};

static const struct option gzip_options[] = {
    {"level", OPTION_INT, offsetof(struct test_gzip, level), .fallback = "6", .min = 1, .max = 9,
     .words = "How hard."},
    {0},
};

static const struct option tcp_options[] = {
    {"address", OPTION_ADDRESSES, offsetof(struct test_tcp, address), .required = true, .min = 1,
     .words = "Where to."},
    {"bind", OPTION_ADDRESS, offsetof(struct test_tcp, bind), .words = "Where from."},
    {"tls", OPTION_ABSENT, .words = "TLS"},
    {0},
};

static const struct option rotate_options[] = {
    {"max_bytes", OPTION_SIZE,
     offsetof(struct test_file, rotate.max_bytes) - offsetof(struct test_file, rotate),
     .words = "When."},
    {"keep", OPTION_INT,
     offsetof(struct test_file, rotate.keep) - offsetof(struct test_file, rotate), .fallback = "5",
     .min = 1, .words = "How many."},
    {0},
};

static const struct option file_options[] = {
    {"path", OPTION_STRING, offsetof(struct test_file, path), .required = true, .min = 1,
     .words = "Where."},
    {"mode", OPTION_MODE, offsetof(struct test_file, mode), .fallback = "\"0640\"",
     .words = "Bits."},
    {"rotate", OPTION_OBJECT, offsetof(struct test_file, rotate), .fields = rotate_options,
     .words = "Rotation."},
    {0},
};

static void file_check(const void *settings, struct config_report *report)
{
    const struct test_file *f = settings;
    if (f->path[0] != '/')
        report_key(report, "path", "expected an absolute path, got \"%s\"", f->path);
    if (strcmp(f->path, "/mode") == 0)
        report_key(report, "mode", "required with this path");
    if (strcmp(f->path, "/self") == 0)
        report_key(report, "", "cannot write to itself");
}

#define STAGE(kind_, type_, in_, out_, options_, struct_, example_)                                \
    {                                                                                              \
        .kind = kind_, .type = type_, .summary = "A " type_ ".", .description = "For tests.",      \
        .example = example_, .in = PAYLOAD_##in_, .out = PAYLOAD_##out_, .options = options_,      \
        .settings_size = struct_                                                                   \
    }

static const struct stage tail =
    STAGE(STAGE_SOURCE, "tail", NONE, RECORDS, tail_options, sizeof(struct test_tail),
          "{\"type\":\"tail\",\"include\":\"/var/log/*.log\"}");
static const struct stage wire =
    STAGE(STAGE_SOURCE, "wire", NONE, BYTES, NULL, 0, "{\"type\":\"wire\"}");
static const struct stage json = STAGE(STAGE_TRANSFORM, "json", RECORDS, RECORDS, json_options,
                                       sizeof(struct test_json), "{\"type\":\"json\"}");
static const struct stage filter =
    STAGE(STAGE_TRANSFORM, "filter", RECORDS, RECORDS, filter_options, sizeof(struct test_filter),
          "{\"type\":\"filter\",\"where\":\".a == 1\"}");
static const struct stage gzip = STAGE(STAGE_TRANSFORM, "gzip", RECORDS, BYTES, gzip_options,
                                       sizeof(struct test_gzip), "{\"type\":\"gzip\"}");
static const struct stage pass =
    STAGE(STAGE_TRANSFORM, "pass", ANY, ANY, NULL, 0, "{\"type\":\"pass\"}");
static const struct stage tcp =
    STAGE(STAGE_SINK, "tcp", ANY, NONE, tcp_options, sizeof(struct test_tcp),
          "{\"type\":\"tcp\",\"address\":\"a:1\"}");
static const struct stage lines =
    STAGE(STAGE_SINK, "lines", RECORDS, NONE, NULL, 0, "{\"type\":\"lines\"}");
static const struct stage file = {
    .kind = STAGE_SINK,
    .type = "file",
    .summary = "A file.",
    .description = "For tests.",
    .example = "{\"type\":\"file\",\"path\":\"/x\"}",
    .in = PAYLOAD_ANY,
    .options = file_options,
    .settings_size = sizeof(struct test_file),
    .check = file_check,
};

const struct stage *const config_stages[] = {&tail, &wire, &json,  &filter, &gzip,
                                             &pass, &tcp,  &lines, &file,   NULL};
