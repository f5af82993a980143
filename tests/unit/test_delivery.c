/* What was delivered and how that is kept: ledger and checkpoint. */
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- ledger ------------------------------------------------------------------------------------ */

static unsigned moves;

static void advanced(void *arg)
{
    uint64_t *seen = arg;
    (void)seen;
    moves++;
}

static struct mark mark(uint64_t n)
{
    return (struct mark){8, (uint32_t)(n * 2654435761u)};
}

#define TICKETS 40

START_TEST(the_offset_follows_the_delivered_prefix)
{
    uint64_t seed = (uint64_t)_i * 77;
    for (int round = 0; round < 200; round++) {
        struct ledger *l = ledger_new(100, mark(100), advanced, NULL);
        struct ticket *out[TICKETS] = {NULL};
        uint64_t ends[TICKETS], end = 100;
        enum { OUT, GOOD, BAD } state[TICKETS] = {OUT};
        unsigned n = 0, settled = 0;
        moves = 0;
        while (settled < TICKETS) {
            unsigned pick = (unsigned)(rig_random(&seed) % 4);
            if (pick == 0 && n < TICKETS) {
                end += rig_random(&seed) % 50;
                ends[n] = end;
                out[n] = ledger_ticket(l, end, mark(end));
                out[n]->holders = 1;
                n++;
            } else if (pick == 1 && n < TICKETS) {
                end += rig_random(&seed) % 50;
                ends[n] = end;
                state[n++] = GOOD;
                settled++;
                ck_assert_int_eq(ledger_skip(l, end, mark(end)), 0);
            } else if (pick == 2 && n < TICKETS) {
                ledger_undo(ledger_ticket(l, end + 5, mark(0)));
            } else if (n > 0) {
                unsigned k = (unsigned)(rig_random(&seed) % n);
                if (out[k] == NULL || state[k] != OUT)
                    continue;
                bool good = rig_random(&seed) % 30 != 0;
                state[k] = good ? GOOD : BAD;
                settled++;
                ticket_end(out[k], good);
            }
            uint64_t want = 100; /* the model */
            unsigned prefix = 0, busy = 0;
            while (prefix < n && state[prefix] == GOOD)
                want = ends[prefix++];
            for (unsigned i = 0; i < n; i++)
                busy += out[i] != NULL && state[i] == OUT;
            ck_assert_uint_eq(ledger_acked(l), want);
            ck_assert(mark_equal(ledger_mark(l), mark(want)));
            ck_assert_int_eq(ledger_busy(l), busy > 0);
        }
        ck_assert_uint_le(moves, TICKETS);
        ledger_release(&l);
        ck_assert_ptr_null(l);
        ck_assert_uint_eq(mem_live(), 0);
    }
}
END_TEST

START_TEST(released_with_tickets_out_it_tells_nobody)
{
    moves = 0;
    struct ledger *l = ledger_new(0, mark(0), advanced, NULL);
    struct ticket *t[3];
    for (unsigned i = 0; i < 3; i++) {
        t[i] = ledger_ticket(l, i + 1, mark(i));
        t[i]->holders = 2;
    }
    ledger_release(&l);
    for (unsigned i = 0; i < 3; i++) {
        ticket_end(t[i], true);
        ck_assert_uint_gt(mem_live(), 0);
    }
    for (unsigned i = 0; i < 3; i++)
        ticket_end(t[i], i != 1);
    ck_assert_uint_eq(moves, 0);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

START_TEST(marks_cover_the_last_bytes)
{
    char text[200];
    for (int i = 0; i < 200; i++)
        text[i] = (char)i;
    ck_assert_uint_eq(mark_of(text, 0).len, 0);
    ck_assert_uint_eq(mark_of(text, 63).len, 63);
    ck_assert_uint_eq(mark_of(text, 200).len, MARK_BYTES);
    ck_assert(mark_equal(mark_of(text, 200), mark_of(text + 136, 64)));
    ck_assert(!mark_equal(mark_of(text, 200), mark_of(text, 199)));
    ck_assert(!mark_equal(mark_of(text, 10), mark_of(text, 11)));
}
END_TEST

START_TEST(a_ledger_without_memory)
{
    mem_fail_at(1);
    ck_assert_ptr_null(ledger_new(0, mark(0), advanced, NULL));
    struct ledger *l = ledger_new(0, mark(0), advanced, NULL);
    mem_fail_at(1);
    ck_assert_ptr_null(ledger_ticket(l, 10, mark(0)));
    mem_fail_at(1);
    ck_assert_int_eq(ledger_skip(l, 10, mark(0)), -1);
    mem_fail_at(0);
    ck_assert_int_eq(ledger_skip(l, 5, mark(5)), 0); /* a smaller end is still allowed */
    ck_assert_uint_eq(ledger_acked(l), 5);
    ledger_release(&l);
    ck_assert_uint_eq(mem_live(), 0);
}
END_TEST

/* ---- checkpoint -------------------------------------------------------------------------------- */

static struct rig r;

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    rig_hush();
}

