/* When a checkpoint is taken of sources and outputs together, what it says, and what a start makes of it. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "delivery/cut.h"
#include "delivery/ledger.h"

static struct rig r;
static struct checkpoint *cp;
static struct cut *cut;
static struct checkpoint_entry *entry;
static struct ledger *ledger;
static unsigned failures;
static bool finished;
static char path[100]; /* of the output: rig_path forgets */

static void advanced(void *arg)
{
    (void)arg;
    entry->state.offset = ledger_acked(ledger);
    checkpoint_touch(cp, entry);
}

static void on_failed(void *arg, const struct err *e)
{
    (void)arg;
    (void)e;
    failures++;
}

static void on_done(void *arg)
{
    (void)arg;
    finished = true;
}

static void begin(void)
{
    struct err e = {0};
    if (cp == NULL)
        cp = checkpoint_open(r.loop, r.work, rig_path(&r, "d"), CHECKPOINT_KEEP, &e);
    ck_assert_msg(cp != NULL, "%s", e.text);
    cut = cut_new(r.loop, r.work, cp, "p", on_failed, NULL, &e);
    ck_assert_msg(cut != NULL, "%s", e.text);
}

static void source(void)
{
    struct file_state s = {.dev = 1, .ino = 2};
    entry = checkpoint_find(cp, "p", "tail", 1, 2, "/in");
    if (entry == NULL)
        entry = checkpoint_add(cp, "p", "tail", "/in", "/in", &s);
    ledger = ledger_new(entry->state.offset, entry->state.mark, advanced, NULL);
    ledger_count(ledger, cut_uncovered(cut));
}

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
    rig_hush();
    failures = 0;
    finished = false;
    snprintf(path, sizeof path, "%s", rig_path(&r, "out"));
    begin();
    source();
}

/* As a crash: nothing is written any more. What the checkpoint on disk says is kept. */
static void crash(void)
{
    size_t len;
    char *text = NULL;
    if (access(rig_path(&r, "d/checkpoint"), F_OK) == 0)
        text = rig_read(rig_path(&r, "d/checkpoint"), &len);
    ledger_release(&ledger);
    cut_abandon(cut);
    cut_free(&cut);
    checkpoint_close(&cp, NULL);
    unlink(rig_path(&r, "d/checkpoint"));
    if (text != NULL)
        rig_write(rig_path(&r, "d/checkpoint"), text, len);
    free(text);
}

static void teardown(void)
{
    if (ledger != NULL)
        ledger_release(&ledger);
    if (cut != NULL) {
        cut_abandon(cut);
        cut_free(&cut);
    }
    if (cp != NULL)
        checkpoint_close(&cp, NULL);
    rig_close(&r);
}

static struct cut_output *open_out(void)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert(fd >= 0 && fstat(fd, &st) == 0);
    return cut_output_open(cut, "file", path, fd, &st);
}

/* The offset and the length that the checkpoint on disk says: -1: nothing. */
static long kept_offset, kept_length;

static void read_kept(void)
{
    size_t len;
    struct list entries, outputs;
    list_init(&entries);
    list_init(&outputs);
    kept_offset = kept_length = -1;
    if (access(rig_path(&r, "d/checkpoint"), F_OK) != 0)
        return;
    char *text = rig_read(rig_path(&r, "d/checkpoint"), &len);
    ck_assert_int_eq(checkpoint_parse(text, len, &entries, &outputs, NULL), 0);
    LIST_EACH(node, &entries)
        kept_offset = (long)LIST_ENTRY(node, struct checkpoint_entry, node)->state.offset;
    LIST_EACH(node, &outputs)
        kept_length = (long)LIST_ENTRY(node, struct checkpoint_output, node)->length;
    checkpoint_entries_free(&entries);
    checkpoint_outputs_free(&outputs);
    free(text);
}

static bool says(long offset, long length)
{
    read_kept();
    return kept_offset == offset && kept_length == length;
}

