/* The tail source reads: whose turn it is, and what comes of it. See tail.h for the parts. */
#include "base/err.h"
#include "base/loop.h"
#include "record/batch.h"
#include "source/tail_state.h"
#include "stream/stream.h"

#define BUSY_DELAY 0.25 /* seconds until trying again when no descriptor is free */

void tail_schedule(struct tail *t)
{
    if (!t->wanted || t->stopped || list_empty(&t->files.ready))
        return;
    if (cut_is_quiet(t->env->cut))
        cut_wait(t->env->cut, &t->loud);
    else
        loop_next(t->env->loop, &t->turn);
}

void tail_timer_by(struct tail *t, double at)
{
    struct ev_loop *ev = loop_ev(t->env->loop);
    double after = at - loop_now();
    if (after < 0.001)
        after = 0.001;
    if (ev_is_active(&t->timer) && ev_timer_remaining(ev, &t->timer) <= after)
        return;
    ev_now_update(ev);
    ev_timer_stop(ev, &t->timer);
    ev_timer_set(&t->timer, after, 0.);
    ev_timer_start(ev, &t->timer);
}

void tail_end_if_done(struct tail *t)
{
    if (!t->env->once || t->stopped || !list_empty(&t->files.ready) || tail_searches_busy(&t->files.searches) || t->files.search_at > 0 ||
        ev_is_active(&t->scan_timer))
        return;
    tail_lost_release(&t->files, true); /* nothing more will come that could tell what they are */
    if (!list_empty(&t->files.ready)) {
        tail_schedule(t);
        return;
    }
    t->stopped = true;
    stream_end_push(t->stream);
}

/* ${f} is at its end: is there anything more to expect of it? */
static void at_end(struct tail *t, struct tail_file *f, bool finished)
{
    double due = f->grown + t->set->rotate_wait;
    if (finished && f->gone) {
        bool copied = !list_empty(&t->files.held) && !tail_places_is_there(f); /* perhaps: that is not new, then */
        if (!copied || !tail_lost_search(&t->files, f, TAIL_GONE))
            tail_files_retire(&t->files, f);
        return;
    }
    if (finished) {
        f->rotated = f->over = false;
    } else if ((f->gone || f->rotated) && due <= loop_now()) {
        f->over = true; /* one more turn, in which its last line counts as whole */
        tail_files_ready(&t->files, f);
    } else if (f->gone || f->rotated) {
        if (list_empty(&f->waiting))
            list_push(&t->files.waiting, &f->waiting);
        tail_timer_by(t, due);
    }
    if (f->fd >= 0)
        tail_timer_by(t, loop_now() + t->set->close_inactive);
}

static void failed(struct tail *t, struct tail_file *f, const struct err *e)
{
    if (e->code == ERR_NOMEM) {
        stream_destroy(t->stream, e);
        return;
    }
    tail_files_complain(&t->files, f->path, e->text);
    f->failed = true;
    t->env->stats->errors++;
    t->env->stats->incomplete += t->env->once;
    t->rescan_at = loop_now() + t->set->rescan_interval; /* it may be readable then */
    tail_timer_by(t, t->rescan_at);
}

/* What was read of ${f} does not stand in it any more. */
static void start_over(struct tail *t, struct tail_file *f)
{
    if (tail_lost_search(&t->files, f, TAIL_REPLACED))
        return;
    if (tail_lost_give_up(&t->files, f, TAIL_REPLACED) == 0)
        return;
    struct err e = {0};
    err_nomem(&e);
    stream_destroy(t->stream, &e);
}

/* There is no descriptor for ${f} now. */
static void busy(struct tail *t, struct tail_file *f)
{
    tail_files_ready(&t->files, f);
    if (tail_open_close_one(&t->files)) {
        tail_schedule(t);
    } else {
        tail_files_complain(&t->files, f->path, "waits: too many open files");
        tail_timer_by(t, loop_now() + BUSY_DELAY);
    }
}

