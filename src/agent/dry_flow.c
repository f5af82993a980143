#include "agent/dry_flow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/dry_diff.h"
#include "base/err.h"
#include "record/batch.h"
#include "record/render.h"
#include "stage/config.h"
#include "stage/dead_letter.h"

/* The one record of ${c} as JSON; empty when it is bytes. */
static struct buf snapshot(struct chunk *c)
{
    struct buf out = {0};
    struct batch *b = chunk_batch(c);
    if (b != NULL && b->count == 1)
        render_record(&out, &b->records[0], RENDER_JSON);
    return out;
}

/* How many bytes the records of ${c} are, as they would be sent. */
static size_t text_bytes(struct chunk *c)
{
    struct buf out = {0};
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        render_record(&out, &b->records[i], RENDER_AUTO);
        buf_char(&out, '\n');
    }
    size_t len = out.len;
    buf_clear(&out);
    return len;
}

static const char *guess_verdict(const struct dry_link *l, size_t came_out)
{
    if (came_out == 0)
        return l->type->out == PAYLOAD_BYTES ? "merge" : "drop";
    return came_out > 1 ? "split" : "pass";
}

/* Note what ${l} did with a record that was ${before}. */
static int note_step(struct dry_flow *f, struct dry_link *l, const struct buf *before)
{
    size_t n = 0;
    for (struct list *at = l->out.next; at != &l->out; at = at->next, n++)
        l->text_out += text_bytes(LIST_ENTRY(at, struct chunk, queued));
    struct dry_step *step = dry_sheet_step(&f->sheet, &l->step);
    if (step == NULL)
        return err_nomem(f->err);
    if (step->verdict == NULL)
        step->verdict = guess_verdict(l, n);
    if (strcmp(step->verdict, "merge") == 0 && step->reason[0] == '\0')
        snprintf(step->reason, sizeof step->reason, "kept to be sent with others");
    if (n == 1 && before->len > 0 && strcmp(step->verdict, "merge") != 0) {
        struct buf after = snapshot(LIST_ENTRY(l->out.next, struct chunk, queued));
        int rc = after.len > 0 ? dry_diff(before, &after, &step->changes, &step->change_count) : 0;
        buf_clear(&after);
        if (rc != 0)
            return err_nomem(f->err);
    }
    const struct dry_account *a = &f->sheet.account;
    char place[4300] = "kept back until the end";
    if (a->source != NULL)
        snprintf(place, sizeof place, "%s@%" PRIu64, a->path != NULL ? a->path : a->source, a->offset);
    dry_link_example(l, place);
    return 0;
}

/* The one record of ${c}, which the sink refuses because of ${reason}: show the dead letter, if it has any. */
static int preview_refused(struct dry_flow *f, struct dry_branch *b, struct chunk *c, const char *reason)
{
    const struct stage_list *letters = &b->sink->dead_letters;
    int rc = 0;
    b->stats.records_in++;
    b->stats.errors++;
    if (letters->count == 0) {
        stage_dropped(&b->env, reason, 1);
    } else {
        struct batch *letter = dead_letter_new(&b->env, chunk_batch(c), 0, reason, NULL);
        struct chunk *line = letter != NULL ? &letter->chunk : NULL;
        struct dry_output *o = line != NULL ? dry_sheet_output(&f->sheet, letters->items[0].name) : NULL;
        rc = o != NULL ? letters->items[0].type->preview(letters->items[0].settings, &b->env, line, &o->bytes, &o->place) : -1;
        b->stats.refused++;
        chunk_free(&line);
        if (rc != 0 || o->bytes.failed || o->place.failed)
            rc = err_nomem(f->err);
    }
    chunk_delivered(&c);
    return rc;
}

static int preview(struct dry_flow *f, struct dry_branch *b, struct chunk *c)
{
    const struct stage_config *sink = b->sink;
    const struct batch *only = chunk_batch(c);
    if (sink->type->refuses != NULL && only != NULL && only->count == 1) {
        const char *reason = sink->type->refuses(sink->settings, &only->records[0]);
        if (reason != NULL)
            return preview_refused(f, b, c, reason);
    }
    struct dry_output *o = dry_sheet_output(&f->sheet, sink->name);
    size_t records = chunk_records(c);
    int rc = o != NULL ? sink->type->preview(sink->settings, &b->env, c, &o->bytes, &o->place) : -1;
    chunk_delivered(&c);
    if (rc != 0 || o->bytes.failed || o->place.failed)
        return err_nomem(f->err);
    b->stats.records_in += records;
    b->stats.records_out += records;
    b->stats.bytes_in += o->bytes.len;
    b->stats.bytes_out += o->bytes.len;
    f->summary->records_out += records;
    return 0;
}

/* ${c} has passed the common chain: each branch gets it. */
static int fan_out(struct dry_flow *f, struct chunk *c)
{
    for (size_t i = 0; i < f->branch_count; i++) {
        struct dry_branch *b = &f->branches[i];
        bool last = i + 1 == f->branch_count;
        struct chunk *mine = last ? c : chunk_fork(c);
        if (mine == NULL) {
            chunk_free(&c);
            return err_nomem(f->err);
        }
        if (dry_flow_pass(f, dry_links_first(&b->links, NULL), mine, b) != 0) {
            if (!last)
                chunk_free(&c);
            return -1;
        }
    }
    return 0;
}

/* What came out of ${link} goes on. */
static int drain(struct dry_flow *f, struct dry_link *link, struct dry_branch *branch)
{
    struct list *node;
    while ((node = list_shift(&link->out)) != NULL)
        if (dry_flow_pass(f, link->next, LIST_ENTRY(node, struct chunk, queued), branch) != 0)
            return -1;
    return 0;
}

int dry_flow_pass(struct dry_flow *f, struct dry_link *link, struct chunk *c, struct dry_branch *branch)
{
    if (link == NULL)
        return branch != NULL ? preview(f, branch, c) : fan_out(f, c);
    struct buf before = snapshot(c);
    link->text_in += text_bytes(c);
    int rc = dry_link_feed(link, c, f->err);
    if (rc == 0)
        rc = note_step(f, link, &before);
    buf_clear(&before);
    return rc == 0 ? drain(f, link, branch) : -1;
}

int dry_flow_finish(struct dry_flow *f, struct dry_links *links, struct dry_branch *branch)
{
    for (size_t i = 0; i < links->count; i++)
        if (dry_link_feed(&links->items[i], NULL, f->err) != 0 || drain(f, &links->items[i], branch) != 0)
            return -1;
    return 0;
}