static struct ticket *ticket(uint64_t end)
{
    struct ticket *t = ledger_ticket(ledger, end, (struct mark){0, 0});
    ck_assert_ptr_nonnull(t);
    t->holders = 0;
    return t;
}

static struct ticket_set set_of(struct ticket *t)
{
    struct ticket_set set = {0};
    ck_assert_int_eq(ticket_set_add(&set, t), 0);
    return set;
}

/* ${len} bytes that ${set} stands for are in the output. */
static void write_out(struct cut_output *o, size_t len, struct ticket_set *set)
{
    char text[100];
    memset(text, 'x', sizeof text);
    rig_append(path, text, len);
    cut_output_is(o, cut_output_length(o) + len, set);
    ticket_set_end(set, true);
    cut_offer(cut);
}

START_TEST(a_new_output_waits_for_the_checkpoint)
{
    rig_write(rig_path(&r, "out"), "old\n", 4);
    struct cut_output *o = open_out();
    ck_assert(!cut_output_is_known(o));
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    ck_assert(says(0, 4));
    cut_output_close(&o);
}
END_TEST

START_TEST(offset_and_length_move_together)
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10)), more = {0};
    ck_assert_int_eq(ticket_set_fork(&more, &a), 0);
    write_out(o, 7, &a); /* the first part of what the ticket stands for */
    rig_run(&r, 1.6);
    ck_assert_msg(says(0, 0), "%ld %ld", kept_offset, kept_length); /* not yet: 7 bytes are of what is not before the offset */
    write_out(o, 5, &more);
    RIG_UNTIL(&r, says(10, 12), 3);
    cut_output_close(&o);
}
END_TEST

START_TEST(what_is_delivered_behind_what_is_not_waits)
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set first = set_of(ticket(10)), second = set_of(ticket(20)), third = set_of(ticket(30));
    write_out(o, 3, &second);
    rig_run(&r, 1.3);
    ck_assert(says(0, 0));
    ticket_set_end(&first, true); /* dropped: nothing of it is in the output */
    RIG_UNTIL(&r, says(20, 3), 3);
    ticket_set_end(&third, false);
    cut_output_close(&o);
}
END_TEST

static unsigned woken;

static void on_loud(struct cut_waiter *w)
{
    (void)w;
    woken++;
}

START_TEST(sources_are_told_to_be_quiet_and_not_for_ever)
{
    struct cut_output *o = open_out();
    struct cut_waiter w = {.wake = on_loud};
    list_init(&w.node);
    woken = 0;
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10)), more = {0};
    ck_assert_int_eq(ticket_set_fork(&more, &a), 0);
    write_out(o, 7, &a);
    RIG_UNTIL(&r, cut_is_quiet(cut), 4);
    cut_wait(cut, &w);
    ck_assert_uint_eq(woken, 0);
    RIG_UNTIL(&r, woken == 1, 3); /* something may wait for what they would read */
    ck_assert(!cut_is_quiet(cut));
    RIG_UNTIL(&r, cut_is_quiet(cut), 4);
    cut_wait(cut, &w);
    write_out(o, 1, &more);
    ck_assert_uint_eq(woken, 2);
    ck_assert(!cut_is_quiet(cut));
    RIG_UNTIL(&r, says(10, 8), 3);
    cut_output_close(&o);
}
END_TEST

START_TEST(a_ledger_that_was_let_go_counts_until_its_tickets_are_back)
{
    struct ticket_set out = set_of(ticket(10)), stored = set_of(ticket(20)), late = set_of(ticket(30));
    ticket_set_stored(&stored);
    ck_assert_uint_eq(*cut_uncovered(cut), 1);
    ticket_set_end(&stored, true);
    ck_assert_uint_eq(*cut_uncovered(cut), 1); /* the first is in front of it */
    ledger_release(&ledger);
    ck_assert_uint_eq(*cut_uncovered(cut), 2); /* those that are out: they are in no file any more */
    ticket_set_stored(&late);
    ticket_set_end(&late, true);
    ck_assert_uint_eq(*cut_uncovered(cut), 1);
    ticket_set_end(&out, false);
    ck_assert_uint_eq(*cut_uncovered(cut), 0);
}
END_TEST

