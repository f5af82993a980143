/*
 * nearest: "did you mean".
 *
 * The distance is that of Damerau and Levenshtein with adjacent transpositions (optimal string alignment): how
 * many letters were added, left out, replaced or swapped. A word may differ in a third of its letters.
 */
#ifndef WEIR_BASE_NEAREST_H
#define WEIR_BASE_NEAREST_H

struct buf;

struct nearest {
    const char *word; /* what was written */
    const char *best; /* NULL: nothing near was tried yet */
    unsigned distance;
};

struct nearest nearest_to(const char *word);
void nearest_try(struct nearest *n, const char *candidate);

/* Append ` (did you mean "BEST"?)`, or nothing. */
void nearest_add(const struct nearest *n, struct buf *out);

#endif