static void teardown(void)
{
    rig_close(&r);
}

static struct checkpoint *open_in(const char *dir, enum checkpoint_mode mode)
{
    struct err e = {0};
    struct checkpoint *cp = checkpoint_open(r.loop, r.work, dir, mode, &e);
    ck_assert_msg(cp != NULL, "%s", e.text);
    return cp;
}

static struct file_state state_of(uint64_t n)
{
    return (struct file_state){.dev = n % 3, .ino = UINT64_MAX - n * 1024, .head = {(uint32_t)n % 1025, (uint32_t)n},
                               .offset = INT64_MAX - n, .mark = {(uint32_t)n % 65, UINT32_MAX},
                               .seen = n};
}

static const char *const paths[] = {
    "/var/log/app.log", " ", "a b", "%", "%41", "new\nline", "tab\t", "\x01\x7f\x80\xff", "caf\xc3\xa9",
    "file x y 1 2 3", "end 1 0", "/", "a%0", "\r",
};
#define PATHS (sizeof paths / sizeof paths[0])

static unsigned count_entries;

static void count(void *arg, struct checkpoint_entry *e)
{
    (void)arg;
    (void)e;
    count_entries++;
}

static unsigned entries_of(struct checkpoint *cp, const char *pipeline, const char *stage)
{
    count_entries = 0;
    checkpoint_each(cp, pipeline, stage, count, NULL);
    return count_entries;
}

START_TEST(what_was_kept_comes_back)
{
    struct checkpoint *cp = open_in(rig_path(&r, "data/dir"), CHECKPOINT_KEEP);
    for (size_t i = 0; i < PATHS; i++) {
        struct file_state s = state_of(i);
        struct checkpoint_entry *e = checkpoint_add(cp, paths[i], paths[PATHS - 1 - i], paths[i], paths[PATHS - 1 - i], &s);
        ck_assert(e != NULL && e->claimed);
    }
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    cp = open_in(rig_path(&r, "data/dir"), CHECKPOINT_KEEP);
    ck_assert(!checkpoint_damaged(cp));
    for (size_t i = 0; i < PATHS; i++) {
        struct file_state s = state_of(i);
        ck_assert_uint_eq(entries_of(cp, paths[i], paths[PATHS - 1 - i]), 1);
        struct checkpoint_entry *e = checkpoint_find(cp, paths[i], paths[PATHS - 1 - i], s.dev, s.ino, "other");
        ck_assert_ptr_nonnull(e);
        ck_assert_str_eq(e->path, paths[i]);
        ck_assert_str_eq(e->log, paths[PATHS - 1 - i]);
        ck_assert(!e->claimed);
        ck_assert_uint_eq(e->state.offset, s.offset);
        ck_assert_uint_eq(e->state.seen, s.seen);
        ck_assert(mark_equal(e->state.head, s.head) && mark_equal(e->state.mark, s.mark));
        ck_assert_ptr_null(checkpoint_find(cp, "?", paths[PATHS - 1 - i], s.dev, s.ino, paths[i]));
        ck_assert_ptr_null(checkpoint_find(cp, paths[i], paths[PATHS - 1 - i], s.dev + 9, s.ino, "other"));
        /* after a restart of the machine the device may have another number: then the path decides */
        ck_assert_ptr_eq(checkpoint_find(cp, paths[i], paths[PATHS - 1 - i], s.dev + 9, s.ino, paths[i]), e);
        e->claimed = true;
        ck_assert_ptr_null(checkpoint_find(cp, paths[i], paths[PATHS - 1 - i], s.dev, s.ino, paths[i]));
        e->claimed = false;
    }
    struct file_state s = state_of(2);
    struct checkpoint_entry *e = checkpoint_find(cp, paths[2], paths[PATHS - 3], s.dev, s.ino, "");
    ck_assert_int_eq(checkpoint_rename(cp, e, "renamed"), 0);
    e->state.offset = 77;
    checkpoint_touch(cp, e);
    s = state_of(3);
    checkpoint_remove(cp, checkpoint_find(cp, paths[3], paths[PATHS - 4], s.dev, s.ino, ""));
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    cp = open_in(rig_path(&r, "data/dir"), CHECKPOINT_LOOK);
    ck_assert_ptr_null(checkpoint_find(cp, paths[3], paths[PATHS - 4], s.dev, s.ino, ""));
    s = state_of(2);
    e = checkpoint_find(cp, paths[2], paths[PATHS - 3], s.dev, s.ino, "");
    ck_assert_str_eq(e->path, "renamed");
    ck_assert_uint_eq(e->state.offset, 77);
    checkpoint_close(&cp, NULL);
}
END_TEST