START_TEST(a_start_cuts_back_and_reads_again)
{
    struct cut_output *o = open_out();
    struct stat st;
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10));
    write_out(o, 7, &a);
    RIG_UNTIL(&r, says(10, 7), 3);
    struct ticket_set b = set_of(ticket(25));
    write_out(o, 9, &b);
    cut_output_close(&o);
    crash();
    begin();
    source();
    ck_assert_uint_eq(entry->state.offset, 10);
    ck_assert_int_eq(cut_restore(cut), 0);
    ck_assert(stat(path, &st) == 0 && st.st_size == 7);
    ck_assert(cut_knows(cut, &st));
    rig_append(path, "of somebody else", 16);
    ck_assert_int_eq(cut_restore(cut), 0); /* once only */
    ck_assert(stat(path, &st) == 0 && st.st_size == 23);
}
END_TEST

START_TEST(a_pipeline_that_begins_anew_is_set_back_too)
{
    struct cut_output *o = open_out();
    struct stat st;
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10)), b = set_of(ticket(25));
    write_out(o, 7, &a);
    RIG_UNTIL(&r, says(10, 7), 3);
    write_out(o, 9, &b);
    ck_assert_uint_eq(entry->state.offset, 25);
    cut_abandon(cut);
    cut_output_close(&o);
    ledger_release(&ledger);
    cut_free(&cut);
    begin();
    source();
    ck_assert_uint_eq(entry->state.offset, 10);
    ck_assert_int_eq(cut_restore(cut), 0);
    ck_assert(stat(path, &st) == 0 && st.st_size == 7);
}
END_TEST

/* A crash when 10 and 7 are kept and the output is 16 bytes long; then ${change} happens to it. */
static void crash_and(void (*change)(void))
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10)), b = set_of(ticket(25));
    write_out(o, 7, &a);
    RIG_UNTIL(&r, says(10, 7), 3);
    write_out(o, 9, &b);
    cut_output_close(&o);
    crash();
    change();
    begin();
    source();
    ck_assert_int_eq(cut_restore(cut), 0);
}

static off_t size_of(const char *name)
{
    struct stat st;
    return stat(name, &st) == 0 ? st.st_size : -1;
}

static void rotate_it(void)
{
    ck_assert_int_eq(rename(path, rig_path(&r, "elsewhere.1")), 0);
    rig_write(path, "of somebody else", 16);
}

static void remove_it(void)
{
    unlink(path);
}

static void shorten_it(void)
{
    ck_assert_int_eq(truncate(path, 3), 0);
}

static void overwrite_it(void)
{
    int fd = open(path, O_WRONLY);
    ck_assert(fd >= 0 && pwrite(fd, "0123456789abcdef", 16, 0) == 16);
    close(fd);
}

START_TEST(a_file_that_was_renamed_is_found)
{
    crash_and(rotate_it);
    ck_assert_int_eq(size_of(rig_path(&r, "elsewhere.1")), 7);
    ck_assert_int_eq(size_of(rig_path(&r, "out")), 16);
}
END_TEST

START_TEST(what_is_not_as_it_was_is_left_alone)
{
    static void (*const changes[])(void) = {remove_it, shorten_it, overwrite_it};
    static const off_t sizes[] = {-1, 3, 16};
    crash_and(changes[_i]);
    ck_assert_int_eq(size_of(rig_path(&r, "out")), sizes[_i]);
    /* and told once */
    cut_abandon(cut);
    ledger_release(&ledger);
    cut_free(&cut);
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    begin();
    source();
    read_kept();
    ck_assert_int_eq(kept_length, -1);
}
END_TEST

