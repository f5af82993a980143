/*
 * tail_model: a directory of logs that a script writes, rotates, truncates and removes, and what a tail source must make of it.
 *
 * A script is text: a letter for the pattern, I (rotated files are within it) or O (they are not), and operations with a number each:
 *
 *     W write so many lines          H write half a line (the next write to that file ends it)
 *     R rename and create            L the same, and so many lines by the writer that does not know yet
 *     M rename; a write creates      T truncate
 *     C copy, truncate, and write so many lines at once
 *     D remove; a write creates      Y remove, create and write so many lines        E remove the oldest rotated file
 *     t let the source take so many turns              c let it catch up
 *     h from now on nothing is delivered               f but the oldest of it          d all that came, and what comes
 *     k write the checkpoint         Z stop            X crash: the checkpoint is as it was last written        S start
 *
 * Every line that was written must be delivered at least once, but for those that are lost by their nature: truncated or removed before
 * they were read, renamed out of sight before the source, or the checkpoint that it starts from, knew the file. Nothing but
 * whole lines may come, and in a script without X no line twice.
 */
#ifndef WEIR_TESTS_TAIL_MODEL_H
#define WEIR_TESTS_TAIL_MODEL_H

#include <stddef.h>

/* Run ${script} in a directory of its own. Returns NULL, or what went wrong (static). Asserts in the rig end the process. */
const char *tail_model_run(const char *script);

#endif
