/*
 * disk_queue: a queue on disk in front of a sink.
 *
 * A Duplex. What comes in is packed (record/pack.h) and collected; a round on the worker writes what has been collected and fsyncs it,
 * and what came in meanwhile goes into the next round. Then its tickets end as delivered: so sources go on, and
 * files can be deleted, while the sink is down. What goes out is always read back from the spool (delivery/spool.h), so chunks do
 * not stay in memory, with tickets of the queue's own: when the sink has delivered everything up to a place, that is written to the state of
 * the spool, once a second or when a segment can be deleted, and when the queue closes. After a crash what was delivered since is sent again.
 *
 * Memory: what is collected and what is being written, up to a megabyte each (less in a small pipeline), and what was read back, are charged to the
 * pipeline's pool. Reading waits for room in the pool while the sink has anything from here; when it has nothing, one
 * piece is read in any case, or sources waiting for a full queue could keep it from ever being emptied.
 *
 * When the queue is full it blocks, or drops what comes (counted with the queue, reason "queue full", logged). A disk that is full or fails
 * is waited for: told once, tried again after a quarter of a second up to five. One chunk that is larger than the whole queue goes past it, in order, when it is empty.
 * Destroying waits until the tickets that are out have ended: what the sink still delivers is not forgotten.
 */
#ifndef WEIR_AGENT_DISK_QUEUE_H
#define WEIR_AGENT_DISK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct stage_env;
struct stream;

/* In ${data_dir}, for the sink ${sink} of the pipeline of ${env}, which is the queue's own. NULL and ${e} on failure. */
struct stream *disk_queue_new(struct stage_env *env, const char *data_dir, const char *sink, uint64_t max_bytes,
                              bool drop_newest, struct err *e);

/* The pipeline is to stop: take what comes to the disk, and then end without handing on what is there: that is for the next start. */
void disk_queue_stop(struct stream *s);

/* Append what it holds, for the log: bytes, segments, records, age. */
void disk_queue_describe(struct stream *s, struct buf *out);

/* Records it has taken that are not safe on disk yet, nor dropped; and records on disk that the sink has not delivered. */
uint64_t disk_queue_unsafe(const struct stream *s);
uint64_t disk_queue_kept(const struct stream *s);

#endif
