/*
 * torn: cut an unfinished last member off a compressed file, so that what is appended to it can be read.
 *
 * gzip members, Zstandard and LZ4 frames: which it is, the first bytes tell. The file is decompressed from its beginning to see where its
 * members end, which takes a while when it is large.
 */
#ifndef WEIR_SINK_TORN_H
#define WEIR_SINK_TORN_H

/* Read the file behind ${fd} (open for reading and writing), which a crash may have left in the middle of a member, and truncate it behind
 * its last whole one; ${scope} and ${path} are for the log. A file of another kind, or with something else behind a whole member, is left
 * as it is. -1 with errno when reading or truncating failed. */
int torn_mend(int fd, const char *scope, const char *path);

#endif
