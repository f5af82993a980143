#include "transform/preset.h"

#include <stdbool.h>
#include <string.h>

enum state {
    NONE,
    JAVA_HEAD,   /* an exception was named: frames follow */
    JAVA,        /* among frames */
    PYTHON,      /* Traceback: indented lines follow, then the exception */
    PYTHON_END,  /* the exception was named; perhaps another trace follows */
    PYTHON_GAP,  /* and an empty line came */
    PYTHON_LINK, /* "During handling of the above exception …" */
    GO_PANIC,    /* panic: … */
    GO_GAP,      /* an empty line in front of a goroutine */
    GO,          /* among its frames */
    NODE_PATH,   /* FILE:LINE of an uncaught error: the source line follows */
    NODE_SOURCE, /* and the mark below it */
    NODE,        /* the error was named: frames follow */
    NODE_PROPS,  /* the members of the error, up to a closing brace */
};

/* A line, blanks in front of it apart. */
struct line {
    const char *s; /* behind the blanks */
    size_t len, indent;
};

static struct line line_of(const char *s, size_t len)
{
    size_t indent = 0;
    while (len > 0 && s[len - 1] == '\r')
        len--;
    while (indent < len && (s[indent] == ' ' || s[indent] == '\t'))
        indent++;
    return (struct line){s + indent, len - indent, indent};
}

static bool begins(const struct line *l, const char *with)
{
    size_t n = strlen(with);
    return l->len >= n && memcmp(l->s, with, n) == 0;
}

static bool ends(const struct line *l, const char *with)
{
    size_t n = strlen(with);
    return l->len >= n && memcmp(l->s + l->len - n, with, n) == 0;
}

static const char *find(const struct line *l, const char *what)
{
    return memmem(l->s, l->len, what, strlen(what));
}

