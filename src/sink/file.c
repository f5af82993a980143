/*
 * The file sink: appends records to a file, or to the files that a template names, and waits when it cannot.
 *
 *     chunk ─ split by path ─┬─ part ─ write, rotate, sync ─ delivered
 *                            └─ part ─ …                               one after the other
 *
 * file_options.h  its settings
 * file_path.h   the template, and why a path cannot leave its prefix        file_out.h     one open file
 * file_split.h  a chunk into parts                                          file_rotate.h  path.1, path.2, …
 * file_exact.h  what exactly_once takes
 * file_set.h    which files are open                                        file_place.h   opening without following planted links
 */
#include <errno.h>
#include <ev.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "delivery/cut.h"
#include "record/batch.h"
#include "record/wire.h"
#include "record/zone.h"
#include "sink/file_exact.h"
#include "sink/file_options.h"
#include "sink/file_out.h"
#include "sink/file_path.h"
#include "sink/file_set.h"
#include "sink/file_split.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define RETRY      1.0  /* seconds between attempts while the disk is full or the path cannot be opened */
#define PIPE_RETRY 0.05 /* and while a FIFO is full */

struct file {
    struct stream *stream;
    struct stage_env *env;
    const struct file_settings *set;
    struct file_path *path;
    struct zone *zone;
    struct file_rules rules;
    struct file_set files;
    struct file_split split; /* the chunk being written */
    size_t at;               /* its part at hand */
    struct file_out *out;    /* that it goes to; NULL: nothing is being written */
    ev_timer retry, idle;
    struct job sync;         /* fsync on the worker */
    struct checkpoint_waiter named; /* waits until the checkpoint names a new file */
    int sync_error;
    bool syncing, destroyed;
};

/* ---- writing ----------------------------------------------------------------------------------- */

static void advance(struct file *f);

static void arm(struct file *f, ev_timer *timer, double seconds)
{
    struct ev_loop *ev = loop_ev(f->env->loop);
    ev_timer_stop(ev, timer);
    ev_timer_set(timer, seconds, 0.);
    ev_timer_start(ev, timer);
}

/* The chunk is done with. */
static void finish(struct file *f, const struct err *e)
{
    f->out = NULL;
    file_split_reset(&f->split);
    if (!ev_is_active(&f->idle))
        arm(f, &f->idle, f->set->close_inactive);
    stream_write_done(f->stream, e);
}

static void sync_run(struct job *j)
{
    struct file *f = LIST_ENTRY(j, struct file, sync);
    f->sync_error = file_out_sync(f->out);
}

static void sync_done(struct job *j)
{
    struct file *f = LIST_ENTRY(j, struct file, sync);
    f->syncing = false;
    if (f->destroyed) {
        stream_destroy_done(f->stream, NULL);
        return;
    }
    if (f->sync_error == 0) {
        file_out_synced(f->out);
        advance(f);
        return;
    }
    /* After a failed fsync the kernel may have thrown the pages away: only writing anew is safe. */
    struct err e = {0};
    err_sys(&e, f->sync_error, "cannot fsync %s", f->out->path);
    finish(f, &e);
}

static void part_delivered(struct file *f, struct file_part *part)
{
    f->env->stats->records_out += part->wire->records;
    f->env->stats->bytes_out += part->wire->bytes;
    file_exact_wrote(f->out, part->wire);
    wire_delivered(&part->wire);
    f->at++;
    f->out = NULL;
    if (f->rules.cut != NULL)
        cut_offer(f->rules.cut);
}

/* On with the parts of the chunk, until something has to be waited for. */
static void advance(struct file *f)
{
    while (f->at < f->split.count) {
        struct file_part *part = &f->split.parts[f->at];
        if (f->out == NULL)
            f->out = file_set_get(&f->files, file_split_path(&f->split, f->at), part->len, part->hash, file_path_below(f->path),
                                  &f->rules);
        if (f->out == NULL) {
            struct err e = {0};
            err_nomem(&e);
            finish(f, &e);
            return;
        }
        switch (file_out_write(f->out, part->wire)) {
        case OUT_DONE:
            part_delivered(f, part);
            break;
        case OUT_KEEP:
            file_exact_wait(f->out, &f->named);
            return;
        case OUT_SYNC:
            f->syncing = true;
            f->sync = (struct job){.run = sync_run, .done = sync_done};
            work_start(f->env->work, &f->sync);
            return;
        case OUT_WAIT:
            arm(f, &f->retry, RETRY);
            return;
        case OUT_NO_ROOM:
            arm(f, &f->retry, PIPE_RETRY);
            return;
        }
    }
    finish(f, NULL);
}

