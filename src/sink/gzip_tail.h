/*
 * gzip_tail: cut an unfinished last member off a gzip file, so that what is appended can be read.
 */
#ifndef WEIR_SINK_GZIP_TAIL_H
#define WEIR_SINK_GZIP_TAIL_H

/* Read the file behind ${fd} (open for reading and writing), which a crash may have left in the middle of a member, and truncate it behind
 * its last whole one; ${scope} and ${path} are for the log. A file that does not begin as gzip is left as it is. -1 with errno
 * when reading or truncating failed. */
int gzip_tail_mend(int fd, const char *scope, const char *path);

#endif