static char *sample(size_t *len)
{
    struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    for (size_t i = 0; i < 4; i++) {
        struct file_state s = state_of(i);
        checkpoint_add(cp, "app", "tail", paths[i], paths[i], &s);
    }
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    return rig_read(rig_path(&r, "d/checkpoint"), len);
}

static bool parses(const char *text, size_t len)
{
    struct err e = {0};
    struct list into, outputs;
    list_init(&into);
    list_init(&outputs);
    char *exact = malloc(len != 0 ? len : 1);
    memcpy(exact, text, len);
    bool ok = checkpoint_parse(exact, len, &into, &outputs, &e) == 0;
    ck_assert_int_eq(ok, !err_is(&e));
    checkpoint_entries_free(&into);
    checkpoint_outputs_free(&outputs);
    free(exact);
    return ok;
}

START_TEST(damage_of_any_kind_is_refused)
{
    size_t len;
    char *text = sample(&len);
    ck_assert(parses(text, len));
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_msg(!parses(text, cut), "cut at %zu", cut);
    char *more = malloc(len + 1);
    memcpy(more, text, len);
    more[len] = '\n';
    ck_assert(!parses(more, len + 1));
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            ck_assert_msg(!parses(text, len), "byte %zu bit %u", i, bit);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    size_t live = mem_live();
    ck_assert(parses(text, len));
    ck_assert_uint_eq(mem_live(), live);
    free(more);
    free(text);
}
END_TEST

START_TEST(a_damaged_one_is_set_aside_and_never_overwritten)
{
    size_t len;
    free(sample(&len));
    static const char *const names[] = {"d/checkpoint.bad", "d/checkpoint.bad.1", "d/checkpoint.bad.2"};
    for (int i = 0; i < 3; i++) {
        char text[20];
        int n = snprintf(text, sizeof text, "damaged %d", i);
        rig_write(rig_path(&r, "d/checkpoint"), text, (size_t)n);
        /* looking changes nothing */
        struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_LOOK);
        ck_assert(checkpoint_damaged(cp));
        ck_assert_uint_eq(entries_of(cp, "app", "tail"), 0);
        checkpoint_close(&cp, NULL);
        ck_assert_int_ne(access(rig_path(&r, names[i]), F_OK), 0);
        cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
        ck_assert(checkpoint_damaged(cp));
        checkpoint_close(&cp, NULL);
        char *kept = rig_read(rig_path(&r, names[i]), &len);
        ck_assert_str_eq(kept, text);
        free(kept);
    }
    char *first = rig_read(rig_path(&r, names[0]), &len);
    ck_assert_str_eq(first, "damaged 0");
    free(first);
    struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    ck_assert(!checkpoint_damaged(cp)); /* there is none now */
    checkpoint_close(&cp, NULL);
}
END_TEST

START_TEST(two_agents_do_not_share)
{
    struct err e = {0};
    struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    ck_assert_ptr_null(checkpoint_open(r.loop, r.work, rig_path(&r, "d"), CHECKPOINT_KEEP, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "in use by another"));
    struct checkpoint *look = open_in(rig_path(&r, "d"), CHECKPOINT_LOOK);
    checkpoint_close(&look, NULL);
    checkpoint_close(&cp, NULL);
    cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    checkpoint_close(&cp, NULL);
}
END_TEST

START_TEST(looking_and_memory_only_write_nothing)
{
    struct file_state s = state_of(1);
    struct checkpoint *cp = open_in(rig_path(&r, "none"), CHECKPOINT_LOOK);
    ck_assert_ptr_nonnull(checkpoint_add(cp, "p", "s", "/x", "/x", &s));
    ck_assert_int_eq(checkpoint_write(cp, NULL), 0);
    rig_run(&r, 1.2);
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    ck_assert_int_ne(access(rig_path(&r, "none"), F_OK), 0);
    cp = open_in(NULL, CHECKPOINT_KEEP);
    struct checkpoint_entry *e = checkpoint_add(cp, "p", "s", "/x", "/x", &s);
    e->claimed = false;
    ck_assert_ptr_eq(checkpoint_find(cp, "p", "s", s.dev, s.ino, "/x"), e);
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
}
END_TEST

