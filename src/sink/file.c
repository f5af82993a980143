/*
 * The file sink: appends to a file, and waits when it cannot.
 */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/work.h"
#include "config/report.h"
#include "record/batch.h"
#include "sink/torn.h"
#include "record/wire.h"
#include "stage/stage.h"
#include "stream/stream.h"

#define PIECES_MAX 256
#define RETRY      1.0  /* seconds between attempts while the disk is full or the path cannot be opened */
#define PIPE_RETRY 0.05 /* and while a FIFO is full */

enum { SYNC_NONE, SYNC_ALWAYS };

struct file_settings {
    char *path;
    int delivery, sync, encoding;
    unsigned mode;
};

struct file {
    struct stream *stream;
    struct stage_env *env;
    const struct file_settings *set;
    int fd;
    dev_t dev;
    ino_t ino;
    struct wire *wire; /* being written */
    ev_timer retry;
    bool complained;
    struct job sync;   /* fsync on the worker */
    int sync_error;
    bool syncing, destroyed;
};

static const char *const deliveries[] = {"at_least_once", NULL};
static const char *const absent_deliveries[] = {"exactly_once", NULL};
static const char *const syncs[] = {"none", "always", NULL};
static const char *const encodings[] = {"auto", "json", "text", NULL};

#define AT(field) offsetof(struct file_settings, field)
static const struct option options[] = {
    {.key = "path", .type = OPTION_STRING, .offset = AT(path), .required = true, .min = 1,
     .words = "The file to append to. Missing directories are created."},
    {.key = "encoding", .type = OPTION_CHOICE, .offset = AT(encoding), .fallback = "\"auto\"",
     .choices = encodings,
     .words = "auto: an untouched record byte for byte, a changed one as a JSON object; json: always an object; text: .message "
              "alone. A line feed follows each. Bytes are written as they are."},
    {.key = "delivery", .type = OPTION_CHOICE, .offset = AT(delivery),
     .fallback = "\"at_least_once\"", .choices = deliveries, .absent = absent_deliveries,
     .words = "What is promised after a crash: at_least_once: nothing is missing, the newest records may be there twice."},
    {.key = "sync", .type = OPTION_CHOICE, .offset = AT(sync), .fallback = "\"none\"",
     .choices = syncs,
     .words = "When a record counts as delivered: none: when it was written (it survives a crash of weir, not one of the "
              "machine); always: when fsync(2) has returned."},
    {.key = "mode", .type = OPTION_MODE, .offset = AT(mode), .fallback = "\"0640\"",
     .words = "Permissions of a new file, as octal digits."},
    {.key = "rotate", .type = OPTION_ABSENT, .words = "rotation by the file sink"},
    {0},
};

static void check(const void *settings, struct config_report *report)
{
    const struct file_settings *set = settings;
    if (set->path != NULL && strchr(set->path, '{') != NULL)
        report_key(report, "path", "templates ({…}) are not built into this version");
}

static void try_write(struct file *f);

static void retry_in(struct file *f, double seconds)
{
    struct ev_loop *ev = loop_ev(f->env->loop);
    ev_timer_stop(ev, &f->retry);
    ev_timer_set(&f->retry, seconds, 0.);
    ev_timer_start(ev, &f->retry);
}

/* Something is in the way (a full disk, a missing permission): wait for it to go away. */
static void wait_and_retry(struct file *f, const char *what, int error)
{
    if (!f->complained)
        log_error(f->env->scope, "%s %s: %s (trying again until it works)", what, f->set->path,
                  strerror(error));
    f->complained = true;
    retry_in(f, RETRY);
}

/* After a crash the last line, or the last compressed member, may not be whole. What follows must not be glued to it. */
static int mend_end(struct file *f, bool text)
{
    struct stat st;
    char last;
    if (fstat(f->fd, &st) != 0)
        return -1;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    if (!text)
        return torn_mend(f->fd, f->env->scope, f->set->path);
    int fd = open(f->set->path, O_RDONLY | O_CLOEXEC); /* ours is for appending only */
    if (fd < 0)
        return 0;
    ssize_t n = pread(fd, &last, 1, st.st_size - 1);
    close(fd);
    if (n != 1 || last == '\n')
        return 0;
    log_warn(f->env->scope, "%s ends inside a line: beginning a new one", f->set->path);
    return file_write_all(f->fd, "\n", 1);
}

static bool open_file(struct file *f, bool text)
{
    if (file_make_parents(f->set->path, 0750) != 0) {
        wait_and_retry(f, "cannot create the directory of", errno);
        return false;
    }
    /* O_NONBLOCK: a FIFO that nobody reads must not stop the agent */
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    f->fd = open(f->set->path, (text ? O_WRONLY : O_RDWR) | flags, (mode_t)f->set->mode);
    if (f->fd < 0) {
        wait_and_retry(f, "cannot open", errno);
        return false;
    }
    if (mend_end(f, text) != 0) {
        int error = errno;
        close(f->fd);
        f->fd = -1;
        wait_and_retry(f, "cannot mend the end of", error);
        return false;
    }
    return true;
}

/* Was the file renamed or removed under us (logrotate)? Then what comes next belongs into a new one. So does the record, or the gzip
 * member, that was half written when the disk was full: it begins anew there. */
