#include "agent/agent.h"

#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/pipeline.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "delivery/checkpoint.h"
#include "stage/config.h"

#define RESTART_FIRST  0.5 /* seconds before a failed pipeline is built again: doubles up to the most */
#define RESTART_MOST   30.0
#define RESTART_CALM   60.0 /* a pipeline that ran so long starts over with the first pause */
#define PROGRESS_EVERY 0.25

enum slot_state {
    SLOT_RUNNING,
    SLOT_PAUSED,   /* failed, to be built again */
    SLOT_RENEWING, /* draining, to be built with the new configuration */
    SLOT_LEAVING,  /* draining, the new configuration does not have it */
    SLOT_OVER,     /* ended by itself, or stopped */
};

/* The place of one pipeline, across its restarts. */
struct slot {
    struct list node;
    struct agent *agent;
    char *name;
    struct pipeline *pipeline; /* NULL: none is running */
    enum slot_state state;
    ev_timer timer; /* until it is built again, or until draining is given up */
    double pause, started;
};

struct agent {
    const struct agent_options *options;
    struct config *config;
    struct list retired; /* configurations that draining pipelines still use */
    struct loop *loop;
    struct pipeline_env env;
    struct list slots;
    ev_signal term, intr, hup, usr1;
    ev_timer deadline, progress;
    char host[256];
    bool stopping, failed;
};

struct retired {
    struct list node;
    struct config *config;
};

static void start(struct slot *slot);

/* ---- slots ------------------------------------------------------------------------------------- */

static const struct pipeline_config *find_config(const struct agent *a, const char *name)
{
    for (size_t i = 0; i < a->config->pipeline_count; i++)
        if (strcmp(a->config->pipelines[i].name, name) == 0)
            return &a->config->pipelines[i];
    return NULL;
}

static void timer_in(struct slot *slot, double seconds)
{
    struct ev_loop *ev = loop_ev(slot->agent->loop);
    ev_now_update(ev);
    ev_timer_stop(ev, &slot->timer);
    ev_timer_set(&slot->timer, seconds, 0.);
    ev_timer_start(ev, &slot->timer);
}

static void slot_free(struct slot *slot)
{
    ev_timer_stop(loop_ev(slot->agent->loop), &slot->timer);
    list_remove(&slot->node);
    pipeline_free(&slot->pipeline);
    mem_free(slot->name);
    mem_free(slot);
}

/* Configurations that no pipeline uses any more. */
static void free_retired(struct agent *a)
{
    LIST_EACH(node, &a->slots)
        if (LIST_ENTRY(node, struct slot, node)->state == SLOT_RENEWING ||
            LIST_ENTRY(node, struct slot, node)->state == SLOT_LEAVING)
            return;
    struct list *node;
    while ((node = list_shift(&a->retired)) != NULL) {
        struct retired *r = LIST_ENTRY(node, struct retired, node);
        config_free(&r->config);
        mem_free(r);
    }
}

static void end_if_over(struct agent *a)
{
    LIST_EACH(node, &a->slots)
        if (LIST_ENTRY(node, struct slot, node)->state != SLOT_OVER)
            return;
    loop_stop(a->loop);
}

/* Can what was read be read again? Otherwise building the pipeline anew would hide a loss. */
static bool is_replayable(const struct pipeline_config *config)
{
    for (size_t i = 0; i < config->sources.count; i++)
        if (strcmp(config->sources.items[i].type->type, "stdin") == 0)
            return false;
    return true;
}

static void failed(struct slot *slot, const struct err *e)
{
    struct agent *a = slot->agent;
    const struct pipeline_config *config = find_config(a, slot->name);
    if (a->stopping || a->options->once || !is_replayable(config)) {
        log_error(slot->name, "%s", e->text);
        a->failed = true;
        slot->state = SLOT_OVER;
        return;
    }
    if (loop_now() - slot->started > RESTART_CALM)
        slot->pause = 0;
    slot->pause = slot->pause == 0 ? RESTART_FIRST : slot->pause * 2;
    if (slot->pause > RESTART_MOST)
        slot->pause = RESTART_MOST;
    log_error(slot->name, "%s (starting again in %.1f s, from what was delivered)", e->text, slot->pause);
    slot->state = SLOT_PAUSED;
    timer_in(slot, slot->pause);
}

