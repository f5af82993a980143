#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "config/report.h"
#include "stage/stages.h"

unsigned receipt_count;

void rig_open(struct rig *r, size_t memory, size_t slab)
{
    struct err e = {0};
    *r = (struct rig){0};
    snprintf(r->dir, sizeof r->dir, "/tmp/weir-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    r->loop = loop_new(&e);
    ck_assert_ptr_nonnull(r->loop);
    r->work = work_new(r->loop, &e);
    ck_assert_ptr_nonnull(r->work);
    r->watcher = watcher_new(r->loop);
    ck_assert_ptr_nonnull(r->watcher);
    r->pool = pool_new(r->loop, memory, slab);
    ck_assert_ptr_nonnull(r->pool);
    r->checkpoint = checkpoint_open(r->loop, r->work, NULL, CHECKPOINT_KEEP, &e);
    ck_assert_ptr_nonnull(r->checkpoint);
    r->env = (struct stage_env){
        .loop = r->loop,
        .work = r->work,
        .watcher = r->watcher,
        .pool = r->pool,
        .pipeline = "test",
        .name = "stage",
        .scope = "test/stage",
        .host = "here",
        .queue_bytes = 65536,
        .hurry = &r->hurry,
        .checkpoint = r->checkpoint,
        .stats = &r->stats,
    };
}

void rig_close(struct rig *r)
{
    char command[200];
    loop_turn(r->loop);
    ck_assert_int_eq(checkpoint_close(&r->checkpoint, NULL), 0);
    ck_assert_uint_eq(pool_used(r->pool), 0);
    pool_free(&r->pool);
    work_free(&r->work);
    watcher_free(&r->watcher);
    loop_tick(r->loop);
    loop_free(&r->loop);
    snprintf(command, sizeof command, "chmod -R u+rwx '%s'; rm -rf '%s'", r->dir, r->dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_uint_eq(mem_live(), 0);
}

const char *rig_path(const struct rig *r, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", r->dir, name);
    return path;
}

static void put(const char *path, const char *text, size_t len, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(file_write_all(fd, text, len), 0);
    close(fd);
}

void rig_write(const char *path, const char *text, size_t len)
{
    put(path, text, len, O_TRUNC);
}

void rig_append(const char *path, const char *text, size_t len)
{
    put(path, text, len, O_APPEND);
}

char *rig_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s", path);
    ck_assert_int_eq(fstat(fd, &st), 0);
    char *text = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(read(fd, text, (size_t)st.st_size), st.st_size);
    text[st.st_size] = '\0';
    *len = (size_t)st.st_size;
    close(fd);
    return text;
}

struct config *rig_config(const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ck_assert_int_lt(len, (int)sizeof text);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    struct config_report report = {0};
    struct buf out = {0};
    struct config *config = config_parse("test.json", text, (size_t)len, stages, &report);
    if (config == NULL)
        report_text(&report, &out);
    ck_assert_msg(config != NULL, "%s", buf_cstr(&out));
    buf_clear(&out);
    report_clear(&report);
    return config;
}

static void on_settled(struct ticket *t, bool delivered)
{
    struct receipt *r = LIST_ENTRY(t, struct receipt, ticket);
    r->settled++;
    r->delivered = delivered;
    r->order = ++receipt_count;
}

void receipt_init(struct receipt *t)
{
    *t = (struct receipt){.ticket = {.settled = on_settled}};
}

struct chunk *rig_chunk(struct rig *r, const char *text, size_t len, struct ticket *ticket)
{
    size_t used, too_long;
    struct slab *slab = pool_slab(r->pool, len);
    if (slab == NULL)
        return NULL;
    struct batch *b = batch_new(r->pool, slab, NULL);
    slab_unref(slab);
    if (b == NULL)
        return NULL;
    struct chunk *c = &b->chunk;
    if (len > 0)
        memcpy(slab->data, text, len);
    slab->used = len;
    b->body->base_text = slab->data;
    if (lines_add(b, slab->data, len, len, false, &used, &too_long) != 0 ||
        (used < len && lines_add_rest(b, slab->data + used, len - used, false) != 0) ||
        (ticket != NULL && ticket_set_add(&b->tickets, ticket) != 0)) {
        chunk_free(&c);
        return NULL;
    }
    batch_weigh(b);
    return c;
}

struct chunk *rig_lines(struct rig *r, const char *text, struct ticket *ticket)
{
    return rig_chunk(r, text, strlen(text), ticket);
}

static void on_data(void *arg, struct stream_news *n)
{
    struct catcher *c = arg;
    struct chunk *chunk = stream_take(n);
    struct batch *b = chunk_batch(chunk);
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        buf_add(&c->bytes, b->records[i].text, b->records[i].len);
        buf_char(&c->bytes, '\n');
    }
    if (b == NULL)
        buf_add(&c->bytes, chunk_blob(chunk)->data, chunk_blob(chunk)->len);
    c->ends = realloc(c->ends, (c->chunks + 1) * sizeof *c->ends);
    c->ends[c->chunks++] = c->bytes.len;
    c->records += chunk_records(chunk);
    if (c->hold)
        list_push(&c->held, &chunk->queued);
    else
        chunk_delivered(&chunk);
}

static void on_end(void *arg, struct stream_news *n)
{
    (void)n;
    struct catcher *c = arg;
    c->ended = true;
}

static void on_error(void *arg, struct stream_news *n)
{
    struct catcher *c = arg;
    c->err = *n->err;
}

static void on_close(void *arg, struct stream_news *n)
{
    (void)n;
    struct catcher *c = arg;
    c->is_closed = true;
}

void catcher_on(struct catcher *c, struct stream *s)
{
    list_init(&c->held);
    stream_on(s, STREAM_ERROR, &c->error, on_error, c);
    stream_on(s, STREAM_CLOSE, &c->closed, on_close, c);
    if (!stream_has_readable(s))
        return;
    stream_on(s, STREAM_END, &c->end, on_end, c);
    stream_on(s, STREAM_DATA, &c->data, on_data, c);
}

void catcher_release(struct catcher *c, bool delivered)
{
    struct list *node;
    while (c->held.next != NULL && (node = list_shift(&c->held)) != NULL) {
        struct chunk *chunk = LIST_ENTRY(node, struct chunk, queued);
        if (delivered)
            chunk_delivered(&chunk);
        else
            chunk_free(&chunk);
    }
}

void catcher_off(struct catcher *c)
{
    stream_off(&c->data);
    stream_off(&c->end);
    stream_off(&c->error);
    stream_off(&c->closed);
    catcher_release(c, false);
    buf_clear(&c->bytes);
    free(c->ends);
}

void rig_run(struct rig *r, double seconds)
{
    double end = loop_now() + seconds;
    while (loop_now() < end)
        if (!loop_turn(r->loop))
            usleep(200);
}

double rig_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

void rig_hush(void)
{
    int fd = open("/dev/null", O_WRONLY);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

int rig_main(Suite *s)
{
    log_setup(LOG_ERROR, LOG_TEXT, false);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
