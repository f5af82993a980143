/*
 * cut: the checkpoint of a pipeline whose outputs are cut back to it, so that each record is in them exactly once.
 *
 * The checkpoint holds the offsets of all sources of the pipeline and the lengths of its outputs, taken together; a start truncates each
 * output to its length and reads on from the offsets. That is right if, and only if, what lies before the lengths came out of what
 * lies before the offsets, all of it and nothing else. Both move all the time, so there are moments at which it is so, and only at one of
 * those they are taken. Between them the checkpoint says what it said.
 *
 * Such a moment is known by a count. A sink says which tickets have something in its output (ticket_set_stored); the ledgers count those
 * that are uncovered: not before the acknowledged offset of their file. When none is, nothing in the outputs is of a record behind an offset. The
 * other half always holds: what is before an offset was delivered, and a sink makes its output longer before it says so. So a batch that is
 * written in parts, a record that a stage holds back while later ones pass, and a second sink that lags all only mean that the moment
 * comes later. If it does not come by itself, the sources are told to read nothing for a while (cut_is_quiet), longer each time in vain.
 *
 * Before the checkpoint names a length, the output is on the disk that far: fdatasync(2), on the worker. Before anything is written to
 * an output, the checkpoint that names it is on disk. So whatever is found behind a length is of this pipeline and written again.
 *
 * What it cannot bring back: records that were written after the last checkpoint and whose file is gone when weir starts again.
 */
#ifndef WEIR_DELIVERY_CUT_H
#define WEIR_DELIVERY_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "delivery/checkpoint.h"

struct checkpoint;
struct cut;
struct cut_output;
struct err;
struct loop;
struct stat;
struct ticket_set;
struct work;

/* A source that reads nothing now. */
struct cut_waiter {
    struct list node; /* initialised; list_remove cancels */
    void (*wake)(struct cut_waiter *w);
};

/*
 * For a pipeline that begins to run: its sources start from what the checkpoint says. ${failed}(${arg}, e) is called, from the loop, when an
 * output cannot be brought to the disk: what was written is not sure any more, and the pipeline has to begin anew. NULL and ${e}: no
 * memory, or the checkpoint is not kept on disk.
 */
struct cut *cut_new(struct loop *loop, struct work *work, struct checkpoint *cp, const char *pipeline,
                    void (*failed)(void *arg, const struct err *e), void *arg, struct err *e);

/* The pipeline fails: nothing is taken any more, and nothing is called but `done`. */
void cut_abandon(struct cut *cut);

/* The pipeline has ended, its sinks still have their outputs open: take the last checkpoint if it may be taken, and call ${done}(${arg}), at once or
 * later. There is nothing to cut back any more then. */
void cut_finish(struct cut *cut, void (*done)(void *arg), void *arg);

/* No ledger and no output is in use any more. */
void cut_free(struct cut **cut);

/* ---- sources ---- */

/* What ledgers count in (ledger_count). NULL for NULL. */
size_t *cut_uncovered(struct cut *cut);

/* Is nothing to be read now? False for NULL. */
bool cut_is_quiet(const struct cut *cut);

/* Wake ${w} when it may go on. */
void cut_wait(struct cut *cut, struct cut_waiter *w);

/* ---- sinks ---- */

/* Cut the outputs that the checkpoint names back to their lengths, each once; to be called before any is opened. What is not as the checkpoint says is told
 * in the log, and gone on with. -1 with errno: it is not possible now. */
int cut_restore(struct cut *cut);

/* Is the file that ${stat} describes one that was cut back, or written to before? Then it ends with a whole record. */
bool cut_knows(const struct cut *cut, const struct stat *stat);

/* The regular file behind ${fd}, that ${stat} describes, is written to from now on. It must not be before cut_output_is_known. NULL: no memory. */
struct cut_output *cut_output_open(struct cut *cut, const char *stage, const char *path, int fd,
                                   const struct stat *stat);

/* Does the checkpoint on disk name it? If not, wait for that. */
bool cut_output_is_known(const struct cut_output *o);
void cut_output_wait(struct cut_output *o, struct checkpoint_waiter *w);

/* It is ${length} bytes long now, all of them of whole records whose tickets, ${set}, are stored, or (NULL) of somebody else. */
void cut_output_is(struct cut_output *o, uint64_t length, struct ticket_set *set);
uint64_t cut_output_length(const struct cut_output *o);

/* Nothing is written to it any more; its descriptor is closed when it is not needed. */
void cut_output_close(struct cut_output **o);

/* Tickets were ended: this may be the moment. */
void cut_offer(struct cut *cut);

#endif
