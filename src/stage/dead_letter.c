#include "stage/dead_letter.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "record/batch.h"
#include "record/render.h"
#include "record/time_write.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define TIME_FORMAT "%FT%T.%LZ"

static void add_time(struct buf *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    buf_str(out, "{\"time\":\"");
    time_write(out, TIME_FORMAT, sizeof TIME_FORMAT - 1, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, NULL);
    buf_char(out, '"');
}

/* ,"${key}":"${text}", or nothing when that is NULL */
static void add(struct buf *out, const char *key, const char *text)
{
    if (text == NULL)
        return;
    buf_char(out, ',');
    render_bytes(out, key, text, strlen(text));
}

static void add_reason(struct buf *out, const char *reason, const char *words)
{
    struct buf both = {0};
    buf_fmt(&both, "%s%s%s", reason, words != NULL ? ": " : "", words != NULL ? words : "");
    const char *text = buf_cstr(&both);
    add(out, "reason", text != NULL ? text : reason);
    buf_clear(&both);
}

static void add_record(struct buf *out, const struct record *r)
{
    buf_char(out, ',');
    if (r->doc != NULL) {
        buf_str(out, "\"record\":");
        render_record(out, r, RENDER_JSON);
    } else {
        render_bytes(out, "message", r->text, r->len);
    }
    buf_str(out, "}\n");
}

static void add_line(struct buf *out, const struct stage_env *env, const struct batch *from, const struct record *r, const char *reason,
                     const char *words)
{
    const struct origin *o = from->body->origin;
    add_time(out);
    add(out, "pipeline", env->pipeline);
    add(out, "sink", env->name);
    add_reason(out, reason, words);
    if (o != NULL) {
        add(out, "source", o->source);
        add(out, "host", o->host);
        add(out, "path", o->path);
        if (o->path != NULL)
            buf_fmt(out, ",\"offset\":%" PRIu64, batch_offset(from, r));
        add(out, "peer", o->peer);
    }
    add_record(out, r);
}

struct batch *dead_letter_new(struct stage_env *env, struct batch *from, size_t i, const char *reason, const char *words)
{
    struct buf line = {0};
    struct batch *b = batch_new(env->pool, NULL, from->body->origin);
    struct record *r = b != NULL ? batch_add(b) : NULL;
    add_line(&line, env, from, &from->records[i], reason, words);
    char *text = r != NULL && !line.failed ? arena_text(&b->body->arena, line.len) : NULL;
    if (text == NULL) {
        struct chunk *dead = b != NULL ? &b->chunk : NULL;
        chunk_free(&dead);
        buf_clear(&line);
        return NULL;
    }
    memcpy(text, line.data, line.len);
    r->text = text;
    r->len = (uint32_t)line.len - 1;
    r->flags = RECORD_ENDED;
    batch_read_now(b);
    b->bytes = batch_count_text(b);
    batch_weigh(b);
    buf_clear(&line);
    return b;
}

int dead_letter_send(struct stage_env *env, struct batch *from, size_t i, const struct ticket_set *tickets, const char *reason,
                     const char *words)
{
    struct batch *b = dead_letter_new(env, from, i, reason, words);
    if (b == NULL)
        return -1;
    if (ticket_set_fork(&b->tickets, tickets) != 0) {
        struct chunk *dead = &b->chunk;
        chunk_free(&dead);
        return -1;
    }
    env->stats->refused++;
    stream_write(env->dead_letter, &b->chunk, NULL, NULL);
    return 0;
}
