#include "base/nearest.h"

#include <string.h>

#include "base/buf.h"

#define WORD_MAX 48 /* longer words are not compared: nobody mistypes those by a letter */

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Row ${i} of the table of distances from the two rows above it. */
static void next_row(const char *a, size_t i, const char *b, size_t nb,
                     unsigned row[3][WORD_MAX + 1])
{
    row[2][0] = (unsigned)i;
    for (size_t j = 1; j <= nb; j++) {
        unsigned differ = a[i - 1] != b[j - 1];
        row[2][j] = smallest(row[1][j] + 1, row[2][j - 1] + 1, row[1][j - 1] + differ);
        bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
        if (swapped && row[0][j - 2] + 1 < row[2][j])
            row[2][j] = row[0][j - 2] + 1;
    }
}

static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[3][WORD_MAX + 1] = {{0}};
    for (size_t j = 0; j <= nb; j++)
        row[1][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        next_row(a, i, b, nb, row);
        memcpy(row[0], row[1], sizeof row[0]);
        memcpy(row[1], row[2], sizeof row[1]);
    }
    return row[1][nb];
}

struct nearest nearest_to(const char *word)
{
    return (struct nearest){.word = word};
}

void nearest_try(struct nearest *n, const char *candidate)
{
    size_t na = strlen(n->word), nb = strlen(candidate);
    if (na > WORD_MAX || nb > WORD_MAX)
        return;
    unsigned d = distance(n->word, na, candidate, nb);
    if (d > (na + 2) / 3 || (n->best != NULL && d >= n->distance))
        return;
    n->best = candidate;
    n->distance = d;
}

void nearest_add(const struct nearest *n, struct buf *out)
{
    if (n->best != NULL)
        buf_fmt(out, " (did you mean \"%s\"?)", n->best);
}