static void on_done(void *arg, struct pipeline *p, const struct err *e)
{
    struct slot *slot = arg;
    struct agent *a = slot->agent;
    struct err why = e != NULL ? *e : (struct err){0};
    ev_timer_stop(loop_ev(a->loop), &slot->timer);
    (void)p;
    pipeline_free(&slot->pipeline);
    switch (slot->state) {
    case SLOT_RUNNING:
        slot->state = SLOT_OVER;
        if (err_is(&why))
            failed(slot, &why);
        break;
    case SLOT_RENEWING:
        if (!a->stopping)
            start(slot);
        else
            slot->state = SLOT_OVER;
        break;
    case SLOT_LEAVING:
        slot->state = SLOT_OVER;
        break;
    case SLOT_PAUSED:
    case SLOT_OVER:
        abort(); /* nothing was running */
    }
    free_retired(a);
    end_if_over(a);
}

static void start(struct slot *slot)
{
    struct agent *a = slot->agent;
    struct err e = {0};
    slot->state = SLOT_RUNNING;
    slot->started = loop_now();
    slot->pipeline = pipeline_new(&a->env, find_config(a, slot->name),
                                  a->config->memory_limit / a->config->pipeline_count, on_done, slot, &e);
    if (slot->pipeline == NULL)
        failed(slot, &e);
}

/* Records that were read and not delivered, by sink. */
static void log_undelivered(const struct slot *slot)
{
    struct pipeline *p = slot->pipeline;
    for (size_t i = 0; i < pipeline_size(p); i++) {
        const struct element *el = pipeline_element(p, i);
        if (el->config == NULL || el->config->type->kind != STAGE_SINK)
            continue;
        uint64_t n = pipeline_undelivered(p, el->sink);
        if (n > 0)
            log_error(el->scope, "%" PRIu64 " records were read and not delivered: they are before the checkpoint "
                      "and sent again at the next start", n);
    }
}

static void give_up(struct slot *slot)
{
    struct err e = {0};
    err_set(&e, ERR_INTERNAL, "not everything was delivered within shutdown_timeout");
    log_undelivered(slot);
    pipeline_abort(slot->pipeline, &e);
}

static void on_slot_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct slot *slot = w->data;
    if (slot->state == SLOT_PAUSED) {
        start(slot);
        end_if_over(slot->agent);
    } else if (slot->state == SLOT_RENEWING || slot->state == SLOT_LEAVING) {
        give_up(slot);
    }
}

static int slot_new(struct agent *a, const char *name)
{
    struct slot *slot = mem_zalloc(1, sizeof *slot);
    if (slot == NULL)
        return -1;
    slot->agent = a;
    slot->name = mem_strdup(name);
    ev_timer_init(&slot->timer, on_slot_timer, 0., 0.);
    slot->timer.data = slot;
    list_push(&a->slots, &slot->node);
    if (slot->name == NULL) {
        slot_free(slot);
        return -1;
    }
    start(slot);
    return 0;
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
            give_up(slot);
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
    ev_timer_set(&a->deadline, a->config->shutdown_timeout, 0.);
    ev_timer_start(ev, &a->deadline);
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->state == SLOT_PAUSED)
            slot->state = SLOT_OVER;
        else if (slot->state == SLOT_RUNNING)
            pipeline_stop(slot->pipeline);
    }
    end_if_over(a);
}

/* ---- reloading --------------------------------------------------------------------------------- */

/* ${slot} is not, or not any more, what the configuration says: drain it. */
static void drain(struct slot *slot, enum slot_state then)
{
    if (slot->pipeline == NULL) {
        slot->state = SLOT_OVER;
        if (then == SLOT_RENEWING)
            start(slot);
        return;
    }
    slot->state = then;
    timer_in(slot, slot->agent->config->shutdown_timeout);
    pipeline_stop(slot->pipeline);
}

static struct slot *find_slot(struct agent *a, const char *name)
{
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (strcmp(slot->name, name) == 0 && slot->state != SLOT_OVER)
            return slot;
    }
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Put ${fresh} in place of the present configuration. A pipeline keeps running on the old one as long as it says the same. */
static int exchange(struct agent *a, struct config *fresh)
{
    struct retired *old = mem_zalloc(1, sizeof *old);
    if (old == NULL)
        return -1;
    old->config = a->config;
    list_push(&a->retired, &old->node);
    a->config = fresh;
    return 0;
}