static void on_retry(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    ev_timer_stop(ev, w);
    advance(w->data);
}

static void on_named(struct checkpoint_waiter *w)
{
    advance(LIST_ENTRY(w, struct file, named));
}

static void on_idle(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    struct file *f = w->data;
    double now = loop_now(), wait = f->set->close_inactive;
    ev_timer_stop(ev, w);
    double oldest = file_set_let_idle_go(&f->files, f->out, now - wait);
    if (oldest > 0)
        arm(f, w, oldest + wait > now ? oldest + wait - now : wait);
}

static size_t bytes_of(const struct file_split *split)
{
    size_t bytes = 0;
    for (size_t i = 0; i < split->count; i++)
        bytes += split->parts[i].wire->bytes;
    return bytes;
}

static void file_write(struct stream *s, void *self, struct chunk *c)
{
    struct file *f = self;
    f->env->stats->records_in += chunk_records(c);
    f->at = 0;
    if (file_split_chunk(&f->split, f->path, f->zone, f->env->pool, c, (enum render_encoding)f->set->encoding) != 0) {
        struct err e = {0};
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    f->env->stats->bytes_in += bytes_of(&f->split);
    advance(f);
}

/* ---- life -------------------------------------------------------------------------------------- */

static void file_destroy(struct stream *s, void *self, const struct err *e)
{
    struct file *f = self;
    ev_timer_stop(loop_ev(f->env->loop), &f->retry);
    ev_timer_stop(loop_ev(f->env->loop), &f->idle);
    list_remove(&f->named.node);
    file_split_reset(&f->split);
    f->destroyed = true;
    if (!f->syncing) /* else when the worker is done with the descriptor */
        stream_destroy_done(s, e);
}

static void file_free(void *self)
{
    struct file *f = self;
    file_set_close(&f->files);
    file_split_clear(&f->split);
    file_path_free(&f->path);
    zone_free(&f->zone);
    mem_free(f);
}

/* What a crash left behind the checkpoint goes at once, if it can; else before the first record is written. */
static void file_construct(struct stream *s, void *self)
{
    struct file *f = self;
    if (f->rules.cut != NULL && cut_restore(f->rules.cut) != 0)
        log_warn(f->env->scope, "cannot cut back to the checkpoint what was written: %s (trying again before anything is written)",
                 strerror(errno));
    stream_construct_done(s, NULL);
}

static const struct stream_ops ops = {
    .type = "file",
    .construct = file_construct,
    .write = file_write,
    .destroy = file_destroy,
    .free = file_free,
};

static int prepare(struct file *f, struct err *e)
{
    const struct file_settings *set = f->set;
    f->rules = (struct file_rules){f->env->scope, set->mode, set->sync == FILE_SYNC_ALWAYS, &set->rotate, f->env->name,
                                  set->delivery == FILE_EXACTLY_ONCE ? f->env->cut : NULL};
    f->path = file_path_new(set->path, file_options_keep(set), e);
    f->zone = f->path != NULL ? zone_new(set->timezone, e) : NULL;
    if (f->zone == NULL)
        return -1;
    if (siphash_random_key(&f->split.key) != 0)
        return err_set(e, ERR_SYSTEM, "no random numbers from the kernel");
    size_t most = file_path_literal(f->path) != NULL ? 1 : (size_t)set->max_open_files;
    return file_set_open(&f->files, most) == 0 ? 0 : err_nomem(e);
}

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct file *f = mem_zalloc(1, sizeof *f);
    if (f == NULL) {
        err_nomem(e);
        return NULL;
    }
    f->env = env;
    f->set = settings;
    list_init(&f->named.node);
    f->named.wake = on_named;
    ev_timer_init(&f->retry, on_retry, 0., 0.);
    ev_timer_init(&f->idle, on_idle, 0., 0.);
    f->retry.data = f->idle.data = f;
    struct stream_opts o = stage_stream_opts(env);
    if (prepare(f, e) == 0)
        f->stream = stream_writable_new(&ops, f, &o, e);
    struct stream *stream = f->stream;
    if (stream == NULL)
        file_free(f);
    return stream;
}

