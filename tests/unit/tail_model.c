/* See tail_model.h. */
#include "tail_model.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/file.h"
#include "rig.h"

#define LINES_MAX 4096
#define FILES_MAX 256
#define LINE_MAX_BYTES 2200
#define PATIENCE  2.5  /* seconds that everything has to come in */
#define CATCH_UP  0.25 /* and in the middle of a script, where nothing is asserted */

struct model_line {
    int file;
    bool must;      /* it must be delivered */
    bool fragile;   /* it is nowhere but in the source: lost if that crashes */
    bool emitted;   /* in this life of the source */
    unsigned delivered;
};

struct model_file {
    char path[512];
    bool there, inside; /* within the pattern */
    bool known;         /* lines of it came in this life: the source has it open */
};

struct model {
    struct rig rig;
    struct config *config;
    struct stream *source;
    struct listener data, closed;
    struct list held; /* chunks */
    bool up, hold, is_closed, crashed;
    bool inside;      /* rotated files stay within the pattern */
    struct model_line lines[LINES_MAX];
    struct model_file files[FILES_MAX];
    int line_count, file_count, now; /* now: index of the file that is written; -1: none */
    int fd, half;                    /* half: line whose head is written; -1: none */
    char why[300];
};

static void wrong(struct model *m, const char *what, int line)
{
    if (m->why[0] == '\0')
        snprintf(m->why, sizeof m->why, "line %d %s", line, what);
}

/* ---- lines ------------------------------------------------------------------------------------- */

/* The line ${n}: its length follows from its number; one in 16 is longer than the head that is hashed. */
static size_t line_text(int n, char out[LINE_MAX_BYTES])
{
    size_t pad = n % 16 == 7 ? 1500 : (size_t)(n * 37 % 90);
    size_t len = (size_t)snprintf(out, 20, "%06d ", n);
    memset(out + len, 'a' + n % 26, pad);
    out[len + pad] = '\n';
    return len + pad + 1;
}

static void on_record(struct model *m, const struct record *r)
{
    char text[LINE_MAX_BYTES];
    int n = atoi(r->text); /* a slab goes on behind the record */
    size_t len = n >= 0 && n < m->line_count ? line_text(n, text) : 0;
    if (len == 0 || r->len + 1 != len || memcmp(r->text, text, r->len) != 0) {
        snprintf(m->why, sizeof m->why, "came and was never written: '%.*s'", r->len < 60 ? (int)r->len : 60, r->text);
        return;
    }
    m->lines[n].emitted = true;
    m->files[m->lines[n].file].known = true;
}

static void settle(struct model *m, struct chunk *c, bool delivered)
{
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; delivered && i < b->count; i++) {
        int n = atoi(b->records[i].text);
        if (n >= 0 && n < m->line_count)
            m->lines[n].delivered++;
    }
    if (delivered)
        chunk_delivered(&c);
    else
        chunk_free(&c);
}

static void on_data(void *arg, struct stream_news *n)
{
    struct model *m = arg;
    struct chunk *c = stream_take(n);
    struct batch *b = chunk_batch(c);
    for (size_t i = 0; i < b->count; i++)
        on_record(m, &b->records[i]);
    if (m->hold)
        list_push(&m->held, &c->queued);
    else
        settle(m, c, true);
}

static void on_close(void *arg, struct stream_news *n)
{
    (void)n;
    ((struct model *)arg)->is_closed = true;
}

static void release(struct model *m, bool delivered)
{
    struct list *node;
    while ((node = list_shift(&m->held)) != NULL)
        settle(m, LIST_ENTRY(node, struct chunk, queued), delivered);
}

static void release_first(struct model *m)
{
    struct list *node = list_shift(&m->held);
    if (node != NULL)
        settle(m, LIST_ENTRY(node, struct chunk, queued), true);
}

/* ---- the source -------------------------------------------------------------------------------- */

