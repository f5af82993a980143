#include "source/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define HOPS_MAX 40 /* of one symbolic link to the next: path_resolution(7) */

struct scan {
    const struct glob_visitor *visitor;
    char path[PATH_MAX]; /* the part walked so far */
};

static void walk(struct scan *s, size_t len, const char *rest);

static bool is_wild(const char *comp, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("*?[\\", comp[i]) != NULL)
            return true;
    return false;
}

/* Copy a component of a pattern, to have it NUL-terminated; false when it is too long for any name. */
static bool copy_component(char out[NAME_MAX + 1], const char *comp, size_t len)
{
    if (len > NAME_MAX)
        return false;
    memcpy(out, comp, len);
    out[len] = '\0';
    return true;
}

/* Append "/name" to the path of length ${len}; 0 when it gets too long. */
static size_t append(struct scan *s, size_t len, const char *name, size_t name_len)
{
    bool slash = len > 0 && s->path[len - 1] != '/';
    if (len + slash + name_len + 1 > sizeof s->path)
        return 0;
    if (slash)
        s->path[len++] = '/';
    memcpy(s->path + len, name, name_len);
    s->path[len + name_len] = '\0';
    return len + name_len;
}

static const char *dir_name(const struct scan *s, size_t len)
{
    return len > 0 ? s->path : ".";
}

/* If the path is a symbolic link: what it leads to changes also where the places that it leads through are. */
static void tell_hops(const struct scan *s)
{
    char at[PATH_MAX], to[PATH_MAX];
    memcpy(at, s->path, strlen(s->path) + 1);
    for (int hop = 0; hop < HOPS_MAX; hop++) {
        ssize_t len = readlink(at, to, sizeof to - 1);
        if (len <= 0)
            return;
        to[len] = '\0';
        const char *slash = strrchr(at, '/');
        size_t dir = to[0] == '/' || slash == NULL ? 0 : (size_t)(slash + 1 - at);
        if (dir + (size_t)len + 1 > sizeof at)
            return;
        memcpy(at + dir, to, (size_t)len + 1);
        memcpy(to, at, dir + (size_t)len + 1);
        char *last = strrchr(to, '/');
        if (last != NULL)
            last[last == to ? 1 : 0] = '\0';
        s->visitor->depends(s->visitor->arg, last != NULL ? to : ".");
    }
}

static void found(struct scan *s)
{
    struct stat st, own;
    const struct glob_visitor *v = s->visitor;
    if (lstat(s->path, &own) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            v->failed(v->arg, s->path, errno);
        return;
    }
    if (S_ISLNK(own.st_mode))
        tell_hops(s);
    if (stat(s->path, &st) != 0)
        v->failed(v->arg, s->path, errno);
    else
        v->found(v->arg, s->path, &st, S_ISLNK(own.st_mode));
}

/* A directory that is a symbolic link may be turned to another. */
static void tell_link(struct scan *s, size_t len)
{
    struct stat own;
    if (lstat(s->path, &own) != 0 || !S_ISLNK(own.st_mode))
        return;
    tell_hops(s);
    char c = s->path[len]; /* the '/', or the first letter of a relative path */
    s->path[len] = '\0';
    s->visitor->depends(s->visitor->arg, dir_name(s, len));
    s->path[len] = c;
}

/* A component without wildcards: no need to list the directory. */
static void walk_literal(struct scan *s, size_t len, const char *comp, size_t comp_len,
                         const char *rest)
{
    struct stat st;
    size_t to = append(s, len, comp, comp_len);
    if (to == 0)
        return;
    if (*rest == '\0') {
        found(s);
        s->path[len] = '\0';
        s->visitor->depends(s->visitor->arg, dir_name(s, len));
        return;
    }
    tell_link(s, len);
    if (stat(s->path, &st) == 0) {
        walk(s, to, rest);
    } else {
        int error = errno;
        if (error != ENOENT && error != ENOTDIR)
            s->visitor->failed(s->visitor->arg, s->path, error);
        s->path[len] = '\0';
        s->visitor->depends(s->visitor->arg, dir_name(s, len));
    }
    s->path[len] = '\0';
}

