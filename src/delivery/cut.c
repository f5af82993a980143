#include "delivery/cut_state.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define DELAY        0.8   /* seconds from the first change until it is taken: with the write, a second */
#define QUIET_AFTER  1.0   /* seconds in vain until the sources read nothing */
#define PATIENCE     1.0   /* how long they do not, then do again, the first time; doubles up to the most */
#define PATIENCE_MOST 120.0
#define PAUSE_FIRST  0.02  /* between two looks; doubles up to the most */
#define PAUSE_MOST   0.5
#define TELL_AFTER   60.0

static void start(struct cut *cut);

/* ---- when -------------------------------------------------------------------------------------- */

static void arm(struct cut *cut, double seconds)
{
    struct ev_loop *ev = loop_ev(cut->loop);
    ev_now_update(ev);
    ev_timer_stop(ev, &cut->timer);
    ev_timer_set(&cut->timer, seconds, 0.);
    ev_timer_start(ev, &cut->timer);
}

void cut_touch(struct cut *cut)
{
    cut->changed = true;
    if (!cut->abandoned && !cut->busy && !cut->finishing && !ev_is_active(&cut->timer))
        arm(cut, DELAY);
}

static void on_touched(void *arg)
{
    cut_touch(arg);
}

static void be_loud(struct cut *cut)
{
    struct list ready, *node;
    list_init(&ready);
    cut->quiet = false;
    list_splice(&ready, &cut->waiters);
    while ((node = list_shift(&ready)) != NULL) {
        struct cut_waiter *w = LIST_ENTRY(node, struct cut_waiter, node);
        w->wake(w);
    }
}

/* It is wanted and not possible yet. Sources that read nothing let it come, unless something waits for what they would read: so they
 * read again after a while. */
static void take_turns(struct cut *cut, double now)
{
    if (now < cut->turn)
        return;
    cut->turn = now + cut->patience;
    if (!cut->quiet) {
        cut->quiet = true;
        return;
    }
    if (cut->patience < PATIENCE_MOST)
        cut->patience *= 2;
    be_loud(cut);
}

static void tell(struct cut *cut, double now)
{
    if (cut->told || now - cut->since < TELL_AFTER)
        return;
    cut->told = true;
    log_warn(cut->pipeline, "exactly_once: no checkpoint could be made for %.0f s: records are held back, or another sink does not take them; "
             "what is written meanwhile is written again after a crash", now - cut->since);
}

static bool is_moment(const struct cut *cut)
{
    return cut->uncovered == 0 && !cut->busy && !cut->abandoned;
}

static void begin_wanting(struct cut *cut)
{
    double now = loop_now();
    if (cut->wanted)
        return;
    cut->wanted = true;
    cut->since = now;
    cut->turn = now + QUIET_AFTER;
    cut->pause = PAUSE_FIRST;
}

void cut_want(struct cut *cut)
{
    cut_touch(cut);
    begin_wanting(cut);
    cut_offer(cut);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct cut *cut = w->data;
    double now = loop_now();
    if (cut->busy || cut->abandoned || !cut->changed)
        return;
    begin_wanting(cut);
    if (is_moment(cut)) {
        start(cut);
        return;
    }
    take_turns(cut, now);
    tell(cut, now);
    arm(cut, cut->pause);
    if (cut->pause < PAUSE_MOST)
        cut->pause *= 2;
}

void cut_offer(struct cut *cut)
{
    if (cut->wanted && is_moment(cut))
        start(cut);
}

/* ---- taking it --------------------------------------------------------------------------------- */

static void job_run(struct job *j)
{
    struct cut *cut = LIST_ENTRY(j, struct cut, job);
    cut_outputs_sync(cut, &cut->err);
}

static void finish(struct cut *cut)
{
    void (*done)(void *) = cut->done;
    cut->done = NULL;
    if (done != NULL)
        done(cut->done_arg);
}

