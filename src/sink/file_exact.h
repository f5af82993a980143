/*
 * file_exact: what file_out does besides for exactly_once: it tells the cut (delivery/cut.h) which files it writes to and how long they are.
 *
 * Lengths are of whole records only. When a file is left in the middle of a chunk (rotation, somebody renamed it) the records of the chunk that are in it are
 * counted at once, and a record that is not whole is cut off: it begins anew in the next file.
 */
#ifndef WEIR_SINK_FILE_EXACT_H
#define WEIR_SINK_FILE_EXACT_H

#include <stdbool.h>
#include <sys/stat.h>

struct checkpoint_waiter;
struct file_out;
struct wire;

/* ${o} was just opened. -1 with errno. */
int file_exact_begin(struct file_out *o);

/* Was the file that ${st} describes left whole by the cut? */
bool file_exact_is_whole(const struct file_out *o, const struct stat *st);

/* May ${o} be written to? If not, ${w}->wake is called when it may. */
bool file_exact_may(const struct file_out *o);
void file_exact_wait(struct file_out *o, struct checkpoint_waiter *w);

/* Before a chunk: has somebody else written to it, or truncated it? Told once. */
void file_exact_look(struct file_out *o);

/* All of ${w} is in ${o}; its tickets are about to end as delivered. */
void file_exact_wrote(struct file_out *o, struct wire *w);

/* ${o} is left with ${w} begun: what of it is in ${o} ends with a whole record, at w->sent. */
void file_exact_leave(struct file_out *o, struct wire *w);

/* The descriptor of ${o} is the cut's. */
void file_exact_close(struct file_out *o);

#endif