static bool is_directory(const struct scan *s, const struct dirent *d, bool follow)
{
    struct stat st;
    if (d->d_type == DT_DIR)
        return true;
    if (d->d_type != DT_UNKNOWN && d->d_type != DT_LNK)
        return false;
    return (follow ? stat(s->path, &st) : lstat(s->path, &st)) == 0 && S_ISDIR(st.st_mode);
}

/* Is there a directory ${name} to go on in, or, at the end of the pattern, a file to report? */
static void walk_entry(struct scan *s, size_t len, const struct dirent *d, const char *rest,
                       bool follow)
{
    size_t to = append(s, len, d->d_name, strlen(d->d_name));
    if (to == 0)
        return;
    if (*rest == '\0') {
        found(s);
    } else if (is_directory(s, d, follow)) {
        if (d->d_type != DT_DIR)
            tell_hops(s);
        walk(s, to, rest);
    }
    s->path[len] = '\0';
}

/* A component with wildcards, or `**` (${pattern} NULL): then ${rest} begins with the `**` itself. */
static void walk_listed(struct scan *s, size_t len, const char *pattern, const char *rest)
{
    const struct glob_visitor *v = s->visitor;
    DIR *dir = opendir(dir_name(s, len));
    v->depends(v->arg, dir_name(s, len)); /* also when it cannot be listed now */
    if (dir == NULL) {
        if (errno != ENOENT && errno != ENOTDIR)
            v->failed(v->arg, dir_name(s, len), errno);
        return;
    }
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (d == NULL) {
            if (errno != 0)
                v->failed(v->arg, dir_name(s, len), errno);
            break;
        }
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (pattern == NULL ? d->d_name[0] != '.'
                            : fnmatch(pattern, d->d_name, FNM_PERIOD) == 0)
            walk_entry(s, len, d, rest, pattern != NULL);
    }
    closedir(dir);
}

static void walk(struct scan *s, size_t len, const char *rest)
{
    char pattern[NAME_MAX + 1];
    const char *from = rest;
    while (*rest == '/')
        from = ++rest;
    size_t n = strcspn(rest, "/");
    const char *after = rest + n;
    while (*after == '/')
        after++;
    if (n == 2 && memcmp(rest, "**", 2) == 0) {
        walk(s, len, *after != '\0' ? after : "*"); /* no directory at all */
        walk_listed(s, len, NULL, from);            /* one more, then the same pattern */
    } else if (!is_wild(rest, n)) {
        walk_literal(s, len, rest, n, after);
    } else if (copy_component(pattern, rest, n)) {
        walk_listed(s, len, pattern, after);
    }
}

void glob_scan(const char *pattern, const struct glob_visitor *visitor)
{
    struct scan s = {.visitor = visitor};
    size_t len = 0;
    if (*pattern == '/') {
        memcpy(s.path, "/", 2);
        len = 1;
    }
    walk(&s, len, pattern);
}

static bool match(const char *pattern, const char *path)
{
    char want[NAME_MAX + 1], have[NAME_MAX + 1];
    while (*pattern == '/')
        pattern++;
    while (*path == '/')
        path++;
    size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
    if (n == 0 || m == 0)
        return n == 0 && m == 0;
    if (n == 2 && memcmp(pattern, "**", 2) == 0) {
        if (pattern[n] == '\0')
            return true;
        return match(pattern + n, path) || (path[m] == '/' && match(pattern, path + m));
    }
    return copy_component(want, pattern, n) && copy_component(have, path, m) &&
           fnmatch(want, have, FNM_PERIOD) == 0 && match(pattern + n, path + m);
}

bool glob_matches(const char *pattern, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (strchr(pattern, '/') == NULL)
        return fnmatch(pattern, slash != NULL ? slash + 1 : path, FNM_PERIOD) == 0;
    return match(pattern, path);
}
