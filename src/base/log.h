/*
 * log: the agent's own log, on stderr, one line an event.
 *
 * Text:  2026-01-31T12:00:00.123Z warn  app/tcp: cannot connect to 127.0.0.1:5170: Connection refused
 * JSON:  {"time":"…","level":"warn","scope":"app/tcp","message":"…"}
 * The scope is "PIPELINE/STAGE", "PIPELINE" or NULL for the agent itself. One write(2) a line. The settings are process
 * wide, set once at start; logging is safe from any thread.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* What is written from now on: ${level} and more important. ${color} only for the text format. */
void log_setup(enum log_level level, enum log_format format, bool color);

/* Is ${level} written at all? */
bool log_wants(enum log_level level);

void log_at(enum log_level level, const char *scope, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(scope, ...) log_at(LOG_ERROR, scope, __VA_ARGS__)
#define log_warn(scope, ...)  log_at(LOG_WARN, scope, __VA_ARGS__)
#define log_info(scope, ...)  log_at(LOG_INFO, scope, __VA_ARGS__)
#define log_debug(scope, ...) log_at(LOG_DEBUG, scope, __VA_ARGS__)

#endif
