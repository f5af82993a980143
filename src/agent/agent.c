#include "agent/agent.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_state.h"
#include "agent/leftover.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "delivery/checkpoint.h"
#include "source/watch.h"
#include "stage/config.h"

#define PROGRESS_EVERY 0.25 /* seconds */

const struct pipeline_config *agent_find_config(const struct agent *a, const char *name)
{
    const struct config *config = a->current->config;
    for (size_t i = 0; i < config->pipeline_count; i++)
        if (strcmp(config->pipelines[i].name, name) == 0)
            return &config->pipelines[i];
    return NULL;
}

uint64_t agent_memory_share(const struct agent *a)
{
    return a->current->config->memory_limit / a->current->config->pipeline_count;
}

static bool is_over(const struct agent *a)
{
    LIST_EACH(node, &a->slots)
        if (LIST_ENTRY(node, struct slot, node)->state != SLOT_OVER)
            return false;
    return true;
}

void agent_end_if_over(struct agent *a)
{
    if (is_over(a))
        loop_stop(a->loop);
}

/* ---- stopping ---------------------------------------------------------------------------------- */

static void on_deadline(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct agent *a = w->data;
    a->failed = true;
    log_error(NULL, "shutdown_timeout is over");
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->pipeline != NULL)
            slot_give_up(slot);
    }
}

static void on_stop(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)events;
    struct agent *a = w->data;
    if (a->stopping) {
        log_warn(NULL, "second signal: exiting at once");
        _exit(1);
    }
    log_info(NULL, "stopping: delivering what is under way");
    a->stopping = a->env.hurry = true;
    ev_timer_set(&a->deadline, a->current->config->shutdown_timeout, 0.);
    ev_timer_start(ev, &a->deadline);
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->state == SLOT_PAUSED)
            slot->state = SLOT_OVER;
        else if (slot->pipeline != NULL)
            pipeline_stop(slot->pipeline);
    }
    agent_end_if_over(a);
}

static void on_reload(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev;
    (void)events;
    reload(w->data);
}

/* ---- the whole --------------------------------------------------------------------------------- */

static void on_usr1(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev;
    (void)events;
    struct agent *a = w->data;
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->pipeline != NULL)
            pipeline_log_state(slot->pipeline);
    }
}

void agent_count(struct pipeline *p, struct agent_progress *sum)
{
    for (size_t i = 0; i < pipeline_size(p); i++) {
        const struct element *el = pipeline_element(p, i);
        if (el->config == NULL || el->config->type->kind != STAGE_SOURCE)
            continue;
        sum->done += el->stats.bytes_out;
        sum->expected += el->stats.expected;
        sum->records += el->stats.records_out;
    }
}

static void on_progress(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct agent *a = w->data;
    struct agent_progress sum = a->ended;
    LIST_EACH(node, &a->slots) {
        struct pipeline *p = LIST_ENTRY(node, struct slot, node)->pipeline;
        if (p != NULL)
            agent_count(p, &sum);
    }
    a->options->progress(a->options->arg, &sum);
}

static void on_signal(struct agent *a, ev_signal *w, int signum,
                      void (*fn)(struct ev_loop *, ev_signal *, int))
{
    ev_signal_init(w, fn, signum);
    w->data = a;
    ev_signal_start(loop_ev(a->loop), w);
    ev_unref(loop_ev(a->loop));
}

static void off_signal(struct agent *a, ev_signal *w)
{
    ev_ref(loop_ev(a->loop));
    ev_signal_stop(loop_ev(a->loop), w);
}

static void watch_signals(struct agent *a)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE: EFBIG, which the file sink waits out like a full disk */
    on_signal(a, &a->term, SIGTERM, on_stop);
    on_signal(a, &a->intr, SIGINT, on_stop);
    on_signal(a, &a->hup, SIGHUP, on_reload);
    on_signal(a, &a->usr1, SIGUSR1, on_usr1);
    ev_timer_init(&a->deadline, on_deadline, 0., 0.);
    a->deadline.data = a;
    ev_timer_init(&a->progress, on_progress, PROGRESS_EVERY, PROGRESS_EVERY);
    a->progress.data = a;
    if (a->options->progress != NULL) {
        ev_timer_start(loop_ev(a->loop), &a->progress);
        ev_unref(loop_ev(a->loop));
    }
}