START_TEST(an_orderly_end_leaves_nothing_to_cut_back)
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10));
    write_out(o, 7, &a);
    cut_finish(cut, on_done, NULL);
    RIG_UNTIL(&r, finished, 3);
    cut_output_close(&o);
    ledger_release(&ledger);
    cut_free(&cut);
    ck_assert_int_eq(checkpoint_close(&cp, NULL), 0);
    ck_assert(says(10, -1));
}
END_TEST

/* Between the look at it and the write of the checkpoint it is opened, written to and closed: what was written then is not before the offset. */
START_TEST(one_that_is_opened_meanwhile_stays_known)
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    rig_run(&r, 1.2);
    struct ticket_set a = set_of(ticket(10)), b = set_of(ticket(20)), more = {0};
    ck_assert_int_eq(ticket_set_fork(&more, &b), 0);
    write_out(o, 7, &a);
    cut_output_close(&o);
    snprintf(path, sizeof path, "%s", rig_path(&r, "other"));
    struct cut_output *other = open_out(); /* one that is new: it looks at once, and the worker has something to do */
    snprintf(path, sizeof path, "%s", rig_path(&r, "out"));
    o = open_out();
    write_out(o, 5, &b);
    cut_output_close(&o);
    cut_output_close(&other);
    rig_run(&r, 1.6);
    ticket_set_end(&more, false);
    crash();
    begin();
    source();
    ck_assert_uint_eq(entry->state.offset, 10);
    ck_assert_int_eq(cut_restore(cut), 0);
    struct stat st;
    ck_assert(stat(path, &st) == 0 && st.st_size == 7);
}
END_TEST

START_TEST(without_data_dir_there_is_none)
{
    struct err e = {0};
    ck_assert_ptr_null(cut_new(r.loop, r.work, r.checkpoint, "p", on_failed, NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "data_dir"));
}
END_TEST

START_TEST(without_memory_it_fails_and_is_whole)
{
    struct cut_output *o = open_out();
    RIG_UNTIL(&r, cut_output_is_known(o), 3);
    struct ticket_set a = set_of(ticket(10));
    write_out(o, 7, &a);
    RIG_UNTIL(&r, says(10, 7), 3);
    cut_abandon(cut);
    cut_output_close(&o);
    ledger_release(&ledger);
    cut_free(&cut);
    size_t live = mem_live();
    for (unsigned long n = 1;; n++) {
        struct err e = {0};
        mem_fail_at(n);
        cut = cut_new(r.loop, r.work, cp, "p", on_failed, NULL, &e);
        int rc = cut != NULL ? cut_restore(cut) : -1;
        bool over = !mem_failed();
        mem_fail_at(0);
        ck_assert_msg(over == (rc == 0), "allocation %lu", n);
        if (cut != NULL) {
            ck_assert_int_eq(cut_restore(cut), 0);
            cut_free(&cut);
        }
        ck_assert_uint_eq(mem_live(), live);
        if (over)
            break;
    }
    begin();
    source();
    ck_assert_uint_eq(entry->state.offset, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cut");
    TCase *t = tcase_create("cut");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_new_output_waits_for_the_checkpoint);
    tcase_add_test(t, offset_and_length_move_together);
    tcase_add_test(t, what_is_delivered_behind_what_is_not_waits);
    tcase_add_test(t, sources_are_told_to_be_quiet_and_not_for_ever);
    tcase_add_test(t, a_ledger_that_was_let_go_counts_until_its_tickets_are_back);
    tcase_add_test(t, a_start_cuts_back_and_reads_again);
    tcase_add_test(t, a_pipeline_that_begins_anew_is_set_back_too);
    tcase_add_test(t, a_file_that_was_renamed_is_found);
    tcase_add_loop_test(t, what_is_not_as_it_was_is_left_alone, 0, 3);
    tcase_add_test(t, an_orderly_end_leaves_nothing_to_cut_back);
    tcase_add_test(t, one_that_is_opened_meanwhile_stays_known);
    tcase_add_test(t, without_data_dir_there_is_none);
    tcase_add_test(t, without_memory_it_fails_and_is_whole);
    suite_add_tcase(s, t);
    return rig_main(s);
}