static void check_moved(struct file *f)
{
    struct stat st;
    struct wire *w = f->wire;
    if (f->fd < 0 || (stat(f->set->path, &st) == 0 && st.st_ino == f->ino && st.st_dev == f->dev))
        return;
    if (w->sent > 0 && w->ends == NULL)
        torn_mend(f->fd, f->env->scope, f->set->path);
    w->sent = w->sent > 0 ? wire_boundary(w, w->sent) : 0;
    close(f->fd);
    f->fd = -1;
}

static void delivered(struct file *f, const struct err *e)
{
    if (e == NULL) {
        f->env->stats->records_out += f->wire->records;
        f->env->stats->bytes_out += f->wire->bytes;
        wire_delivered(&f->wire);
    } else {
        wire_free(&f->wire);
    }
    stream_write_done(f->stream, e);
}

static void sync_run(struct job *j)
{
    struct file *f = LIST_ENTRY(j, struct file, sync);
    f->sync_error = fdatasync(f->fd) == 0 ? 0 : errno;
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
        delivered(f, NULL);
        return;
    }
    /* After a failed fsync the kernel may have thrown the pages away: only writing anew is safe. */
    struct err e = {0};
    err_sys(&e, f->sync_error, "cannot fsync %s", f->set->path);
    delivered(f, &e);
}

static void try_write(struct file *f)
{
    struct iovec pieces[PIECES_MAX];
    struct wire *w = f->wire;
    bool text = w->ends != NULL;
    if (w->sent == 0 || f->complained)
        check_moved(f);
    if (f->fd < 0 && !open_file(f, text))
        return;
    while (w->sent < w->bytes) {
        int count = wire_pieces(w, w->sent, pieces, PIECES_MAX);
        ssize_t n = writev(f->fd, pieces, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            retry_in(f, PIPE_RETRY);
            return;
        }
        if (n < 0) {
            wait_and_retry(f, "cannot write to", errno);
            return;
        }
        w->sent += (size_t)n;
    }
    if (f->complained)
        log_info(f->env->scope, "%s is written again", f->set->path);
    f->complained = false;
    if (f->set->sync == SYNC_ALWAYS) {
        f->syncing = true;
        f->sync = (struct job){.run = sync_run, .done = sync_done};
        work_start(f->env->work, &f->sync);
        return;
    }
    delivered(f, NULL);
}

static void on_retry(struct ev_loop *ev, ev_timer *w, int events)
{
    (void)events;
    ev_timer_stop(ev, w);
    try_write(w->data);
}

static void file_write(struct stream *s, void *self, struct chunk *c)
{
    struct file *f = self;
    f->env->stats->records_in += chunk_records(c);
    f->wire = wire_new(f->env->pool, c, (enum render_encoding)f->set->encoding, WIRE_NEWLINE);
    if (f->wire == NULL) {
        struct err e = {0};
        err_nomem(&e);
        stream_write_done(s, &e);
        return;
    }
    f->env->stats->bytes_in += f->wire->bytes;
    try_write(f);
}

static void file_destroy(struct stream *s, void *self, const struct err *e)
{
    struct file *f = self;
    ev_timer_stop(loop_ev(f->env->loop), &f->retry);
    wire_free(&f->wire);
    f->destroyed = true;
    if (!f->syncing) /* else when the worker is done with the descriptor */
        stream_destroy_done(s, e);
}

static void file_free(void *self)
{
    struct file *f = self;
    if (f->fd >= 0)
        close(f->fd);
    mem_free(f);
}

static const struct stream_ops ops = {
    .type = "file",
    .write = file_write,
    .destroy = file_destroy,
    .free = file_free,
};

static struct stream *open_stage(struct stage_env *env, const void *settings, struct err *e)
{
    struct file *f = mem_zalloc(1, sizeof *f);
    if (f == NULL) {
        err_nomem(e);
        return NULL;
    }
    f->env = env;
    f->set = settings;
    f->fd = -1;
    ev_timer_init(&f->retry, on_retry, 0., 0.);
    f->retry.data = f;
    struct stream_opts o = stage_stream_opts(env);
    struct stream *stream = f->stream = stream_writable_new(&ops, f, &o, e);
    if (stream == NULL)
        mem_free(f);
    return stream;
}

static void stop(struct stream *s)
{
    struct file *f = stream_self(s);
    if (ev_is_active(&f->retry))
        ev_feed_event(loop_ev(f->env->loop), &f->retry, EV_TIMER);
}

static int preview(const void *settings, const struct stage_env *env, struct chunk *c,
                   struct buf *out, struct buf *place)
{
    (void)env;
    const struct file_settings *set = settings;
    buf_str(place, set->path);
    return wire_preview(c, (enum render_encoding)set->encoding, WIRE_NEWLINE, out);
}

const struct stage stage_file = {
    .kind = STAGE_SINK,
    .type = "file",
    .summary = "Appends records to a file.",
    .description =
        "Delivered means: written, or on the disk when sync is always. Missing directories are created, an existing file is "
        "appended to, and a file that was renamed or removed meanwhile is created anew.\n\n"
        "When the disk is full, or the file cannot be opened, the sink waits and tries again every second; what feeds it is "
        "throttled meanwhile. A last line, or a last compressed member, that a crash left unfinished is closed or cut off before "
        "anything is appended, so that the file stays readable; its records are written again.",
    .example = "{ \"type\": \"file\", \"path\": \"/var/lib/app/all.log\" }",
    .in = PAYLOAD_ANY,
    .out = PAYLOAD_NONE,
    .options = options,
    .settings_size = sizeof(struct file_settings),
    .check = check,
    .open = open_stage,
    .stop = stop,
    .preview = preview,
};