/* ${f} is not where it was. */
static enum tail_outcome vanished(struct tail *t, struct tail_file *f)
{
    bool no_descriptor = false;
    if (!f->gone)
        t->rescan_at = loop_now(); /* the set of files is not what we think */
    else if (tail_places_find(&t->files, f, &no_descriptor))
        tail_files_ready(&t->files, f); /* renamed once more before it was opened */
    else if (no_descriptor)
        busy(t, f);
    else if (!tail_lost_search(&t->files, f, TAIL_GONE))
        tail_files_retire(&t->files, f);
    return no_descriptor ? TAIL_BUSY : TAIL_VANISHED;
}

/* What ${outcome} leads to; returns what it was, after all. */
static enum tail_outcome handle(struct tail *t, struct tail_file *f, enum tail_outcome outcome, bool finish,
                   struct batch *b, const struct err *e)
{
    switch (outcome) {
    case TAIL_BATCH:
        tail_files_praise(&t->files, f->path);
        tail_files_ready(&t->files, f);
        t->wanted = false;
        stream_push(t->stream, &b->chunk);
        break;
    case TAIL_MORE:
        tail_files_ready(&t->files, f);
        break;
    case TAIL_IDLE:
        at_end(t, f, finish);
        break;
    case TAIL_NO_ROOM:
        list_before(t->files.ready.next, &f->ready); /* its turn again, when there is room */
        break;
    case TAIL_VANISHED:
        return vanished(t, f);
    case TAIL_BUSY:
        busy(t, f);
        break;
    case TAIL_ANEW:
        start_over(t, f);
        break;
    case TAIL_FAILED:
        failed(t, f, e);
        break;
    }
    return outcome;
}

/* ${other} has the turn instead of ${f}, which waits for its next. */
static struct tail_file *give_turn(struct tail *t, struct tail_file *f, struct tail_file *other)
{
    if (other == f)
        return f;
    tail_files_ready(&t->files, f);
    list_remove(&other->ready);
    return other;
}

/* What the log of ${f} was rotated out of is read to its end first, so that its lines stay in order (NULL: it is not known where that is). And one
 * compressed file is decoded at a time: who has begun has the turns of the others until it is at its end. */
static struct tail_file *whose_turn(struct tail *t, struct tail_file *f)
{
    struct tail_file *decoded = t->reader.unpack.owner, *oldest = tail_log_oldest(f);
    if (oldest->lost != TAIL_FOUND)
        return NULL; /* on_settled wakes it */
    if (list_empty(&oldest->held))
        f = give_turn(t, f, oldest);
    if (!tail_unpack_is(f) || decoded == NULL || list_empty(&decoded->ready) || tail_log_oldest(decoded) != decoded)
        return f;
    return give_turn(t, f, decoded);
}

void tail_turn(struct step *s)
{
    struct tail *t = LIST_ENTRY(s, struct tail, turn);
    if (!t->wanted || t->stopped)
        return;
    struct list *node = list_shift(&t->files.ready);
    if (node == NULL)
        return;
    struct tail_file *f = whose_turn(t, LIST_ENTRY(node, struct tail_file, ready));
    if (f == NULL) {
        tail_schedule(t);
        return;
    }
    if (tail_lost_hold(&t->files, f)) {
        tail_log_read(f);
        tail_timer_by(t, f->grown + t->set->rotate_wait);
        tail_schedule(t);
        tail_end_if_done(t);
        return;
    }
    struct batch *b = NULL;
    struct err e = {0};
    enum tail_outcome outcome = tail_file_read(&t->reader, f, t->env->once || f->over, &b, &e);
    tail_open_used(&t->files, f);
    if (outcome == TAIL_IDLE || outcome == TAIL_FAILED || (outcome == TAIL_VANISHED && !f->gone))
        tail_log_read(f);
    outcome = handle(t, f, outcome, t->env->once || f->over, b, &e);
    if (outcome == TAIL_NO_ROOM)
        pool_wait(t->env->pool, &t->room);
    else if (outcome != TAIL_BUSY)
        tail_schedule(t);
    if (t->rescan_at > 0)
        tail_timer_by(t, t->rescan_at);
    tail_end_if_done(t);
}

void tail_on_loud(struct cut_waiter *w)
{
    tail_schedule(LIST_ENTRY(w, struct tail, loud));
}

void tail_on_room(struct pool_waiter *w)
{
    tail_schedule(LIST_ENTRY(w, struct tail, room));
}