static struct checkpoint *open_checkpoint(struct model *m)
{
    struct err e = {0};
    struct checkpoint *cp = checkpoint_open(m->rig.loop, m->rig.work, rig_path(&m->rig, "data"), CHECKPOINT_KEEP, &e);
    ck_assert_msg(cp != NULL, "%s", e.text);
    ck_assert(!checkpoint_damaged(cp));
    return cp;
}

/* Does the checkpoint on disk know the file at ${path}, by inode and content? */
static bool is_known(struct model *m, const char *path)
{
    struct list entries, outputs;
    struct stat st;
    struct err e = {0};
    size_t len;
    bool found = false;
    list_init(&entries);
    list_init(&outputs);
    const char *state = rig_path(&m->rig, "data/checkpoint");
    if (access(state, F_OK) != 0 || stat(path, &st) != 0)
        return false;
    char *text = rig_read(state, &len), *content = rig_read(path, &len);
    size_t size = len;
    ck_assert_int_eq(checkpoint_parse(text, strlen(text), &entries, &outputs, &e), 0);
    LIST_EACH(node, &entries) {
        const struct file_state *s = &LIST_ENTRY(node, struct checkpoint_entry, node)->state;
        found |= s->ino == st.st_ino && s->dev == st.st_dev && s->head.len > 0 && s->head.len <= size &&
                 crc32(0, (unsigned char *)content, s->head.len) == s->head.crc;
    }
    checkpoint_entries_free(&entries);
    checkpoint_outputs_free(&outputs);
    free(text);
    free(content);
    return found;
}

/* What the next life cannot know of. */
static void forget_unseen(struct model *m)
{
    bool seen[FILES_MAX];
    for (int i = 0; i < m->file_count; i++)
        seen[i] = m->files[i].there && (m->files[i].inside || is_known(m, m->files[i].path));
    for (int i = 0; i < m->line_count; i++) {
        struct model_line *line = &m->lines[i];
        if (line->delivered == 0 && (line->fragile || !seen[line->file]))
            line->must = false;
        line->emitted = false;
    }
    for (int i = 0; i < m->file_count; i++)
        m->files[i].known = false;
}

static void start(struct model *m)
{
    struct err e = {0};
    if (m->up)
        return;
    forget_unseen(m);
    m->rig.checkpoint = m->rig.env.checkpoint = open_checkpoint(m);
    m->config = rig_config("{'pipelines':{'p':{'sources':[{'type':'tail','include':['%s/%s'],'rotate_wait':0.6,"
                           "'rescan_interval':0.1}],'sinks':[{'type':'blackhole'}]}}}", m->rig.dir, m->inside ? "a.log*" : "a.log");
    const struct stage_config *stage = &m->config->pipelines[0].sources.items[0];
    m->source = stage->type->open(&m->rig.env, stage->settings, &e);
    ck_assert_msg(m->source != NULL, "%s", e.text);
    m->is_closed = m->hold = false;
    stream_on(m->source, STREAM_CLOSE, &m->closed, on_close, m);
    stream_on(m->source, STREAM_DATA, &m->data, on_data, m);
    loop_turn(m->rig.loop); /* it watches from now on */
    m->up = true;
}

/* Put the checkpoint back as it was: what a crash leaves. */
static void restore(struct model *m, const char *text, size_t len)
{
    const char *path = rig_path(&m->rig, "data/checkpoint");
    if (text != NULL)
        rig_write(path, text, len);
    else
        unlink(path);
}

