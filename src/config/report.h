/*
 * report: every problem of a configuration, with its place.
 *
 * Reading goes on after a problem, so that all are seen at once. A problem is printed as
 *     FILE:LINE:COLUMN: PATH: what is wrong
 * where lines and columns count from 1 and columns count characters; a problem of a whole file has no
 * path. Values that hold a secret are never quoted: report replaces them by "***".
 */
#ifndef WEIR_CONFIG_REPORT_H
#define WEIR_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct document;
struct node;

struct config_problem {
    char *file;
    unsigned line, column;
    char *path; /* "" for the file as a whole */
    char *message;
    unsigned file_order, order; /* as loaded, as found: what sorts */
};

/* Zeroed: a valid empty report. */
struct config_report {
    struct config_problem *problems;
    size_t count, cap;
    size_t unread;         /* values that were passed over, because a problem was told already */
    bool failed;           /* out of memory: the list is not complete */
    const struct node *at; /* the object that report_key speaks of */
};

/* For the check hook of a stage: option ${key} of the stage at hand is wrong. Placed at its value, or, when it is
 * not written there (or ${key} is ""), at the stage itself. */
void report_key(struct config_report *report, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value ${node} is wrong. */
void report_node(struct config_report *report, const struct node *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As report_node, ${skip} bytes (as they stand in the string, after unescaping) into the string ${node}. */
void report_inside(struct config_report *report, const struct node *node, size_t skip,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The key of ${node} is wrong: placed there. */
void report_name(struct config_report *report, const struct node *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ${key} is missing in the object ${node}: placed at the object, with the path of the key. */
void report_missing(struct config_report *report, const struct node *node, const char *key,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ${doc} is wrong at byte ${offset}. */
void report_document(struct config_report *report, const struct document *doc, size_t offset,
                     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Sort by place: files in the order they were loaded, then line and column, then as found. */
void report_sort(struct config_report *report);

/* One line a problem, and "N errors" last. */
void report_text(const struct config_report *report, struct buf *out);

/* A JSON array of {"file","line","column","path","message"}, one object a line. */
void report_json(const struct config_report *report, struct buf *out);

void report_clear(struct config_report *report);

#endif
