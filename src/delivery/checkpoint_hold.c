/* Pipelines whose outputs are cut back: see checkpoint.h. */
#include <string.h>

#include "base/mem.h"
#include "delivery/checkpoint_state.h"

#define PUBLISH_DELAY 0.1 /* seconds: who publishes has waited already, but may not be alone */

/* ---- what the file says ------------------------------------------------------------------------ */

struct checkpoint_hold *checkpoint_hold_of(const struct checkpoint *cp, const char *pipeline)
{
    LIST_EACH(node, &cp->holds) {
        struct checkpoint_hold *hold = LIST_ENTRY(node, struct checkpoint_hold, node);
        if (strcmp(hold->pipeline, pipeline) == 0)
            return hold;
    }
    return NULL;
}

void checkpoint_print(const struct checkpoint *cp, struct buf *out)
{
    checkpoint_print_begin(out);
    LIST_EACH(node, &cp->entries) {
        const struct checkpoint_entry *e = LIST_ENTRY(node, struct checkpoint_entry, node);
        if (e->hold == NULL)
            checkpoint_print_entry(e, out);
    }
    LIST_EACH(node, &cp->holds) {
        const struct checkpoint_hold *hold = LIST_ENTRY(node, struct checkpoint_hold, node);
        if (hold->text.len > 0)
            buf_add(out, hold->text.data, hold->text.len);
    }
    LIST_EACH(node, &cp->outputs)
        checkpoint_print_output(LIST_ENTRY(node, struct checkpoint_output, node), out);
    checkpoint_print_end(out);
}

void checkpoint_hold_print(const struct checkpoint_hold *hold, struct buf *out)
{
    LIST_EACH(node, &hold->owner->entries) {
        const struct checkpoint_entry *e = LIST_ENTRY(node, struct checkpoint_entry, node);
        if (e->hold == hold)
            checkpoint_print_entry(e, out);
    }
}

void checkpoint_publish(struct checkpoint_hold *hold, struct buf *out)
{
    buf_clear(&hold->text);
    hold->text = *out;
    *out = (struct buf){0};
    checkpoint_changed(hold->owner);
    if (!hold->owner->writing && !hold->owner->failing)
        checkpoint_arm(hold->owner, PUBLISH_DELAY);
}

/* ---- holding ----------------------------------------------------------------------------------- */

static void hold_free(struct checkpoint_hold *hold)
{
    list_remove(&hold->node);
    buf_clear(&hold->text);
    mem_free(hold->pipeline);
    mem_free(hold);
}

void checkpoint_holds_free(struct checkpoint *cp)
{
    LIST_EACH(node, &cp->holds)
        hold_free(LIST_ENTRY(node, struct checkpoint_hold, node));
}

/* ${hold}, or NULL, is that of the entries of ${pipeline}. */
static void set_hold(struct checkpoint *cp, const char *pipeline, struct checkpoint_hold *hold)
{
    LIST_EACH(node, &cp->entries) {
        struct checkpoint_entry *e = LIST_ENTRY(node, struct checkpoint_entry, node);
        if (strcmp(e->pipeline, pipeline) == 0)
            e->hold = hold;
    }
}

static struct checkpoint_hold *hold_new(struct checkpoint *cp, const char *pipeline)
{
    struct checkpoint_hold *hold = mem_zalloc(1, sizeof *hold);
    if (hold == NULL)
        return NULL;
    hold->owner = cp;
    list_init(&hold->node);
    hold->pipeline = mem_strdup(pipeline);
    if (hold->pipeline == NULL)
        goto nomem;
    set_hold(cp, pipeline, hold);
    checkpoint_hold_print(hold, &hold->text);
    if (hold->text.failed)
        goto nomem;
    list_push(&cp->holds, &hold->node);
    return hold;
nomem:
    set_hold(cp, pipeline, NULL);
    hold_free(hold);
    return NULL;
}