static void end(struct model *m, bool crash)
{
    char *kept = NULL;
    size_t len = 0;
    if (!m->up)
        return;
    m->up = false;
    if (crash) {
        m->crashed = true;
        work_wait(m->rig.work);
        if (access(rig_path(&m->rig, "data/checkpoint"), F_OK) == 0)
            kept = rig_read(rig_path(&m->rig, "data/checkpoint"), &len);
        stream_off(&m->data);
        release(m, false);
        stream_destroy(m->source, NULL);
    } else {
        m->hold = false;
        release(m, true);
        m->config->pipelines[0].sources.items[0].type->stop(m->source);
    }
    RIG_UNTIL(&m->rig, m->is_closed, 3);
    stream_off(&m->data);
    stream_off(&m->closed);
    stream_free(&m->source);
    loop_tick(m->rig.loop);
    checkpoint_close(&m->rig.checkpoint, NULL);
    m->rig.env.checkpoint = NULL;
    config_free(&m->config);
    if (crash)
        restore(m, kept, len);
    free(kept);
}

/* ---- the writer -------------------------------------------------------------------------------- */

static void create(struct model *m)
{
    if (m->now >= 0)
        return;
    m->now = m->file_count++;
    ck_assert_int_lt(m->file_count, FILES_MAX);
    struct model_file *f = &m->files[m->now];
    *f = (struct model_file){.there = true, .inside = true};
    snprintf(f->path, sizeof f->path, "%s", rig_path(&m->rig, "a.log"));
    m->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    ck_assert_int_ge(m->fd, 0);
}

static void put(struct model *m, const char *text, size_t len)
{
    ck_assert_int_eq(file_write_all(m->fd, text, len), 0);
}

static void complete(struct model *m)
{
    char text[LINE_MAX_BYTES];
    if (m->half < 0)
        return;
    size_t len = line_text(m->half, text);
    put(m, text + len / 2, len - len / 2);
    m->half = -1;
}

static int new_line(struct model *m)
{
    create(m);
    ck_assert_int_lt(m->line_count, LINES_MAX);
    m->lines[m->line_count] = (struct model_line){.file = m->now, .must = true};
    return m->line_count++;
}

static void write_lines(struct model *m, int count)
{
    char text[LINE_MAX_BYTES];
    for (int i = 0; i < count; i++) {
        int n = new_line(m);
        complete(m);
        put(m, text, line_text(n, text));
    }
}

static void write_half(struct model *m)
{
    char text[LINE_MAX_BYTES];
    complete(m);
    m->half = new_line(m);
    put(m, text, line_text(m->half, text) / 2);
}

/* The content of file ${i} is about to go. ${open}: a source that has it open will still read it. */
static void lose(struct model *m, int i, bool open)
{
    for (int n = 0; n < m->line_count; n++) {
        struct model_line *line = &m->lines[n];
        if (line->file != i || line->delivered > 0)
            continue;
        line->must &= m->up && (line->emitted || open);
        line->fragile = true;
    }
}

static void let_go(struct model *m)
{
    complete(m);
    if (m->now >= 0)
        close(m->fd);
    m->now = -1;
}

static void rotate(struct model *m, int late)
{
    if (m->now < 0)
        return;
    struct model_file *f = &m->files[m->now];
    char old[512];
    snprintf(old, sizeof old, "%s/%s.%d", m->rig.dir, m->inside ? "a.log" : "old", m->now);
    ck_assert_int_eq(rename(f->path, old), 0);
    snprintf(f->path, sizeof f->path, "%s", old);
    f->inside = m->inside;
    write_lines(m, late);
    let_go(m);
}

static void remove_file(struct model *m, int i)
{
    if (i < 0 || !m->files[i].there)
        return;
    if (i == m->now)
        let_go(m);
    lose(m, i, m->files[i].known);
    ck_assert_int_eq(unlink(m->files[i].path), 0);
    m->files[i].there = false;
}

static void remove_oldest(struct model *m)
{
    for (int i = 0; i < m->file_count; i++)
        if (m->files[i].there && i != m->now) {
            remove_file(m, i);
            return;
        }
}

