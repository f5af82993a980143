/* 1 to 20: Readable. */
#include <string.h>

#include "behaviours.h"

static void end_read(struct actor *a)
{
    push_end(a);
}

/* ---- 1 */
static void read_two_of_six(struct actor *a)
{
    static const char *const items[] = {"1", "2", "3", "4", "5", "6"};
    if (a->n == 6) {
        push_end(a);
        return;
    }
    push(a, items[a->n++]);
    push(a, items[a->n++]);
}

static void push_order(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 20;
    r->on[READ] = read_two_of_six;
    r->hide = 1u << READ;
    go(r);
    take(r);
    turn(w);
    CHECK(w, stream_readable_queued(r->s) == 6);
    while (take_one(r))
        continue;
    expect(r, "data(1) data(2) data(3) data(4) data(5) data(6)");
}

/* ---- 2 */
static void mark_in_units(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 6;
    go(r);
    for (int i = 0; i < 5; i++) {
        bool more = push(r, "x");
        CHECK(w, more);
    }
    bool more = push(r, "x");
    CHECK(w, !more);
    turn(w);
    expect(r, "");
}

/* ---- 3 */
static void mark_zero(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 0;
    go(r);
    for (int i = 0; i < 3; i++) {
        bool more = push_none(r);
        CHECK(w, more);
    }
    turn(w);
    expect(r, "");
    take(r);
    turn(w);
    expect(r, "read");
}

/* ---- 4 */
static void mark_negative(struct world *w)
{
    static const char types[] = "RWWDT";
    static const char *const options[] = {"read_mark", "write_mark", "low_mark", "read_mark",
                                          "write_mark"};
    for (int i = 0; i < 5; i++) {
        struct actor *a = cast(w, types[i], "a");
        if (i == 2)
            a->o.low_mark = -1;
        else if (strcmp(options[i], "read_mark") == 0)
            a->o.read_mark = -5;
        else
            a->o.write_mark = -5;
        bool made = go(a);
        CHECK(w,
              !made && w->error.code == ERR_INVALID && strstr(w->error.text, options[i]) != NULL);
    }
}

/* ---- 5 */
static void wrote(struct actor *a)
{
    done(a, WRITE, 0);
}

static void write_later(struct actor *a)
{
    later(a, wrote);
}

static void read_much(struct actor *a)
{
    CHECK(a->world, stream_readable_length(a->s) <= 106460);
    if (a->n++ == 10) {
        push_end(a);
        return;
    }
    push_len(a, 65500);
    for (int i = 0; i < 40; i++)
        push_len(a, 1024);
}

static void backpressure(struct world *w)
{
    struct actor *r = cast(w, 'R', "r"), *x = cast(w, 'W', "w");
    r->on[READ] = read_much;
    x->on[WRITE] = write_later;
    if (w->small)
        r->n = 9;
    go(r);
    go(x);
    pipe_(r, x);
    turn(w);
    CHECK(w, r->count[READ] == 11 && x->count[WRITE] == 410 && x->count[FINISH] == 1);
}

/* ---- 6 */
static void resume_hwm(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 100;
    r->on[DATA] = pause_;
    r->hide = 1u << DATA;
    go(r);
    for (int i = 0; i < 10; i++)
        push_len(r, 200);
    resume(r);
    hear(r, STREAM_DATA);
    turn(w);
    CHECK(w, r->count[DATA] == 1);
    expect(r, "resume pause");
}

/* ---- 7 */
static void push_five_then_end(struct actor *a)
{
    if (a->n++ < 5)
        push(a, "a");
    else
        push_end(a);
}

static void read_later(struct actor *a)
{
    later(a, push_five_then_end);
}

static void hwm_zero_async(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 0;
    r->on[READ] = read_later;
    go(r);
    hear(r, STREAM_DATA);
    turn(w);
    expect(r, "resume read data(a) read data(a) read data(a) read data(a) read data(a) read end "
              "destroy close");
}

/* ---- 8 */
static void push_with_gaps(struct actor *a)
{
    static const char *const items[] = {"", "x", "y", "", "z"};
    if (a->n < 5)
        push(a, items[a->n++]);
    else
        push_end(a);
}

