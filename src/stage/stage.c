#include "stage/stage.h"

#include <string.h>

#include "record/batch.h"
#include "stream/stream.h"

#define READ_MARK 1 /* one chunk waits to be handed on: more would only be memory */

struct stream_opts stage_stream_opts(const struct stage_env *env)
{
    struct stream_opts o = stream_defaults(env->loop);
    o.name = env->scope;
    o.rank = env->rank;
    o.read_mark = env->ahead_bytes > 0 ? (int64_t)env->ahead_bytes : READ_MARK;
    o.write_mark = (int64_t)env->queue_bytes;
    o.low_mark = (int64_t)(env->queue_bytes / 2);
    return o;
}

void stage_dropped(struct stage_env *env, const char *reason, uint64_t n)
{
    if (n == 0)
        return;
    for (int i = 0; i < STAGE_REASONS; i++) {
        if (env->stats->dropped[i].reason == NULL)
            env->stats->dropped[i].reason = reason;
        if (env->stats->dropped[i].reason == reason ||
            strcmp(env->stats->dropped[i].reason, reason) == 0) {
            env->stats->dropped[i].records += n;
            return;
        }
    }
    env->stats->dropped[STAGE_REASONS - 1].records += n; /* more reasons than a stage may have: never lose count */
}

void stage_pass(struct stage_env *env, struct stream *s, struct chunk *c)
{
    struct batch *b = chunk_batch(c);
    env->stats->records_out += b->count;
    if (b->count == 0) {
        chunk_delivered(&c);
        return;
    }
    env->stats->bytes_out += batch_count_text(b);
    batch_weigh(b);
    stream_push(s, c);
}