/* ${copy}: where no pattern looks. */
static void truncate_now(struct model *m, bool copy)
{
    size_t len;
    if (m->now < 0)
        return;
    complete(m);
    const char *path = m->files[m->now].path;
    char *text = rig_read(path, &len);
    if (copy)
        rig_write(rig_path(&m->rig, "copy"), text, len);
    free(text);
    lose(m, m->now, false);
    ck_assert_int_eq(ftruncate(m->fd, 0), 0);
    /* Lines that follow belong to what is another file in all but name. */
    int next = m->file_count++;
    ck_assert_int_lt(m->file_count, FILES_MAX);
    m->files[next] = m->files[m->now];
    m->files[next].known = false;
    m->files[m->now].there = false;
    m->now = next;
}

/* ---- scripts ----------------------------------------------------------------------------------- */

static bool all_came(const struct model *m)
{
    for (int i = 0; i < m->line_count; i++)
        if (m->lines[i].must && i != m->half && m->lines[i].delivered == 0 && !(m->hold && m->lines[i].emitted))
            return false;
    return true;
}

static void turn_until_all_came(struct model *m, double seconds)
{
    double end = loop_now() + seconds;
    while (!all_came(m) && loop_now() < end && m->why[0] == '\0')
        if (!loop_turn(m->rig.loop))
            usleep(200);
}

static void run_source(struct model *m, char op, int count)
{
    if (!m->up)
        return;
    switch (op) {
    case 't':
        for (int i = 0; i < count; i++)
            loop_turn(m->rig.loop);
        break;
    case 'c': turn_until_all_came(m, CATCH_UP); break;
    case 'h': m->hold = true; break;
    case 'f': release_first(m); break;
    case 'd': m->hold = false; release(m, true); break;
    case 'k':
        work_wait(m->rig.work);
        ck_assert_int_eq(checkpoint_write(m->rig.checkpoint, NULL), 0);
        break;
    default: ck_abort_msg("no operation '%c'", op);
    }
}

static void operate(struct model *m, char op, int count)
{
    switch (op) {
    case 'W': write_lines(m, count); break;
    case 'H': write_half(m); break;
    case 'R': rotate(m, 0); create(m); break;
    case 'L': rotate(m, count); create(m); break;
    case 'M': rotate(m, 0); break;
    case 'T': truncate_now(m, false); break;
    case 'C': truncate_now(m, true); write_lines(m, count); break;
    case 'D': remove_file(m, m->now); break;
    case 'Y': remove_file(m, m->now); write_lines(m, count); break;
    case 'E': remove_oldest(m); break;
    case 'Z': end(m, false); break;
    case 'X': end(m, true); break;
    case 'S': start(m); break;
    default: run_source(m, op, count);
    }
}

/* Everything comes; and nothing again after a stop. */
static void finish(struct model *m)
{
    complete(m);
    start(m);
    m->hold = false;
    release(m, true);
    turn_until_all_came(m, PATIENCE);
    for (int i = 0; i < m->line_count; i++)
        if (m->lines[i].must && m->lines[i].delivered == 0)
            wrong(m, "is missing", i);
    end(m, false);
    start(m);
    rig_run(&m->rig, 0.012);
    end(m, false);
    for (int i = 0; i < m->line_count; i++)
        if (!m->crashed && m->lines[i].delivered > 1)
            wrong(m, "came more than once, without a crash", i);
}

const char *tail_model_run(const char *script)
{
    static char why[300];
    struct model *m = calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    m->now = m->half = -1;
    list_init(&m->held);
    rig_open(&m->rig, 4 << 20, 65536);
    checkpoint_close(&m->rig.checkpoint, NULL);
    m->inside = *script++ == 'I';
    start(m);
    while (*script != '\0' && m->why[0] == '\0') {
        char op = *script++;
        if (op == ' ')
            continue;
        int count = 1;
        if (*script >= '0' && *script <= '9')
            count = (int)strtol(script, (char **)(uintptr_t)&script, 10);
        operate(m, op, count);
    }
    finish(m);
    if (m->now >= 0)
        close(m->fd);
    snprintf(why, sizeof why, "%s", m->why);
    rig_close(&m->rig);
    free(m);
    return why[0] != '\0' ? why : NULL;
}
