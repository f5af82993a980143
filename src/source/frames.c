#include "source/frames.h"

#include <string.h>

#include "record/batch.h"
#include "record/lines.h"

#define DIGITS_MAX 9 /* lengths below a thousand million: more is no length */

/* Where frames_cut is. */
struct cutting {
    struct frames *f;
    struct batch *b;
    const char *at, *end;
    bool last;
};

const char *const frames_long_lines[] = {"truncate", "split", "skip", NULL};

void frames_init(struct frames *f, const struct frames_options *set, bool tidy)
{
    *f = (struct frames){.set = set, .tidy = tidy, .state = FRAMES_START};
    if (set->framing == FRAMING_NEWLINE)
        f->state = FRAMES_LINE;
}

/* Between two records. */
static void start_over(struct frames *f)
{
    f->state = f->set->framing == FRAMING_NEWLINE ? FRAMES_LINE : FRAMES_START;
    f->left = 0;
}

static int add_piece(struct batch *b, const char *text, size_t len, bool truncated)
{
    if (lines_add_rest(b, text, len, false) != 0)
        return -1;
    if (truncated)
        b->records[b->count - 1].flags |= RECORD_TRUNCATED;
    return 0;
}

/* With `tidy` there are no empty records. */
static void drop_empty(const struct frames *f, struct batch *b)
{
    if (f->tidy && b->count > 0 && b->records[b->count - 1].len == 0)
        b->count--;
}

/* ---- lines --------------------------------------------------------------------------------------- */

/* The line at ${at} is too long, ${here} bytes of it are here; ${ended}: that is all, a terminator follows. */
static enum frames_result cut_long_line(struct cutting *c, size_t here, bool ended)
{
    size_t max = (size_t)c->f->set->max_line_bytes;
    int mode = c->f->set->on_long_line;
    if (mode != LONG_SKIP && add_piece(c->b, c->at, max, mode == LONG_TRUNCATE) != 0)
        return FRAMES_NOMEM;
    c->at += mode == LONG_SPLIT ? max : here + ended;
    if (mode == LONG_SPLIT)
        return FRAMES_LONG;
    if (ended)
        start_over(c->f);
    else
        c->f->state = FRAMES_SKIP_LINE;
    return FRAMES_LONG;
}

/* As far as lines go: all there is, or one line when the next record may be counted. */
static const char *lines_end(const struct cutting *c)
{
    const char *stop = NULL;
    if (c->f->set->framing != FRAMING_NEWLINE)
        stop = memchr(c->at, '\n', (size_t)(c->end - c->at));
    return stop != NULL ? stop + 1 : c->end;
}

static enum frames_result cut_lines(struct cutting *c)
{
    const struct frames_options *set = c->f->set;
    const char *end = lines_end(c);
    size_t max = (size_t)set->max_line_bytes, used, too_long;
    if (lines_add(c->b, c->at, (size_t)(end - c->at), max, set->strip_cr, &used, &too_long) != 0)
        return FRAMES_NOMEM;
    c->at += used;
    size_t rest = (size_t)(end - c->at);
    if (used > 0 && set->framing != FRAMING_NEWLINE) {
        drop_empty(c->f, c->b);
        start_over(c->f);
        return FRAMES_MORE;
    }
    if (too_long > 0)
        return cut_long_line(c, too_long - 1, true);
    if (rest > max)
        return cut_long_line(c, rest, false);
    if (!c->last || rest == 0)
        return FRAMES_MORE;
    if (lines_add_rest(c->b, c->at, rest, set->strip_cr) != 0)
        return FRAMES_NOMEM;
    c->at += rest;
    return FRAMES_MORE;
}

static void skip_line(struct cutting *c)
{
    const char *stop = memchr(c->at, '\n', (size_t)(c->end - c->at));
    c->at = stop != NULL ? stop + 1 : c->end;
    if (stop != NULL)
        start_over(c->f);
}

/* ---- counted records ----------------------------------------------------------------------------- */

enum head { HEAD_WHOLE, HEAD_BEGUN, HEAD_NONE };

/* The length at ${at}: *${size} bytes with its space. */
static enum head read_head(const struct cutting *c, uint64_t *count, size_t *size)
{
    size_t n = 0, here = (size_t)(c->end - c->at);
    *count = 0;
    for (; n < here && n < DIGITS_MAX && c->at[n] >= '0' && c->at[n] <= '9'; n++)
        *count = *count * 10 + (uint64_t)(c->at[n] - '0');
    if (n > 1 && c->at[0] == '0')
        return HEAD_NONE;
    if (n == here)
        return HEAD_BEGUN;
    *size = n + 1;
    return n > 0 && c->at[n] == ' ' ? HEAD_WHOLE : HEAD_NONE;
}

