/*
 * option: a table that says what a JSON object may hold.
 *
 * Everything that reads configuration is described by such a table: the top level, a queue, every stage.
 * Validation, defaults, `weir list`, `weir schema`, the reference manual and completions are made from it, so that
 * they cannot disagree. A table ends with an entry whose key is NULL.
 *
 * Values land in a settings struct of the owner, at `offset`; the type says what C type must stand there. A
 * settings struct is zeroed first, then filled with defaults, then with what the user wrote. options_free
 * releases what it holds (config/options.h).
 */
#ifndef WEIR_CONFIG_OPTION_H
#define WEIR_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_BOOL,      /* bool */
    OPTION_INT,       /* int64_t: JSON integer within min..max */
    OPTION_SIZE,      /* uint64_t: bytes; an integer or "64KiB", "10MB"; min..max in bytes */
    OPTION_DURATION,  /* double: seconds; a number or "250ms", "5s", "1h"; min..max in milliseconds */
    OPTION_STRING,    /* char *; never empty when min is 1 */
    OPTION_CHOICE,    /* int: index into choices */
    OPTION_STRINGS,   /* struct strings: an array of strings, at least min of them; a single string is one */
    OPTION_ADDRESS,   /* char *: "host:port", "[v6]:port"; checked for form only (config/address.h) */
    OPTION_ADDRESSES, /* struct strings: one address or an array of them, at least min */
    OPTION_MODE,      /* unsigned: permission bits, a string of octal digits such as "0640" */
    OPTION_EXPR,      /* struct expr *: an expression, compiled (record/expr.h) */
    OPTION_PATH,      /* struct path *: a field path such as .a.b (record/path.h) */
    OPTION_PATHS,     /* struct paths: an array of field paths, at least min of them; a single one is a string */
    OPTION_PATH_EXPRS, /* struct path_map: an object {path: expression}, at least min members */
    OPTION_PATH_PATHS, /* struct path_map: an object {path: path}, at least min members */
    OPTION_STRING_MAP, /* struct string_map: an object of strings */
    OPTION_OBJECT,    /* a nested struct with the table `fields`, in place at offset */
    OPTION_OTHER,     /* nothing is stored: a key that the owner of the table reads by himself */
    OPTION_ABSENT,    /* nothing is stored: an error "WORDS is not built into this version"; never listed */
};

struct expr;
struct path;

struct strings {
    char **items;
    size_t count;
};

struct paths {
    struct path **items;
    size_t count;
};

struct path_entry {
    struct path *path;
    struct expr *expr; /* OPTION_PATH_EXPRS */
    struct path *to;   /* OPTION_PATH_PATHS */
};

/* In the order they are written. */
struct path_map {
    struct path_entry *items;
    size_t count;
};

struct string_entry {
    char *key, *value;
};

struct string_map {
    struct string_entry *items;
    size_t count;
};

struct option {
    const char *key;
    enum option_type type;
    size_t offset;
    const char *fallback;        /* the default, as JSON text; NULL: none (pointer NULL, number 0) */
    bool required;
    int64_t min, max;            /* bounds where the type says so; 0, 0: none; max 0: no upper one */
    const char *const *choices;  /* OPTION_CHOICE: NULL-terminated */
    const char *const *absent;   /* OPTION_CHOICE: words that are not built into this version, or NULL */
    const struct option *fields; /* OPTION_OBJECT */
    size_t given;                /* OPTION_OBJECT: like offset, of a bool that says whether it is written; 0: nobody asks */
    bool secret;                 /* never quoted in messages */
    const char *words;           /* for the manual: one or two sentences, with units */
};

#endif
