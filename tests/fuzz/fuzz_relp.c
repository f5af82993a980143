/*
 * Any bytes as what a RELP peer sends, in pieces of any length: the same frames as whole, and no more than RELP_DATA_MAX of any is kept. A frame that
 * was read can be written again and is read as the same; what is taken as an answer or as offers stays inside the frame.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sink/relp_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEEN_MAX 64

/* Frames that came, by a number that stands for what is in them. */
struct seen {
    uint64_t frames[SEEN_MAX];
    size_t count;
    bool bad;
    size_t at; /* where the first bad byte is, or the end */
};

static uint64_t sum(const struct relp_frame *f)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ f->txnr; /* FNV-1a */
    for (const char *s = f->command; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
    for (uint32_t i = 0; i < f->length; i++)
        hash = (hash ^ (unsigned char)f->data[i]) * UINT64_C(1099511628211);
    return hash;
}

static void look(const struct relp_frame *f)
{
    struct relp_answer a;
    assert(f->length <= RELP_DATA_MAX && f->data[f->length] == '\0');
    assert(f->txnr <= RELP_TXNR_MAX && strlen(f->command) <= RELP_COMMAND_MAX && f->command[0] != '\0');
    if (!relp_frame_answer(f, &a))
        return;
    assert(a.code >= 0 && a.code <= 999 && strlen(a.words) <= RELP_WORDS_MAX);
    assert(a.rest >= f->data && a.rest <= f->data + f->length);
    (void)relp_frame_refusal(a.rest);
}

/* Written by us it is read as the same. */
static void again(const struct relp_frame *f)
{
    static struct relp_frame g;
    char head[RELP_HEAD_MAX];
    size_t n = relp_frame_head(head, f->txnr, f->command, f->length), used;
    assert(n <= sizeof head);
    relp_frame_reset(&g);
    assert(relp_frame_read(&g, head, n, &used) == RELP_MORE && used == n);
    if (f->length > 0)
        assert(relp_frame_read(&g, f->data, f->length, &used) == RELP_MORE && used == f->length);
    assert(relp_frame_read(&g, "\n", 1, &used) == RELP_WHOLE && used == 1);
    assert(sum(&g) == sum(f) && g.txnr == f->txnr && g.length == f->length);
}

static struct seen read_all(const char *text, size_t len, size_t step)
{
    struct relp_frame *f = malloc(sizeof *f); /* of its own, so that a byte too many is found */
    struct seen seen = {.count = 0};
    relp_frame_reset(f);
    while (seen.at < len && !seen.bad && seen.count < SEEN_MAX) {
        size_t n = len - seen.at < step ? len - seen.at : step, used;
        char *part = malloc(n);
        memcpy(part, text + seen.at, n);
        enum relp_progress progress = relp_frame_read(f, part, n, &used);
        assert(used <= n && (used > 0 || n == 0) && (progress != RELP_MORE || used == n));
        free(part);
        seen.at += used;
        seen.bad = progress == RELP_BAD;
        assert(seen.bad == (f->bad != NULL));
        if (progress != RELP_WHOLE)
            continue;
        look(f);
        again(f);
        seen.frames[seen.count++] = sum(f);
    }
    free(f);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    struct seen whole = read_all(text, len, len + 1), parts = read_all(text, len, 1 + data[0] % 16);
    assert(whole.count == parts.count && whole.bad == parts.bad && whole.at == parts.at);
    assert(memcmp(whole.frames, parts.frames, whole.count * sizeof *whole.frames) == 0);
    return 0;
}
