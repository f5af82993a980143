/*
 * glob: find files by pattern, and say which directories decide about it.
 *
 * Patterns are those of glob(7) for each component (* ? [ ]; a leading dot must be matched explicitly), and `**` as a whole component
 * stands for any number of directories, none included; symbolic links to directories are not followed below `**`, so
 * that no loop is walked. glob(3) knows no `**` and does not tell a failed scan from an empty one, which a
 * follower of files must: "a failed scan is not a deletion".
 */
#ifndef WEIR_SOURCE_GLOB_H
#define WEIR_SOURCE_GLOB_H

#include <stdbool.h>
#include <sys/stat.h>

struct glob_visitor {
    void *arg;
    /* ${path} matches; ${st} is of what it names (links followed), ${link}: it is a symbolic link. */
    void (*found)(void *arg, const char *path, const struct stat *st, bool link);
    /* A change in the directory ${path} may change the answer. May be told more than once. */
    void (*depends)(void *arg, const char *path);
    /* ${path} could not be looked at for the reason ${error} (an errno): the answer is not complete. A missing file or
     * directory is no error. For a dangling link ${error} is ENOENT. */
    void (*failed)(void *arg, const char *path, int error);
};

/* Find what matches ${pattern}. */
void glob_scan(const char *pattern, const struct glob_visitor *visitor);

/* Does ${path} match ${pattern}? A pattern without '/' is compared with the last component. */
bool glob_matches(const char *pattern, const char *path);

#endif
