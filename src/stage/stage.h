/*
 * stage: the descriptor that every source, transform and sink has.
 *
 * A stage is a const descriptor and a private struct in one file; `stages` (stages.c) is the one table of them all.
 * A running stage is a stream: a source a Readable, a transform a Transform, a sink a Writable. Stages know
 * nothing of pipelines: what they need from their surroundings is in struct stage_env.
 */
#ifndef WEIR_STAGE_STAGE_H
#define WEIR_STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"

struct buf;
struct checkpoint;
struct chunk;
struct cut;
struct err;
struct loop;
struct pool;
struct record;
struct stream;
struct watcher;
struct work;

enum stage_kind { STAGE_SOURCE, STAGE_TRANSFORM, STAGE_SINK };

/* What goes in or comes out. */
enum payload { PAYLOAD_NONE, PAYLOAD_RECORDS, PAYLOAD_BYTES, PAYLOAD_ANY };

/* The books of a stage, kept by the stage, read by the agent. Conservation: what came in is what went out, plus
 * what was dropped, plus what became part of another record, plus what is inside. */
#define STAGE_REASONS 6
struct stage_stats {
    uint64_t records_in, records_out; /* a source has no in, a sink's out is what was delivered */
    uint64_t bytes_in, bytes_out;
    uint64_t errors;    /* records a stage could not handle as asked (each also dropped or passed) */
    uint64_t truncated; /* records cut at a length bound */
    uint64_t merged;    /* records that became part of another one */
    uint64_t refused;   /* records of a sink that its dead letters have taken over */
    uint64_t files;     /* a source that reads files: how many it has found */
    uint64_t incomplete; /* of those, or of their directories, with --once: could not be read to their end */
    uint64_t expected;  /* a source with a present end: bytes up to it; 0: not known */
    struct {
        const char *reason; /* NULL: unused */
        uint64_t records;
    } dropped[STAGE_REASONS];
};

/* Observer of single records, for dry-run. All fields may be NULL. */
struct stage_trace {
    void *arg;
    /* ${r} got ${verdict} ("pass", "drop", "error", "split", "merge") because of ${reason} (NULL: nothing to add). */
    void (*verdict)(void *arg, const struct record *r, const char *verdict, const char *reason);
};

/* Where a source starts in what has no checkpoint. */
enum stage_start { START_CONFIGURED, START_BEGINNING, START_END };

/* What a stage may use. Outlives the stage's stream. */
struct stage_env {
    struct loop *loop;
    struct work *work;           /* for calls that block */
    struct watcher *watcher;     /* tells of changes to files (source/watch.h); NULL: nothing will be followed */
    struct pool *pool;           /* of the pipeline */
    const char *pipeline;        /* its name */
    const char *name;            /* the stage's name, unique in the pipeline */
    const char *scope;           /* "PIPELINE/STAGE", for the log */
    const char *host;            /* the machine's name, @host */
    unsigned rank;               /* place in the chain, for the stream's step */
    uint64_t queue_bytes;        /* the mark of the queue in front: writable mark of the stream */
    uint64_t ahead_bytes;        /* a source: how much it may have read ahead; else 0 */
    bool *hurry;                 /* set when the agent is shutting down: no more waiting for backoff */
    bool once;                   /* a source ends at its present end */
    enum stage_start start;      /* other than configured: for dry-run */
    bool dry;                    /* nothing outside may change */
    struct checkpoint *checkpoint; /* delivery state, for sources (delivery/checkpoint.h) */
    struct cut *cut;               /* the pipeline has a sink for which `exact` holds (delivery/cut.h); NULL: none */
    struct stream *dead_letter;    /* a sink: takes the records that it can never deliver (stage/dead_letter.h); NULL: they are dropped */
    struct stage_stats *stats;
    const struct stage_trace *trace; /* NULL outside dry-run */
};

/* Stream options for the stage: loop, name, rank, the queue in front as write mark and a read mark that keeps one chunk
 * ready. */
struct stream_opts stage_stream_opts(const struct stage_env *env);

/* Say ${n} records were dropped by the stage for ${reason} (a string constant). */
void stage_dropped(struct stage_env *env, const char *reason, uint64_t n);

