#include "record/scratch.h"

#include "base/mem.h"

#define BLOCK_MIN ((size_t)4 << 10)

struct scratch_block {
    struct scratch_block *next;
    size_t size; /* of text */
    char text[];
};

char *scratch_text(struct scratch *s, size_t size)
{
    size_t limit = s->limit != 0 ? s->limit : SCRATCH_LIMIT;
    if (size > limit - s->total)
        return NULL;
    if (s->blocks == NULL || size > s->blocks->size - s->used) {
        size_t room = s->blocks == NULL ? BLOCK_MIN : s->blocks->size * 2;
        room = room < size ? size : room;
        struct scratch_block *b = mem_alloc(sizeof *b + room);
        if (b == NULL)
            return NULL;
        b->next = s->blocks;
        b->size = room;
        s->blocks = b;
        s->used = 0;
    }
    char *text = s->blocks->text + s->used;
    s->used += size;
    s->total += size;
    return text;
}

void scratch_trim(struct scratch *s, size_t size)
{
    s->used -= size;
    s->total -= size;
}

static void free_blocks(struct scratch_block *b)
{
    while (b != NULL) {
        struct scratch_block *next = b->next;
        mem_free(b);
        b = next;
    }
}

void scratch_reset(struct scratch *s)
{
    if (s->blocks != NULL) {
        free_blocks(s->blocks->next);
        s->blocks->next = NULL;
    }
    s->used = s->total = 0;
}

void scratch_clear(struct scratch *s)
{
    free_blocks(s->blocks);
    buf_clear(&s->work);
    *s = (struct scratch){.limit = s->limit};
}