static void job_done(struct job *j)
{
    struct cut *cut = LIST_ENTRY(j, struct cut, job);
    cut->busy = false;
    cut_outputs_synced(cut);
    if (err_is(&cut->err)) {
        /* After a failed fsync the kernel may have thrown the pages away: the last checkpoint still holds, what was written since has
         * to be written again. */
        struct err e = cut->err;
        bool news = !cut->abandoned && !cut->finishing;
        buf_clear(&cut->text);
        cut->abandoned = true;
        if (!news)
            log_error(cut->pipeline, "%s (what was written since the last checkpoint is written again)", e.text);
        if (news)
            cut->failed(cut->failed_arg, &e);
        else
            finish(cut);
        return;
    }
    if (cut->abandoned) {
        buf_clear(&cut->text);
        finish(cut);
        return;
    }
    cut_outputs_keep(cut);
    checkpoint_publish(cut->hold, &cut->text);
    if (cut->told)
        log_info(cut->pipeline, "exactly_once: a checkpoint was made again");
    cut->told = false;
    if (cut->finishing && cut->changed && is_moment(cut)) {
        start(cut);
        return;
    }
    if (cut->changed)
        cut_touch(cut);
    finish(cut);
}

/* Take it now, and let the checkpoint say so when the outputs are on the disk. */
static void start(struct cut *cut)
{
    ev_timer_stop(loop_ev(cut->loop), &cut->timer);
    checkpoint_hold_print(cut->hold, &cut->text);
    if (cut->text.failed) {
        buf_clear(&cut->text);
        if (cut->finishing)
            finish(cut);
        else
            arm(cut, DELAY);
        return;
    }
    cut_outputs_note(cut);
    cut->busy = true;
    cut->changed = cut->wanted = false;
    if (cut->patience > PATIENCE)
        cut->patience /= 2;
    err_clear(&cut->err);
    cut->job = (struct job){.run = job_run, .done = job_done};
    work_start(cut->work, &cut->job);
    if (cut->quiet)
        be_loud(cut);
}

/* ---- life -------------------------------------------------------------------------------------- */

struct cut *cut_new(struct loop *loop, struct work *work, struct checkpoint *cp, const char *pipeline,
                    void (*failed)(void *arg, const struct err *e), void *arg, struct err *e)
{
    if (!checkpoint_is_kept(cp)) {
        err_set(e, ERR_INVALID, "exactly_once needs a data_dir, and weir was started without one");
        return NULL;
    }
    struct cut *cut = mem_zalloc(1, sizeof *cut);
    if (cut == NULL)
        goto err0;
    cut->loop = loop;
    cut->work = work;
    cut->cp = cp;
    cut->failed = failed;
    cut->failed_arg = arg;
    cut->patience = PATIENCE;
    list_init(&cut->outputs);
    list_init(&cut->fresh);
    list_init(&cut->waiters);
    ev_timer_init(&cut->timer, on_timer, 0., 0.);
    cut->timer.data = cut;
    cut->pipeline = mem_strdup(pipeline);
    if (cut->pipeline == NULL)
        goto err1;
    cut->hold = checkpoint_hold(cp, pipeline, on_touched, cut);
    if (cut->hold == NULL)
        goto err1;
    return cut;
err1:
    cut_free(&cut);
err0:
    err_nomem(e);
    return NULL;
}

void cut_abandon(struct cut *cut)
{
    cut->abandoned = true;
    cut->quiet = false;
    ev_timer_stop(loop_ev(cut->loop), &cut->timer);
}

void cut_finish(struct cut *cut, void (*done)(void *arg), void *arg)
{
    cut->finishing = true;
    cut->done = done;
    cut->done_arg = arg;
    ev_timer_stop(loop_ev(cut->loop), &cut->timer);
    cut->changed = cut->changed || !list_empty(&cut->outputs);
    if (cut->busy)
        return;
    if (is_moment(cut) && cut->changed)
        start(cut);
    else
        finish(cut);
}

void cut_free(struct cut **cut)
{
    struct cut *dead = *cut;
    *cut = NULL;
    if (dead == NULL)
        return;
    dead->abandoned = true;
    if (dead->busy)
        work_wait(dead->work);
    ev_timer_stop(loop_ev(dead->loop), &dead->timer);
    if (dead->hold != NULL)
        checkpoint_hold_leave(dead->hold);
    cut_outputs_free(dead);
    buf_clear(&dead->text);
    mem_free(dead->pipeline);
    mem_free(dead);
}

/* ---- sources ----------------------------------------------------------------------------------- */

size_t *cut_uncovered(struct cut *cut)
{
    return cut != NULL ? &cut->uncovered : NULL;
}

bool cut_is_quiet(const struct cut *cut)
{
    return cut != NULL && cut->quiet;
}

void cut_wait(struct cut *cut, struct cut_waiter *w)
{
    list_remove(&w->node);
    list_push(&cut->waiters, &w->node);
}