static void on_reload(struct ev_loop *ev, ev_signal *w, int events)
{
    (void)ev;
    (void)events;
    struct agent *a = w->data;
    if (a->stopping || a->options->reload == NULL)
        return;
    LIST_EACH(node, &a->slots) {
        enum slot_state state = LIST_ENTRY(node, struct slot, node)->state;
        if (state == SLOT_RENEWING || state == SLOT_LEAVING) {
            log_warn(NULL, "reload: one is still under way: send SIGHUP again later");
            return;
        }
    }
    struct config *fresh = a->options->reload(a->options->arg);
    if (fresh == NULL) {
        log_error(NULL, "reload: the new configuration is invalid: the old one keeps running");
        return;
    }
    if (!same_text(fresh->data_dir, a->config->data_dir))
        log_warn(NULL, "reload: data_dir changes only when weir is started again");
    struct config *before = a->config;
    if (exchange(a, fresh) != 0) {
        config_free(&fresh);
        log_error(NULL, "reload: out of memory: the old configuration keeps running");
        return;
    }
    unsigned changed = 0;
    LIST_EACH(node, &a->slots) {
        struct slot *slot = LIST_ENTRY(node, struct slot, node);
        if (slot->state == SLOT_OVER)
            continue;
        changed++;
        drain(slot, find_config(a, slot->name) != NULL ? SLOT_RENEWING : SLOT_LEAVING);
    }
    (void)before;
    for (size_t i = 0; i < fresh->pipeline_count; i++)
        if (find_slot(a, fresh->pipelines[i].name) == NULL && slot_new(a, fresh->pipelines[i].name) != 0)
            log_error(fresh->pipelines[i].name, "not started: out of memory");
    log_info(NULL, "reload: %u pipelines drain and start again", changed);
    free_retired(a);
    end_if_over(a);
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

static void on_progress(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)ev;
    (void)events;
    struct agent *a = w->data;
    struct agent_progress sum = {0};
    LIST_EACH(node, &a->slots) {
        struct pipeline *p = LIST_ENTRY(node, struct slot, node)->pipeline;
        for (size_t i = 0; p != NULL && i < pipeline_size(p); i++) {
            const struct element *el = pipeline_element(p, i);
            if (el->config == NULL || el->config->type->kind != STAGE_SOURCE)
                continue;
            sum.done += el->stats.bytes_out;
            sum.expected += el->stats.expected;
            sum.records += el->stats.records_out;
        }
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

static int run(struct agent *a, struct err *e)
{
    struct config *config = a->config;
    a->env.checkpoint = checkpoint_open(a->loop, config->data_dir, CHECKPOINT_KEEP, e);
    if (a->env.checkpoint == NULL)
        return -1;
    if (config->data_dir == NULL)
        log_warn(NULL, "no data_dir is configured: where reading stopped is not kept, the next start does as start_at says");
    watch_signals(a);
    for (size_t i = 0; i < config->pipeline_count; i++)
        if (slot_new(a, config->pipelines[i].name) != 0)
            a->failed = true;
    end_if_over(a);
    bool over = true;
    LIST_EACH(node, &a->slots)
        over = over && LIST_ENTRY(node, struct slot, node)->state == SLOT_OVER;
    if (!over)
        loop_run(a->loop);
    if (a->options->progress != NULL)
        on_progress(NULL, &a->progress, 0);
    unwatch_signals(a);
    LIST_EACH(node, &a->slots)
        slot_free(LIST_ENTRY(node, struct slot, node));
    return a->failed ? -1 : 0;
}

int agent_run(struct config **config, const struct agent_options *options, struct err *e)
{
    struct agent a = {.options = options, .config = *config};
    *config = NULL;
    list_init(&a.slots);
    list_init(&a.retired);
    int rc = -1;
    a.loop = loop_new(e);
    if (a.loop == NULL)
        goto err0;
    a.env.work = work_new(a.loop, e);
    if (a.env.work == NULL)
        goto err1;
    if (gethostname(a.host, sizeof a.host - 1) != 0)
        snprintf(a.host, sizeof a.host, "localhost");
    a.env.loop = a.loop;
    a.env.host = a.host;
    a.env.once = options->once;
    rc = run(&a, e);
    if (checkpoint_close(&a.env.checkpoint, e) != 0)
        rc = -1;
    loop_tick(a.loop);
    work_free(&a.env.work);
    free_retired(&a);
err1:
    loop_free(&a.loop);
err0:
    config_free(&a.config);
    return rc == 0 ? 0 : 1;
}