START_TEST(it_is_written_by_itself_and_then_the_loop_sleeps)
{
    struct file_state s = state_of(1);
    struct stat before, after;
    struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    double start = loop_now();
    struct checkpoint_entry *e = checkpoint_add(cp, "p", "s", "/x", "/x", &s);
    loop_run(r.loop); /* until no timer and no job is left */
    ck_assert(loop_now() - start < 3);
    ck_assert_int_eq(stat(rig_path(&r, "d/checkpoint"), &before), 0);
    checkpoint_touch(cp, e);
    for (int i = 0; i < 100; i++)
        checkpoint_touch(cp, e);
    loop_run(r.loop);
    ck_assert_int_eq(stat(rig_path(&r, "d/checkpoint"), &after), 0);
    ck_assert_uint_ne(before.st_ino, after.st_ino);
    checkpoint_close(&cp, NULL); /* nothing new: not written again */
    ck_assert_int_eq(stat(rig_path(&r, "d/checkpoint"), &before), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}
END_TEST

START_TEST(a_failed_write_keeps_the_old_one_and_does_not_spin)
{
    size_t len, later;
    char *old = sample(&len);
    struct err e = {0};
    struct file_state s = state_of(9);
    struct checkpoint *cp = open_in(rig_path(&r, "d"), CHECKPOINT_KEEP);
    checkpoint_add(cp, "p", "s", "/x", "/x", &s);
    ck_assert_int_eq(mkdir(rig_path(&r, "d/checkpoint.new"), 0700), 0); /* in the way */
    ck_assert_int_eq(checkpoint_write(cp, &e), -1);
    ck_assert(err_is(&e));
    double cpu = rig_cpu(), end = loop_now() + 2.5;
    while (loop_now() < end) {
        loop_turn(r.loop);
        usleep(10000);
    }
    ck_assert(rig_cpu() - cpu < 0.5);
    char *now = rig_read(rig_path(&r, "d/checkpoint"), &later);
    ck_assert_uint_eq(later, len);
    ck_assert_mem_eq(now, old, len);
    free(now);
    ck_assert_int_eq(rmdir(rig_path(&r, "d/checkpoint.new")), 0);
    struct stat st;
    RIG_UNTIL(&r, stat(rig_path(&r, "d/checkpoint"), &st) == 0 && (size_t)st.st_size > len, 3);
    free(old);
    checkpoint_close(&cp, NULL);
}
END_TEST

START_TEST(without_memory_it_fails_and_forgets_nothing)
{
    size_t len;
    free(sample(&len));
    bool over = false;
    for (unsigned long n = 1; !over; n++) {
        struct err e = {0};
        size_t live = mem_live();
        mem_fail_at(n);
        struct checkpoint *cp = checkpoint_open(r.loop, r.work, rig_path(&r, "d"), CHECKPOINT_KEEP, &e);
        over = !mem_failed();
        mem_fail_at(0);
        ck_assert_msg(over == (cp != NULL), "allocation %lu", n);
        if (cp != NULL) {
            ck_assert_uint_eq(entries_of(cp, "app", "tail"), 4);
            struct file_state s = state_of(9);
            for (unsigned long k = 1; k <= 4; k++) {
                mem_fail_at(k);
                ck_assert_ptr_null(checkpoint_add(cp, "p", "s", "/x", "/x", &s));
                mem_fail_at(0);
            }
            ck_assert_uint_eq(entries_of(cp, "p", "s"), 0);
        } else {
            ck_assert_int_eq(e.code, ERR_NOMEM);
        }
        checkpoint_close(&cp, NULL);
        ck_assert_uint_eq(mem_live(), live);
        ck_assert_int_ne(access(rig_path(&r, "d/checkpoint.bad"), F_OK), 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("delivery");
    TCase *t = tcase_create("ledger");
    tcase_add_loop_test(t, the_offset_follows_the_delivered_prefix, 1, 6);
    tcase_add_test(t, released_with_tickets_out_it_tells_nobody);
    tcase_add_test(t, marks_cover_the_last_bytes);
    tcase_add_test(t, a_ledger_without_memory);
    suite_add_tcase(s, t);
    t = tcase_create("checkpoint");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_was_kept_comes_back);
    tcase_add_test(t, damage_of_any_kind_is_refused);
    tcase_add_test(t, a_damaged_one_is_set_aside_and_never_overwritten);
    tcase_add_test(t, two_agents_do_not_share);
    tcase_add_test(t, looking_and_memory_only_write_nothing);
    tcase_add_test(t, it_is_written_by_itself_and_then_the_loop_sleeps);
    tcase_add_test(t, a_failed_write_keeps_the_old_one_and_does_not_spin);
    tcase_add_test(t, without_memory_it_fails_and_forgets_nothing);
    suite_add_tcase(s, t);
    return rig_main(s);
}