static void stop(struct stream *s)
{
    struct file *f = stream_self(s);
    if (ev_is_active(&f->retry))
        ev_feed_event(loop_ev(f->env->loop), &f->retry, EV_TIMER);
}

static void reopen(struct stream *s)
{
    struct file *f = stream_self(s);
    file_set_let_moved_go(&f->files, f->out); /* the one being written to looks for itself with its next record */
}

static int preview(const void *settings, const struct stage_env *env, struct chunk *c,
                   struct buf *out, struct buf *place)
{
    (void)env;
    const struct file_settings *set = settings;
    struct file_path *path = file_path_new(set->path, file_options_keep(set), NULL);
    struct zone *zone = zone_new(set->timezone, NULL);
    struct file_split split = {0}; /* the key does not matter: nothing is kept */
    int rc = path != NULL && zone != NULL ? file_split_name(&split, path, zone, c) : -1;
    for (size_t i = 0; i < split.count; i++) {
        buf_str(place, i > 0 ? ", " : "");
        buf_str(place, file_split_path(&split, i));
    }
    file_split_clear(&split);
    zone_free(&zone);
    file_path_free(&path);
    return rc == 0 ? wire_preview(c, (enum render_encoding)set->encoding, WIRE_NEWLINE, out) : -1;
}

const struct stage stage_file = {
    .kind = STAGE_SINK,
    .type = "file",
    .summary = "Appends records to a file, or to many: one for each tenant or day.",
    .description =
        "Delivered means: written, or on the disk when sync is always. Missing directories are created, an existing file is "
        "appended to, and a file that was renamed or removed meanwhile is created anew.\n\n"
        "When the disk is full, or the file cannot be opened, the sink waits and tries again every second; what feeds it is "
        "throttled meanwhile. A last line, or a last compressed member, that a crash left unfinished is closed or cut off before "
        "anything is appended, so that the file stays readable; its records are written again.\n\n"
        "In path, {.field} stands for the value of a field, {@host}, {@source}, {@pipeline}, {@path} and {@time} for metadata (slashes "
        "in @path become _), and {%Y-%m-%d} for @time as strftime writes it; a slash in the format separates directories. Bytes "
        "(after gzip) have no fields: for them only {%…} is allowed, and means the present time.\n\n"
        "Whatever a record holds, its path stays below the directory in front of the first placeholder, and has as many "
        "directories as the template: slashes, controls and bytes that are not UTF-8 become _, so do a leading dot and a value "
        "that is missing, empty, an object or an array; a name of more than 250 bytes is cut and ends in a hash. Symbolic links "
        "below that directory are not followed: the sink waits until such a link is gone.\n\n"
        "Rotation happens between records and never within a compressed member. A rename never replaces a file, and after a crash "
        "in the middle it is gone on with. A rotation that fails is told, and tried again every second; the file grows on meanwhile. "
        "With placeholders each file is rotated by itself; files of past days are not deleted.\n\n"
        "SIGHUP lets go of files that were renamed or removed; they are made anew with their next record, as they are without it.\n\n"
        "With delivery exactly_once, the checkpoint holds the length of each output together with the offsets of the sources, and a start truncates the output to "
        "it, also one that was renamed in its directory, before anything is read again: so no record is missing, and none is there twice. Before a checkpoint "
        "names a length the output is on the disk that far, whatever sync says; before anything is written to an output the checkpoint names it, so that each new file, "
        "after a rotation or of a template, waits for one write to data_dir. It needs data_dir, tail as the only kind of source, with start_at at its default, and no queue on disk "
        "in front of the sink. Nobody else may write to the file, for what they append behind the checkpoint is cut off after a crash. What was written after the last "
        "checkpoint and whose source is gone when weir starts again is cut off too and cannot be read again: let a log rotate twice before it is deleted. Where another sink "
        "lags, or records are held back, the checkpoint waits, and from time to time sources pause for it.",
    .example = "{ \"type\": \"file\", \"path\": \"/var/lib/app/{.tenant}/{%Y-%m-%d}.log\", \"rotate\": { \"max_bytes\": \"100MiB\", \"keep\": 3 } }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = file_options,
    .settings_size = sizeof(struct file_settings),
    .check = file_options_check,
    .needs_records = file_options_need_records,
    .output = file_options_output,
    .exact = file_options_exact,
    .open = open_stage,
    .stop = stop,
    .reopen = reopen,
    .preview = preview,
};