static void unwatch_signals(struct agent *a)
{
    off_signal(a, &a->term);
    off_signal(a, &a->intr);
    off_signal(a, &a->hup);
    off_signal(a, &a->usr1);
    ev_timer_stop(loop_ev(a->loop), &a->deadline);
    if (a->options->progress != NULL) {
        ev_ref(loop_ev(a->loop));
        ev_timer_stop(loop_ev(a->loop), &a->progress);
    }
}

/* Turn the loop until every slot is over. It must not run dry before: then somebody waits for what cannot come, which is a bug, and
 * must not look like success. */
static void run_slots(struct agent *a)
{
    while (!is_over(a)) {
        loop_run(a->loop);
        if (is_over(a))
            break;
        log_error(NULL, "nothing is left to wait for, and not everything was delivered");
        a->failed = a->stopping = true;
        LIST_EACH(node, &a->slots) {
            struct slot *slot = LIST_ENTRY(node, struct slot, node);
            if (slot->pipeline != NULL)
                slot_give_up(slot);
        }
    }
}

static bool any_replayable(const struct config *config)
{
    for (size_t i = 0; i < config->pipeline_count; i++)
        if (slot_replayable(&config->pipelines[i]))
            return true;
    return false;
}

static int run(struct agent *a, struct err *e)
{
    const struct config *config = a->current->config;
    a->env.checkpoint = checkpoint_open(a->loop, a->env.work, config->data_dir, CHECKPOINT_KEEP, e);
    if (a->env.checkpoint == NULL)
        return -1;
    if (config->data_dir == NULL && any_replayable(config))
        log_warn(NULL, "no data_dir is configured: where reading stopped is not kept, the next start does as start_at says");
    leftover_warn(config, a->data_dir);
    watch_signals(a);
    for (size_t i = 0; i < config->pipeline_count; i++)
        if (slot_new(a, config->pipelines[i].name) != 0)
            a->failed = true;
    agent_end_if_over(a);
    run_slots(a);
    if (a->options->progress != NULL)
        on_progress(NULL, &a->progress, 0);
    unwatch_signals(a);
    LIST_EACH(node, &a->slots)
        slot_free(LIST_ENTRY(node, struct slot, node));
    return a->failed ? -1 : 0;
}

int agent_run(struct config **config, const struct agent_options *options, struct err *e)
{
    struct agent a = {.options = options};
    struct generation *first;
    int rc = -1;
    list_init(&a.slots);
    a.current = generation_new(*config);
    if (a.current == NULL)
        return err_nomem(e);
    *config = NULL;
    first = a.current; /* holds data_dir */
    first->refs++;
    a.data_dir = first->config->data_dir;
    a.loop = loop_new(e);
    if (a.loop == NULL)
        goto err0;
    a.env.work = work_new(a.loop, e);
    if (a.env.work == NULL)
        goto err1;
    a.env.disk_work = work_new(a.loop, e); /* its thread starts with the first job */
    if (a.env.disk_work == NULL)
        goto err2;
    a.env.watcher = watcher_new(a.loop);
    if (a.env.watcher == NULL) {
        err_nomem(e);
        goto err3;
    }
    if (gethostname(a.host, sizeof a.host - 1) != 0)
        snprintf(a.host, sizeof a.host, "localhost");
    a.env.loop = a.loop;
    a.env.host = a.host;
    a.env.data_dir = a.data_dir;
    a.env.once = options->once;
    rc = run(&a, e);
    if (checkpoint_close(&a.env.checkpoint, e) != 0)
        rc = -1;
    loop_tick(a.loop);
    watcher_free(&a.env.watcher);
err3:
    work_free(&a.env.disk_work);
err2:
    work_free(&a.env.work);
err1:
    loop_free(&a.loop);
err0:
    generation_unref(a.current);
    generation_unref(first);
    return rc == 0 ? 0 : 1;
}
