#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_state.h"
#include "agent/tally.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "stage/config.h"

#define RESTART_FIRST 0.5  /* seconds before a failed pipeline is built again: doubles up to the most */
#define RESTART_MOST  30.0
#define RESTART_CALM  60.0 /* a pipeline that ran so long starts over with the first pause */

static void start(struct slot *slot);

struct generation *generation_new(struct config *config)
{
    struct generation *g = mem_alloc(sizeof *g);
    if (g != NULL)
        *g = (struct generation){config, 1};
    return g;
}

void generation_unref(struct generation *g)
{
    if (g == NULL || --g->refs > 0)
        return;
    config_free(&g->config);
    mem_free(g);
}

static void timer_in(struct slot *slot, double seconds)
{
    struct ev_loop *ev = loop_ev(slot->agent->loop);
    ev_now_update(ev);
    ev_timer_stop(ev, &slot->timer);
    ev_timer_set(&slot->timer, seconds, 0.);
    ev_timer_start(ev, &slot->timer);
}

void slot_free(struct slot *slot)
{
    ev_timer_stop(loop_ev(slot->agent->loop), &slot->timer);
    list_remove(&slot->node);
    pipeline_free(&slot->pipeline);
    generation_unref(slot->generation);
    mem_free(slot->name);
    mem_free(slot);
}

bool slot_replayable(const struct pipeline_config *config)
{
    for (size_t i = 0; i < config->sources.count; i++)
        if (strcmp(config->sources.items[i].type->type, "stdin") == 0)
            return false;
    return true;
}

static void failed(struct slot *slot, const struct err *e)
{
    struct agent *a = slot->agent;
    const struct pipeline_config *config = agent_find_config(a, slot->name);
    if (a->stopping || a->options->once || !slot_replayable(config)) {
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

/* Has it a source whose peers do not know what was delivered? */
static bool is_fed_by_peers(const struct pipeline_config *config)
{
    for (size_t i = 0; i < config->sources.count; i++)
        if (config->sources.items[i].type->endless)
            return true;
    return false;
}

/* What becomes of records that were read and not delivered. */
static const char *undelivered_fate(const struct slot *slot)
{
    if (!slot_replayable(pipeline_configured(slot->pipeline)))
        return "those from standard input are lost, it cannot be read again";
    if (is_fed_by_peers(pipeline_configured(slot->pipeline)))
        return "those that came over a socket are lost, nobody sends them again";
    if (slot->agent->data_dir == NULL)
        return "there is no data_dir, so the next start does as start_at says";
    return "the checkpoint stands before them, they are sent again after the next start";
}

/* Records that were read and not delivered, by sink. */
static void log_undelivered(const struct slot *slot)
{
    struct pipeline *p = slot->pipeline;
    const char *fate = undelivered_fate(slot);
    for (size_t i = 0; i < pipeline_size(p); i++) {
        const struct element *el = pipeline_element(p, i);
        if (el->config == NULL || el->config->type->kind != STAGE_SINK || el->letters)
            continue;
        uint64_t n = pipeline_undelivered(p, el->sink);
        if (n > 0)
            log_error(el->scope, "%" PRIu64 " records were read and not delivered: %s", n, fate);
    }
}

static void on_done(void *arg, struct pipeline *p, const struct err *e)
{
    struct slot *slot = arg;
    struct agent *a = slot->agent;
    struct err why = e != NULL ? *e : (struct err){0};
    ev_timer_stop(loop_ev(a->loop), &slot->timer);
    agent_count(p, &a->ended);
    if (a->options->once && !tally(p))
        a->failed = true;
    if (slot->state == SLOT_RUNNING && err_is(&why) && is_fed_by_peers(pipeline_configured(p)))
        log_undelivered(slot); /* starting again does not bring them back */
    pipeline_free(&slot->pipeline);
    generation_unref(slot->generation);
    slot->generation = NULL;
    switch (slot->state) {
    case SLOT_RUNNING:
        slot->state = SLOT_OVER;
        if (err_is(&why))
            failed(slot, &why);
        break;
    case SLOT_RENEWING:
        slot->state = SLOT_OVER;
        if (!a->stopping)
            start(slot);
        break;
    case SLOT_LEAVING:
        slot->state = SLOT_OVER;
        break;
    case SLOT_PAUSED:
    case SLOT_OVER:
        abort(); /* nothing was running */
    }
    reload_settled(a);
    agent_end_if_over(a);
}

static void start(struct slot *slot)
{
    struct agent *a = slot->agent;
    struct err e = {0};
    slot->state = SLOT_RUNNING;
    slot->started = loop_now();
    slot->generation = a->current;
    slot->generation->refs++;
    slot->pipeline = pipeline_new(&a->env, agent_find_config(a, slot->name),
                                  agent_memory_share(a), on_done, slot, &e);
    if (slot->pipeline == NULL) {
        generation_unref(slot->generation);
        slot->generation = NULL;
        failed(slot, &e);
    }
}

void slot_give_up(struct slot *slot)
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
        agent_end_if_over(slot->agent);
    } else if (slot->state == SLOT_RENEWING || slot->state == SLOT_LEAVING) {
        slot_give_up(slot);
    }
}

int slot_new(struct agent *a, const char *name)
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

void slot_drain(struct slot *slot, enum slot_state then)
{
    if (slot->pipeline == NULL) {
        slot->state = SLOT_OVER;
        if (then == SLOT_RENEWING)
            start(slot);
        return;
    }
    slot->state = then;
    timer_in(slot, slot->agent->current->config->shutdown_timeout);
    pipeline_stop(slot->pipeline);
}
