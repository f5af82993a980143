/*
 * file_options: what the configuration of a file sink says, and what is wrong with it.
 */
#ifndef WEIR_SINK_FILE_OPTIONS_H
#define WEIR_SINK_FILE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/option.h"
#include "sink/file_out.h"

struct config_report;

enum { FILE_SYNC_NONE, FILE_SYNC_ALWAYS };
enum { FILE_AT_LEAST_ONCE, FILE_EXACTLY_ONCE };

struct file_settings {
    char *path, *timezone;
    int delivery, sync, encoding;
    unsigned mode;
    int64_t max_open_files;
    double close_inactive;
    struct file_rotation rotate;
};

extern const struct option file_options[];

/* How many rotated files there may be; 0: none. */
unsigned file_options_keep(const struct file_settings *set);

/* The hooks check, needs_records, output and exact of the stage: see stage.h. */
void file_options_check(const void *settings, struct config_report *report);
const char *file_options_need_records(const void *settings);
const char *file_options_output(const void *settings, bool *numbered);
bool file_options_exact(const void *settings);

#endif
