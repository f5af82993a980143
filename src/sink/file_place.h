/*
 * file_place: opening files by a path of which a part came out of records.
 *
 * What lies below the prefix is walked one component at a time, each relative to the one before, and none may be a symbolic link: whoever may
 * write below the prefix cannot lead a file out of it by planting one. A path that is written in the configuration as it is
 * (no prefix) is opened as the system does, links followed.
 */
#ifndef WEIR_SINK_FILE_PLACE_H
#define WEIR_SINK_FILE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct file_place {
    const char *path; /* all of it */
    size_t below;     /* where what came out of records begins; 0: nowhere */
};

/* Permissions of directories that are made, before the umask. */
#define FILE_PLACE_DIR 0750

/* The last component. */
const char *file_place_name(const struct file_place *p);

/* The directory of ${p} as an O_PATH descriptor; ${make}: missing ones are created. -1 with errno. */
int file_place_dir(const struct file_place *p, bool make);

/* Open ${p} in ${dir} with ${flags}; a file that is missing is created, with exactly the permissions ${mode}. -1 with errno. */
int file_place_open(const struct file_place *p, int dir, int flags, mode_t mode);

/* What is there now. -1 with errno. */
int file_place_stat(const struct file_place *p, struct stat *st);

#endif
