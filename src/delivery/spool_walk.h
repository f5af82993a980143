/*
 * spool_walk: finding one's way in a segment of which nothing is certain but its head.
 */
#ifndef WEIR_DELIVERY_SPOOL_WALK_H
#define WEIR_DELIVERY_SPOOL_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivery/spool_format.h"

/* A segment that is open. */
struct spool_file {
    int fd;
    struct spool_head head;
    uint64_t size;
    uint64_t reads, read_bytes; /* what was read of it, for tests */
};

/* Up to ${len} bytes at ${offset}: how many there are, or -1 with errno. */
int64_t spool_file_read(struct spool_file *f, void *to, size_t len, uint64_t offset);

/* The head of ${f}. False: it is damaged, or does not begin at ${base}, or cannot be read. */
bool spool_file_head(struct spool_file *f, uint64_t base);

/* The entry at ${offset}, its head whole and its length within the segment. */
bool spool_file_entry(struct spool_file *f, uint64_t offset, struct spool_entry *entry);

/* The offset of the first such entry from ${offset} on; size: there is none. Reads what it passes. */
uint64_t spool_file_find(struct spool_file *f, uint64_t offset);

/* How a segment ends that was written to when the process, or the machine, ended. */
struct spool_tail {
    uint64_t end;          /* everything before is entries, or damage that has entries behind it */
    bool torn;             /* what follows is the beginning of an entry that was not written to its end */
    uint64_t records;      /* the number of the first record that would follow */
};

/* Walks from head to head, and reads payloads only of what may not have been on the disk yet. */
void spool_file_tail(struct spool_file *f, struct spool_tail *tail);

#endif