static size_t digits(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

/* ---- rules ---------------------------------------------------------------------------------------- */

static bool is_empty(const struct line *l)
{
    return l->len == 0;
}

static bool is_indented(const struct line *l)
{
    return l->indent > 0 && l->len > 0;
}

static bool is_any(const struct line *l)
{
    return l->len > 0;
}

/* "…Exception: words", or "…Error" at the end. */
static bool names_exception(const struct line *l)
{
    static const char *const words[] = {"Exception", "Error", "Throwable"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        struct line rest = *l;
        const char *at;
        while ((at = find(&rest, words[i])) != NULL) {
            at += n;
            if (at == l->s + l->len || *at == ':')
                return true;
            rest.len -= (size_t)(at - rest.s);
            rest.s = at;
        }
    }
    return false;
}

static bool is_java_frame(const struct line *l)
{
    return l->indent > 0 && (begins(l, "at ") || begins(l, "eval at ") || begins(l, "--- End of inner exception stack trace"));
}

static bool is_java_rethrow(const struct line *l)
{
    return begins(l, "--- End of stack trace from previous");
}

/* "... 12 more" */
static bool is_java_omission(const struct line *l)
{
    if (!begins(l, "... "))
        return false;
    size_t n = digits(l->s + 4, l->len - 4);
    struct line rest = {l->s + 4 + n, l->len - 4 - n, 0};
    return n > 0 && (begins(&rest, " more") || begins(&rest, " common frames omitted"));
}

static bool is_java_cause(const struct line *l)
{
    return begins(l, "Caused by:") || begins(l, "Suppressed:") || begins(l, "nested exception is:");
}

static bool is_traceback(const struct line *l)
{
    return ends(l, "Traceback (most recent call last):");
}

static bool is_python_link(const struct line *l)
{
    return begins(l, "During handling of the above exception") || begins(l, "The above exception was the direct cause");
}

static bool is_panic(const struct line *l)
{
    const char *at = find(l, "panic: ");
    if (at != NULL && (at == l->s || at[-1] == ' ' || at[-1] == '\t'))
        return true;
    return begins(l, "fatal error: ") || find(l, "http: panic serving ") != NULL;
}

static bool is_go_signal(const struct line *l)
{
    return begins(l, "[signal ") || (l->indent > 0 && begins(l, "panic: "));
}

static bool is_goroutine(const struct line *l)
{
    return l->indent == 0 && begins(l, "goroutine ") && ends(l, ":");
}

/* "main.(*T).f(0x1, …)", "created by main.main in goroutine 1", "...additional frames elided..." */
static bool is_go_function(const struct line *l)
{
    if (l->indent > 0 || l->len == 0)
        return false;
    if (begins(l, "created by ") || begins(l, "...additional frames elided"))
        return true;
    const char *open = memchr(l->s, '(', l->len), *blank = memchr(l->s, ' ', l->len);
    return open != NULL && open > l->s && (blank == NULL || blank > open) && ends(l, ")");
}

static bool is_exit_status(const struct line *l)
{
    return begins(l, "exit status ");
}

/* "/srv/app.js:12", "node:internal/modules/run_main:128" */
static bool is_node_path(const struct line *l)
{
    if (!begins(l, "/") && !begins(l, "file:///") && !begins(l, "node:"))
        return false;
    size_t n = 0;
    while (n < l->len && l->s[l->len - 1 - n] >= '0' && l->s[l->len - 1 - n] <= '9')
        n++;
    return n > 0 && n + 1 < l->len && l->s[l->len - 1 - n] == ':' && memchr(l->s, ' ', l->len) == NULL;
}

static bool is_node_mark(const struct line *l)
{
    return l->len == 0 || l->s[0] == '^';
}

static bool is_node_frame_open(const struct line *l)
{
    return l->indent > 0 && begins(l, "at ") && ends(l, "{");
}

static bool is_node_cause(const struct line *l)
{
    return l->indent > 0 && begins(l, "[cause]:");
}

static bool is_brace(const struct line *l)
{
    return l->len == 1 && l->s[0] == '}';
}

static const struct {
    unsigned preset;
    enum state from;
    bool (*matches)(const struct line *l);
    enum state to;
} rules[] = {
    {PRESET_JAVA, NONE, names_exception, JAVA_HEAD},
    {PRESET_JAVA, JAVA_HEAD, is_java_frame, JAVA},
    {PRESET_JAVA, JAVA_HEAD, is_java_cause, JAVA_HEAD},
    {PRESET_JAVA, JAVA_HEAD, is_java_omission, JAVA},
    {PRESET_JAVA, JAVA_HEAD, is_java_rethrow, JAVA},
    {PRESET_JAVA, JAVA_HEAD, is_empty, JAVA_HEAD},
    {PRESET_JAVA, JAVA, is_java_frame, JAVA},
    {PRESET_JAVA, JAVA, is_java_cause, JAVA_HEAD},
    {PRESET_JAVA, JAVA, is_java_omission, JAVA},
    {PRESET_JAVA, JAVA, is_java_rethrow, JAVA},

    {PRESET_PYTHON, NONE, is_traceback, PYTHON},
    {PRESET_PYTHON, PYTHON, is_indented, PYTHON},
    {PRESET_PYTHON, PYTHON, is_any, PYTHON_END},
    {PRESET_PYTHON, PYTHON_END, is_empty, PYTHON_GAP},
    {PRESET_PYTHON, PYTHON_GAP, is_python_link, PYTHON_LINK},
    {PRESET_PYTHON, PYTHON_LINK, is_empty, PYTHON_LINK},
    {PRESET_PYTHON, PYTHON_LINK, is_traceback, PYTHON},

    {PRESET_GO, NONE, is_panic, GO_PANIC},
    {PRESET_GO, GO_PANIC, is_go_signal, GO_PANIC},
    {PRESET_GO, GO_PANIC, is_empty, GO_GAP},
    {PRESET_GO, GO_PANIC, is_goroutine, GO},
    {PRESET_GO, GO_GAP, is_goroutine, GO},
    {PRESET_GO, GO_GAP, is_exit_status, GO_GAP},
    {PRESET_GO, GO, is_go_function, GO},
    {PRESET_GO, GO, is_indented, GO},
    {PRESET_GO, GO, is_empty, GO_GAP},
    {PRESET_GO, GO, is_exit_status, GO_GAP},

    {PRESET_NODE, NONE, is_node_path, NODE_PATH},
    {PRESET_NODE, NONE, names_exception, NODE},
    {PRESET_NODE, NODE_PATH, is_any, NODE_SOURCE},
    {PRESET_NODE, NODE_SOURCE, is_node_mark, NODE_SOURCE},
    {PRESET_NODE, NODE_SOURCE, names_exception, NODE},
    {PRESET_NODE, NODE, is_node_frame_open, NODE_PROPS},
    {PRESET_NODE, NODE, is_java_frame, NODE},
    {PRESET_NODE, NODE, is_node_cause, NODE},
    {PRESET_NODE, NODE_PROPS, is_brace, NODE},
    {PRESET_NODE, NODE_PROPS, is_indented, NODE_PROPS},
};

/* ---- the machine ------------------------------------------------------------------------------------ */

unsigned preset_find(const char *name)
{
    static const struct {
        const char *name;
        unsigned preset;
    } names[] = {{"java", PRESET_JAVA}, {"python", PRESET_PYTHON}, {"go", PRESET_GO}, {"node", PRESET_NODE}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].preset;
    return 0;
}

static enum state step(unsigned presets, enum state from, const struct line *l)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].from == from && (rules[i].preset & presets) != 0 && rules[i].matches(l))
            return rules[i].to;
    return NONE;
}

enum join_verdict preset_judge(unsigned presets, const char *s, size_t len, uint32_t *state)
{
    struct line l = line_of(s, len);
    enum state next = *state != NONE ? step(presets, (enum state)*state, &l) : NONE;
    if (next != NONE) {
        *state = next;
        return JOIN_MORE;
    }
    *state = step(presets, NONE, &l);
    return *state != NONE ? JOIN_BEGIN : JOIN_ALONE;
}