static void read_with_gaps(struct actor *a)
{
    later(a, push_with_gaps);
}

static void take_all(struct actor *a)
{
    while (take_one(a))
        continue;
}

static void readable_event_empty(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_with_gaps;
    r->on[READABLE] = take_all;
    r->hide = 1u << READ | 1u << READABLE;
    go(r);
    hear(r, STREAM_READABLE);
    turn(w);
    expect(r, "data(x) data(y) data(z) end destroy close");
}

/* ---- 9 */
static void push_x(struct actor *a)
{
    push(a, "xxxxx");
}

static void push_empty(struct actor *a)
{
    push_none(a);
}

static void read_mostly_nothing(struct actor *a)
{
    switch (a->n++) {
    case 0: later(a, push_x); return;
    case 1: later(a, push_empty); return;
    case 2:
        push(a, "");
        later(a, take);
        return;
    case 3:
        push_none(a);
        later(a, take);
        return;
    case 4: push_x(a); return;
    default: push_end(a);
    }
}

static void empty_buffer_no_eof(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_mostly_nothing;
    r->on[READABLE] = take_all;
    r->hide = 1u << READ | 1u << READABLE;
    go(r);
    hear(r, STREAM_READABLE);
    turn(w);
    expect(r, "data(xxxxx) data(xxxxx) end destroy close");
}

/* ---- 10 */
static void end_paused(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    go(r);
    hear(r, STREAM_DATA);
    pause_(r);
    push_end(r);
    turn(w);
    CHECK(w, r->count[END] == 0);
    resume(r);
    turn(w);
    expect(r, "pause resume resume end destroy close"); /* the first is that of listening */
}

/* ---- 11 */
static void single_end(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    go(r);
    deaf(r, STREAM_END);
    push_end(r);
    turn(w);
    hear(r, STREAM_END);
    resume(r);
    resume(r);
    turn(w);
    resume(r);
    turn(w);
    expect(r, "resume end destroy close");
}

/* ---- 12 */
static void read_last(struct actor *a)
{
    push(a, "x");
    push_end(a);
}

static void not_ended_yet(struct actor *a)
{
    CHECK(a->world, !stream_is_ended(a->s));
}

static void ended_now(struct actor *a)
{
    CHECK(a->world, stream_is_ended(a->s));
    push_end(a);
}

static void readable_ended(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_last;
    r->on[DATA] = not_ended_yet;
    r->on[END] = ended_now;
    go(r);
    hear(r, STREAM_DATA);
    turn(w);
    expect(r, "resume read data(x) end destroy close");
}

/* ---- 13 */
static void error_once(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    go(r);
    push_end(r);
    bool first = push(r, "x");
    bool second = push(r, "y");
    CHECK(w, !first && !second);
    turn(w);
    expect(r, "destroy(PUSH_AFTER_END) error(PUSH_AFTER_END) close");
}

/* ---- 14 */
static void push_item(struct actor *a)
{
    push(a, "i");
}

static void read_nineteen(struct actor *a)
{
    if (a->n++ < 18) {
        later(a, push_item);
        return;
    }
    push_item(a);
    push_end(a);
}

static void pause_a_turn(struct actor *a)
{
    pause_(a);
    later(a, resume);
}

static void pause_and_resume(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_nineteen;
    r->on[DATA] = pause_a_turn;
    go(r);
    hear(r, STREAM_DATA);
    turn(w);
    CHECK(w, r->count[DATA] == 19 && r->count[RESUME] == 19 && r->count[END] == 1);
}

/* ---- 15 */
static void resume_scheduled(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    go(r);
    CHECK(w, stream_flowing(r->s) == STREAM_FLOW_UNSET);
    resume(r);
    CHECK(w, stream_flowing(r->s) == STREAM_FLOWING && r->count[RESUME] == 0);
    resume(r);
    tick(w);
    expect(r, "resume read");
}

/* ---- 16 */
static void push_more(struct actor *a)
{
    if (a->n == 0)
        push(a, "3");
    if (a->n++ == 0)
        push(a, "4");
}

