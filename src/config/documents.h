/*
 * documents: the files that one configuration is made of.
 *
 * A file, or every *.json of a directory in name order; then what their "include" patterns name, relative to the folder of the file
 * that says so, also of included files. A file is loaded once, however often it is named. A pattern with
 * wildcards may match nothing.
 */
#ifndef WEIR_CONFIG_DOCUMENTS_H
#define WEIR_CONFIG_DOCUMENTS_H

#include <stddef.h>
#include <sys/types.h>

#include "config/document.h"

struct documents {
    struct documents_item {
        struct document *doc;
        dev_t dev;
        ino_t ino; /* dev and ino 0: of no file */
    } *items;
    size_t count, cap;
};

/* Load into the zeroed ${docs}; problems go to ${report}. -1: no memory. */
int documents_load(struct documents *docs, const char *path, struct config_report *report);

/* The same, but the first document is ${text}, called ${name}. */
int documents_parse(struct documents *docs, const char *name, const char *text, size_t len,
                    struct config_report *report);

void documents_clear(struct documents *docs);

#endif
