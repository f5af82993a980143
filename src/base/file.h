/*
 * file: whole files and directories, done safely.
 */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

/* Append all that ${fd} gives to ${out}. -1 and ${e} on failure. */
int file_read_all(int fd, struct buf *out, struct err *e);

/* pread(2) that goes on after EINTR and short reads: less than ${len} bytes only at the end of the file. -1 with errno. */
ssize_t file_pread(int fd, void *to, size_t len, uint64_t offset);

/* Write all ${len} bytes to ${fd}, going on after short writes and EINTR. -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);

/* Make the content of ${name} in the directory ${dir_fd} be ${data}, whole or not at all, also when the machine stops in the
 * middle: temporary file, fsync, rename, fsync of the directory. -1 and ${e}; the old content is intact then. Its steps are the fault points (fault.h)
 * NAME.create.before, .write.before, .fsync.before, .rename.before, .rename.after and .dirsync.after. */
int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                 struct err *e);

/* Create the directory ${path} and those above it that are missing. -1 with errno. */
int file_make_dirs(const char *path, mode_t mode);

/* As file_make_dirs for the directory that ${path} is in. -1 with errno. */
int file_make_parents(const char *path, mode_t mode);

#endif