/* A record begins. */
static enum frames_result start(struct cutting *c)
{
    struct frames *f = c->f;
    uint64_t count;
    size_t size;
    enum head head = read_head(c, &count, &size);
    if (head == HEAD_BEGUN && !c->last)
        return FRAMES_MORE;
    if (head != HEAD_WHOLE && f->set->framing == FRAMING_OCTET_COUNTING)
        return head == HEAD_BEGUN ? FRAMES_SHORT : FRAMES_BAD;
    if (head != HEAD_WHOLE) {
        f->state = FRAMES_LINE;
        return FRAMES_MORE;
    }
    c->at += size;
    c->b->bytes += size;
    f->left = count;
    f->state = FRAMES_BODY;
    if (count <= f->set->max_line_bytes)
        return FRAMES_MORE;
    if (f->set->on_long_line == LONG_SKIP)
        f->state = FRAMES_SKIP_BODY;
    return FRAMES_LONG;
}

/* How much of a counted record makes a record here. */
static size_t piece_of(const struct frames *f)
{
    return f->left < f->set->max_line_bytes ? (size_t)f->left : (size_t)f->set->max_line_bytes;
}

/* ${len} bytes of the body at ${at} are a record. */
static enum frames_result take_body(struct cutting *c, size_t len)
{
    struct frames *f = c->f;
    bool cut = f->set->on_long_line == LONG_TRUNCATE && f->left > len;
    size_t newline = f->tidy && f->left == len && len > 0 && c->at[len - 1] == '\n';
    if (add_piece(c->b, c->at, len - newline, cut) != 0)
        return FRAMES_NOMEM;
    c->b->bytes += newline;
    drop_empty(f, c->b);
    c->at += len;
    f->left -= len;
    if (f->left == 0)
        start_over(f);
    else if (cut)
        f->state = FRAMES_SKIP_BODY;
    return FRAMES_MORE;
}

static void skip_body(struct cutting *c)
{
    struct frames *f = c->f;
    size_t here = (size_t)(c->end - c->at);
    size_t n = f->left < here ? (size_t)f->left : here;
    c->at += n;
    f->left -= n;
    if (f->left == 0)
        start_over(f);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static enum frames_result cut_next(struct cutting *c)
{
    struct frames *f = c->f;
    switch (f->state) {
    case FRAMES_START: return start(c);
    case FRAMES_LINE: return cut_lines(c);
    case FRAMES_BODY:
        if ((size_t)(c->end - c->at) >= piece_of(f))
            return take_body(c, piece_of(f));
        return c->last ? FRAMES_SHORT : FRAMES_MORE;
    case FRAMES_SKIP_LINE: skip_line(c); break;
    case FRAMES_SKIP_BODY: skip_body(c); break;
    }
    return FRAMES_MORE;
}

enum frames_result frames_cut(struct frames *f, struct batch *b, const char *text, size_t len,
                              bool last, size_t *used)
{
    struct cutting c = {f, b, text, text + len, last};
    enum frames_result result = FRAMES_MORE;
    for (;;) {
        const char *before = c.at;
        int state = f->state;
        if (c.at == c.end && (f->state != FRAMES_BODY || f->left > 0))
            break;
        result = cut_next(&c);
        if (result != FRAMES_MORE || (c.at == before && (int)f->state == state))
            break;
    }
    if (result == FRAMES_MORE && last && c.at == c.end && f->left > 0)
        result = FRAMES_SHORT;
    *used = (size_t)(c.at - text);
    return result;
}

bool frames_ends(const struct frames *f, size_t begun, const char *text, size_t len)
{
    switch (f->state) {
    case FRAMES_LINE:
        return begun + len > f->set->max_line_bytes || memchr(text, '\n', len) != NULL;
    case FRAMES_BODY: return begun + len >= piece_of(f);
    case FRAMES_START:
    case FRAMES_SKIP_LINE:
    case FRAMES_SKIP_BODY: break;
    }
    return true;
}

int frames_give_up(struct frames *f, struct batch *b, const char *text, size_t len)
{
    bool body = f->state == FRAMES_BODY;
    int mode = f->set->on_long_line;
    if (mode != LONG_SKIP && add_piece(b, text, len, mode == LONG_TRUNCATE) != 0)
        return -1;
    if (body)
        f->left -= len;
    if (mode != LONG_SPLIT)
        f->state = body ? FRAMES_SKIP_BODY : FRAMES_SKIP_LINE;
    return 0;
}