static void add_chunk_during_data(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[DATA] = push_more;
    r->hide = 1u << READ;
    go(r);
    push(r, "1");
    push(r, "2");
    hear(r, STREAM_DATA);
    turn(w);
    expect(r, "resume data(1) data(2) data(3) data(4)");
}

/* ---- 17 */
static void emitted_readable(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READABLE] = take_all;
    r->hide = 1u << READ;
    go(r);
    hear(r, STREAM_READABLE);
    push(r, "a");
    push(r, "b");
    turn(w);
    expect(r, "readable data(a) data(b)");
    push(r, "c");
    push(r, "d");
    turn(w);
    expect(r, "readable data(a) data(b) readable data(c) data(d)");
}

/* ---- 18 */
static void push_ten(struct actor *a)
{
    if (a->n++ == 5) {
        push_end(a);
        return;
    }
    for (int i = 0; i < 10; i++)
        push(a, "i");
}

static void read_ten_later(struct actor *a)
{
    later(a, push_ten);
}

static void multi_push_async(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->o.read_mark = 16;
    r->on[READ] = read_ten_later;
    go(r);
    hear(r, STREAM_DATA);
    turn(w);
    CHECK(w, r->count[READ] == 6 && r->count[DATA] == 50 && r->count[END] == 1);
}

/* ---- 19 */
static void read_one_byte(struct actor *a)
{
    static __thread char *top;
    char here;
    if (a->n == 0)
        top = &here;
    CHECK(a->world, top == &here); /* the stack is as deep as at the first time */
    if (a->n++ < (a->world->small || a->world->shuffled ? 30 : 262144))
        push(a, "x");
    else
        push_end(a);
}

static void read_sync_stack(struct world *w)
{
    struct actor *r = cast(w, 'R', "r");
    r->on[READ] = read_one_byte;
    r->hide = 1u << READ | 1u << DATA;
    go(r);
    hear(r, STREAM_DATA);
    turn(w);
    CHECK(w,
          r->count[DATA] == (w->shuffled ? 30 : 262144)); /* one stream alone: nothing to shuffle */
    expect(r, "resume end destroy close");
}

/* ---- 20 */
static void not_aborted(struct actor *a)
{
    destroy(a, 0);
    CHECK(a->world, !stream_is_aborted(a->s));
}

static void readable_aborted(struct world *w)
{
    struct actor *before = cast(w, 'R', "before"), *after = cast(w, 'R', "after"),
                 *none = cast(w, 'D', "none");
    go(before);
    CHECK(w, !stream_is_aborted(before->s));
    push(before, "x");
    push_end(before);
    destroy(before, 0);
    CHECK(w, stream_is_aborted(before->s));
    after->on[READ] = end_read;
    after->on[END] = not_aborted;
    go(after);
    resume(after);
    none->o.readable = false;
    go(none);
    destroy(none, 0);
    CHECK(w, !stream_is_aborted(none->s));
    turn(w);
    CHECK(w, stream_is_aborted(before->s) && !stream_is_aborted(after->s));
    expect(after, "resume read end destroy close");
}

const struct behaviour readable_behaviours[] = {
    {1, "push-order", push_order},
    {2, "stream2-objects (mark)", mark_in_units},
    {3, "highwatermark 0", mark_zero},
    {4, "highwatermark invalid", mark_negative},
    {5, "backpressure", backpressure},
    {6, "resume-hwm", resume_hwm},
    {7, "hwm-0-async", hwm_zero_async},
    {8, "readable-event empty", readable_event_empty},
    {9, "empty-buffer-no-eof", empty_buffer_no_eof},
    {10, "end-paused", end_paused},
    {11, "single-end", single_end},
    {12, "readable-ended", readable_ended},
    {13, "error-once", error_once},
    {14, "pause-and-resume", pause_and_resume},
    {15, "resumeScheduled", resume_scheduled},
    {16, "add-chunk-during-data", add_chunk_during_data},
    {17, "emittedReadable", emitted_readable},
    {18, "multi-push-async", multi_push_async},
    {19, "read-sync-stack", read_sync_stack},
    {20, "readable-aborted", readable_aborted},
    {0, NULL, NULL},
};