/* The entries say again what the file says. -1: no memory, nothing was changed. */
static int set_back(struct checkpoint_hold *hold)
{
    struct checkpoint *cp = hold->owner;
    struct list read, none;
    struct buf text = {0};
    list_init(&read);
    list_init(&none);
    checkpoint_print_begin(&text);
    if (hold->text.len > 0)
        buf_add(&text, hold->text.data, hold->text.len);
    checkpoint_print_end(&text);
    int rc = text.failed ? -1 : checkpoint_parse(text.data, text.len, &read, &none, NULL);
    buf_clear(&text);
    if (rc != 0) {
        checkpoint_entries_free(&read);
        return -1;
    }
    LIST_EACH(node, &cp->entries) {
        struct checkpoint_entry *e = LIST_ENTRY(node, struct checkpoint_entry, node);
        if (e->hold == hold)
            checkpoint_remove(cp, e);
    }
    struct list *node;
    while ((node = list_shift(&read)) != NULL)
        checkpoint_link(cp, LIST_ENTRY(node, struct checkpoint_entry, node));
    return 0;
}

struct checkpoint_hold *checkpoint_hold(struct checkpoint *cp, const char *pipeline, void (*touched)(void *arg), void *arg)
{
    struct checkpoint_hold *hold = checkpoint_hold_of(cp, pipeline);
    if (hold != NULL && set_back(hold) != 0)
        return NULL;
    if (hold == NULL)
        hold = hold_new(cp, pipeline);
    if (hold != NULL) {
        hold->touched = touched;
        hold->arg = arg;
    }
    return hold;
}

void checkpoint_hold_leave(struct checkpoint_hold *hold)
{
    hold->touched = NULL;
}

static void remove_output(void *arg, struct checkpoint_output *output)
{
    checkpoint_remove_output(arg, output);
}

void checkpoint_unhold(struct checkpoint *cp, const char *pipeline)
{
    struct checkpoint_hold *hold = checkpoint_hold_of(cp, pipeline);
    checkpoint_each_output(cp, pipeline, remove_output, cp);
    if (hold == NULL)
        return;
    set_hold(cp, pipeline, NULL);
    hold_free(hold);
    checkpoint_changed(cp);
}

/* ---- outputs ----------------------------------------------------------------------------------- */

struct checkpoint_output *checkpoint_add_output(struct checkpoint *cp, const struct checkpoint_output *like)
{
    struct checkpoint_output *o = mem_zalloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    *o = *like;
    o->pipeline = mem_strdup(like->pipeline);
    o->stage = mem_strdup(like->stage);
    o->path = mem_strdup(like->path);
    list_init(&o->node);
    list_push(&cp->outputs, &o->node);
    if (o->pipeline == NULL || o->stage == NULL || o->path == NULL) {
        checkpoint_remove_output(cp, o);
        return NULL;
    }
    checkpoint_changed(cp);
    return o;
}

void checkpoint_remove_output(struct checkpoint *cp, struct checkpoint_output *output)
{
    struct list dead;
    list_init(&dead);
    list_remove(&output->node);
    list_push(&dead, &output->node);
    checkpoint_outputs_free(&dead);
    checkpoint_changed(cp);
}

void checkpoint_each_output(struct checkpoint *cp, const char *pipeline, void (*each)(void *arg, struct checkpoint_output *output),
                            void *arg)
{
    LIST_EACH(node, &cp->outputs) {
        struct checkpoint_output *o = LIST_ENTRY(node, struct checkpoint_output, node);
        if (strcmp(o->pipeline, pipeline) == 0)
            each(arg, o);
    }
}

/* ---- waiting for the disk ---------------------------------------------------------------------- */

uint64_t checkpoint_stamp(const struct checkpoint *cp)
{
    return cp->stamp + 1; /* the next write says it, one that is under way may not */
}

bool checkpoint_has(const struct checkpoint *cp, uint64_t stamp)
{
    return cp->kept >= stamp;
}

void checkpoint_wait(struct checkpoint *cp, struct checkpoint_waiter *w, uint64_t stamp)
{
    w->stamp = stamp;
    list_remove(&w->node);
    list_push(&cp->waiters, &w->node);
    if (!cp->writing && !cp->failing)
        checkpoint_arm(cp, 0.);
}

void checkpoint_wake(struct checkpoint *cp)
{
    struct list ready;
    list_init(&ready);
    LIST_EACH(node, &cp->waiters) {
        if (LIST_ENTRY(node, struct checkpoint_waiter, node)->stamp > cp->kept)
            continue;
        list_remove(node);
        list_push(&ready, node);
    }
    struct list *node;
    while ((node = list_shift(&ready)) != NULL) {
        struct checkpoint_waiter *w = LIST_ENTRY(node, struct checkpoint_waiter, node);
        w->wake(w);
    }
}