/* For transforms that keep or drop records: hand the batch ${c} on to the readable side of ${s}, its books and weight brought up to date; one that holds no
 * record any more is done with. */
void stage_pass(struct stage_env *env, struct stream *s, struct chunk *c);

struct config_report; /* collects problems: config/report.h */

/* One row of the table of a transform that the manual shows and the tests execute. */
struct stage_case {
    const char *options; /* members of the stage's object besides its type: "\"level\": 1"; "" for none */
    const char *input;   /* a line, or several; parsed by a json stage first if it begins with {, unless cases_plain is set */
    const char *output;  /* the line that comes out, or several; NULL: dropped */
};

struct stage {
    enum stage_kind kind;
    const char *type;
    const char *summary;     /* one line */
    const char *description; /* paragraphs for the manual: what it does, what "delivered" means, limits */
    const char *example;     /* a JSON object, as it would stand in a configuration; checked by the tests */
    const struct stage_case *cases; /* transforms that give records: ends with a NULL input; NULL: none */
    bool cases_plain;        /* their input is not parsed first: the stage itself parses lines that begin with { */
    enum payload in, out;
    const struct option *options; /* its own; name and queue are common to all: see stages.h */
    size_t settings_size;
    /* Problems that one option alone does not show; NULL when there are none. ${report} takes them with report_key
     * (config/report.h), by option key, "" for the stage itself. Not called when an option of the stage is wrong by itself. */
    void (*check)(const void *settings, struct config_report *report);
    /* Sinks that take either payload: the option of ${settings} (which may be incomplete) that speaks of fields or metadata, so that records
     * are needed after all; NULL: none. The hook may be NULL. */
    const char *(*needs_records)(const void *settings);
    /* Sinks: the one file that is written to, as it is written in ${settings} (which may be incomplete), and whether it becomes FILE.1 in time.
     * NULL: none, or which one is not known before. The hook may be NULL. */
    const char *(*output)(const void *settings, bool *numbered);
    /* Sinks: is what is written cut back to the checkpoint, so that it is there exactly once? The hook may be NULL. */
    bool (*exact)(const void *settings);
    /* Sources: what was read can be read again from what the checkpoint says, as such a sink needs. "": so it is; else the option that prevents it. The hook is NULL
     * when it cannot. */
    const char *(*replays)(const void *settings);
    /* Transforms: the option with which records pass others that came before, NULL: there is none. The hook may be NULL. */
    const char *(*reorders)(const void *settings);
    /* Sources: would the file ${path} be read? The hook may be NULL. */
    bool (*reads)(const void *settings, const char *path);
    /* The running stage: its stream. ${settings} outlives it. NULL and ${e} on failure. Opens, connects and reads nothing
     * before the loop runs. */
    struct stream *(*open)(struct stage_env *env, const void *settings, struct err *e);
    /* Sources: what it needs for itself alone, as "UDP address 0.0.0.0:514", into the ${size} bytes at ${out} ("": nothing). Two sources of a
     * configuration that say the same are an error. NULL: nothing. */
    void (*claim)(const void *settings, char *out, size_t size);
    bool endless; /* a source that has no present end: not for --once */
    /* The agent is stopping. Sources: take in nothing more, hand on what is under way, then end the stream. Sinks: do not sit out a
     * wait before trying again. NULL: nothing to do. */
    void (*stop)(struct stream *s);
    /* Files outside may have been moved (SIGHUP): let go of those that were. NULL: nothing to do. */
    void (*reopen)(struct stream *s);
    /* Sinks: append the exact bytes that ${c} would be sent as to ${out}, and to ${place} where to (a path or address),
     * without touching anything. -1: no memory. */
    int (*preview)(const void *settings, const struct stage_env *env, struct chunk *c, struct buf *out,
                   struct buf *place);
    /* Sinks: why ${r} can never be delivered, a string constant, as far as that shows before it is sent; NULL: it is sent. The hook is NULL for a sink that refuses none,
     * neither then nor later. */
    const char *(*refuses)(const void *settings, const struct record *r);
};

#endif
