/* Paths made of records: templates, names that cannot lead anywhere, rotation cut off at every step, files in a bounded set. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "record/doc.h"
#include "sink/file_out.h"
#include "sink/file_path.h"
#include "sink/file_place.h"
#include "sink/file_rotate.h"
#include "sink/file_set.h"

static struct rig r;

static void setup(void)
{
    rig_open(&r, 64 << 20, 65536);
    rig_hush();
}

static void teardown(void)
{
    rig_close(&r);
}

/* ---- templates --------------------------------------------------------------------------------- */

static const struct {
    const char *path, *error;
} wrong[] = {
    {"{.x}/a", "column 1: expected a directory in front of the first placeholder"},
    {"a{.x}", "column 1: expected a directory in front"},
    {"/{.x}", "column 1: expected a directory in front"},
    {"//./{.x}", "column 1: expected a directory in front"},
    {"/a/../b/{.x}", "column 4: a path with placeholders must not hold \"..\""},
    {"/a/é{.x}/../b", "column 10: a path with placeholders must not hold \"..\""},
    {"/a/{.x}/./b", "column 9: a path with placeholders must not hold"},
    {"/a/{.x}/", "column 9: expected the name of a file"},
    {"/a/{x}", "column 5: expected {.field}, {@metadata} or {%Y-%m-%d}"},
    {"/a/{", "column 5: expected {.field}"},
    {"/a/{.x", "column 7: expected \"}\""},
    {"/a/{.x[}", "column 8: expected an index"},
    {"/a/{.}", "column 5: expected a field, got the whole record"},
    {"/a/{@offset}", "column 5: @offset would give"},
    {"/a/{@foo}", "unknown metadata"},
    {"/a/{%Y", "column 4: this \"{\" is not closed"},
    {"/a/{%Y-%Q}", "column 8: %Q is not understood"},
    {"/a/}b", "column 4: a lone \"}\""},
};

START_TEST(a_wrong_template_is_told_with_its_column)
{
    struct err e = {0};
    struct file_path *p = file_path_new(wrong[_i].path, 0, &e);
    ck_assert_msg(p == NULL, "%s was taken", wrong[_i].path);
    ck_assert_msg(strstr(e.text, wrong[_i].error) != NULL, "%s: %s", wrong[_i].path, e.text);
}
END_TEST

/* ${template} for the record ${line}; malloc. */
static char *render(const char *template, const char *line, unsigned keep)
{
    struct err e = {0};
    struct buf out = {0};
    struct file_path *p = file_path_new(template, keep, &e);
    ck_assert_msg(p != NULL, "%s", e.text);
    struct origin *o = origin_new("/var/log/a.log", NULL, "host", "tail", "pipe");
    struct batch *b = batch_new(r.pool, NULL, o);
    struct record *rec = batch_add(b);
    rec->text = line;
    rec->len = (uint32_t)strlen(line);
    rec->time = INT64_C(1769860800000000000); /* 2026-01-31T12:00:00Z */
    if (line[0] == '{')
        ck_assert_int_eq(doc_parse(&rec->doc, &b->body->arena, rec->text, rec->len, NULL), DOC_OK);
    file_path_render(p, NULL, b, rec, 0, &out);
    char *copy = strdup(buf_cstr(&out));
    struct chunk *c = &b->chunk;
    chunk_free(&c);
    origin_unref(o);
    file_path_free(&p);
    buf_clear(&out);
    return copy;
}

static const struct {
    const char *path, *record, *is;
} rows[] = {
    {"/a/{.t}/{%Y/%m-%d}.log", "{\"t\":\"x\"}", "/a/x/2026/01-31.log"},
    {"/a/{.t}", "{\"t\":\"../../etc/x\"}", "/a/_._.._etc_x"},
    {"/a/{.t}", "{\"t\":\"..\"}", "/a/_."},
    {"/a/{.t}", "{\"t\":\".\"}", "/a/_"},
    {"/a/.{.t}", "{\"t\":\".\"}", "/a/__"},
    {"/a/.{.t}", "{\"t\":\"x\"}", "/a/.x"},
    {"/a/.{.t}/b", "{\"t\":\"./\"}", "/a/.._/b"},
    {"/a/{.t}", "{\"t\":\".ssh\"}", "/a/_ssh"},
    {"/a/{.t}", "{\"t\":\"/abs\"}", "/a/_abs"},
    {"/a/{.t}", "{\"t\":\"\"}", "/a/_"},
    {"/a/{.t}", "{}", "/a/_"},
    {"/a/{.t}", "{\"t\":null}", "/a/_"},
    {"/a/{.t}", "{\"t\":{\"x\":1}}", "/a/_"},
    {"/a/{.t}", "{\"t\":[1]}", "/a/_"},
    {"/a/{.t}-{.u[1]}", "{\"t\":true,\"u\":[1,2.50]}", "/a/true-2.50"},
    {"/a/{.t}", "{\"t\":\"a\\u0000b\\n\\u007f\\u009bc\"}", "/a/a_b____c"},
    {"/a/{.t}", "{\"t\":\"\\u00e9\"}", "/a/é"},
    {"/a/{.message}", "\xff\xfe" "a\xc3", "/a/__a_"},
    {"/a/{@host}/{@source}/{@pipeline}/{@path}", "x", "/a/host/tail/pipe/var_log_a.log"},
    {"/a//{.t}//b", "{\"t\":\"x\"}", "/a/x/b"},
    {"./{.t}", "{\"t\":\"x\"}", "./x"},
    {"/a{{b}}/{.t}{{}}", "{\"t\":\"{}\"}", "/a{b}/{}{}"},
    {"/a/{.\"odd }key\"}", "{\"odd }key\":\"x\"}", "/a/x"},
    {"/a/b{{", "x", "/a/b{"},
    {"/a/{%D}", "x", "/a/01_31_26"},
};

START_TEST(a_record_gives_this_path)
{
    char *is = render(rows[_i].path, rows[_i].record, 0);
    ck_assert_str_eq(is, rows[_i].is);
    free(is);
}
END_TEST

START_TEST(a_name_like_that_of_a_rotated_file_is_avoided)
{
    static const char *const names[][2] = {{"foo.1", "foo_1"}, {"foo.5", "foo_5"},   {"foo.6", "foo.6"}, {"foo.01", "foo.01"},
                                           {"foo.0", "foo.0"}, {"foo1", "foo1"},     {"1", "1"},         {"a.1.2", "a.1_2"},
                                           {"foo.1x", "foo.1x"}, {"f.99999999999", "f.99999999999"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[100], want[100];
        snprintf(line, sizeof line, "{\"t\":\"%s\"}", names[i][0]);
        snprintf(want, sizeof want, "/a/%s", names[i][1]);
        char *is = render("/a/{.t}", line, 5);
        ck_assert_str_eq(is, want);
        free(is);
        snprintf(want, sizeof want, "/a/%s/x", names[i][0]); /* only the last component is rotated */
        is = render("/a/{.t}/x", line, 5);
        ck_assert_str_eq(is, want);
        free(is);
    }
}
END_TEST

START_TEST(a_long_name_is_cut_and_stays_apart)
{
    char a[2000], b[2000];
    for (size_t len = 240; len < 900; len += 7) {
        snprintf(a, sizeof a, "{\"t\":\"%0*d\"}", (int)len, 1);
        snprintf(b, sizeof b, "{\"t\":\"%0*d\"}", (int)len, 2);
        char *x = render("/a/{.t}", a, 0), *y = render("/a/{.t}", b, 0);
        ck_assert_str_ne(x, y);
        ck_assert_uint_eq(strlen(x), 3 + (len < FILE_PATH_NAME ? len : FILE_PATH_NAME));
        free(x);
        free(y);
    }
    struct buf line = {0}; /* between characters */
    buf_str(&line, "{\"t\":\"x");
    for (int i = 0; i < 300; i++)
        buf_str(&line, "€");
    buf_str(&line, "\"}");
    char *x = render("/a/{.t}", buf_cstr(&line), 0);
    const unsigned char *at = (unsigned char *)x, *end = at + strlen(x);
    ck_assert_uint_le(strlen(x), 3 + FILE_PATH_NAME);
    for (size_t n; at < end; at += n)
        ck_assert_uint_gt(n = utf8_char(at, end, NULL), 0);
    free(x);
    buf_clear(&line);
}
END_TEST

/* Whatever the values are: below the prefix, as many components as the template has, each a plain name. */
START_TEST(a_path_stays_inside)
{
    static const char *const bits[] = {"..", ".", "/", "a", "\xff", "\xc3\xa9", "1", "-", "\x01", "long long long long long long "};
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        char line[4000] = "";
        for (uint64_t n = rig_random(&seed) % 40; n > 0; n--)
            strcat(line, bits[rig_random(&seed) % (sizeof bits / sizeof *bits)]);
        if (line[0] == '{')
            continue;
        char *is = render("/p/q/.{.message}/{.message}.{.message}/{.message}{%d}", line, 3);
        ck_assert_int_eq(strncmp(is, "/p/q/", 5), 0);
        int components = 0;
        for (char *save = NULL, *c = strtok_r(is + 5, "/", &save); c != NULL; c = strtok_r(NULL, "/", &save), components++) {
            ck_assert_str_ne(c, ".");
            ck_assert_str_ne(c, "..");
            ck_assert_uint_le(strlen(c), FILE_PATH_NAME);
            for (const char *x = c; *x != '\0'; x++)
                ck_assert((unsigned char)*x >= 0x20 && *x != 0x7F);
        }
        ck_assert_int_eq(components, 3);
        free(is);
    }
}
END_TEST

START_TEST(a_template_without_memory)
{
    for (unsigned long n = 1;; n++) {
        struct err e = {0};
        mem_fail_at(n);
        struct file_path *p = file_path_new("/a/b{{/{.x.y}-{@host}/{%Y/%m}.log", 5, &e);
        bool failed = mem_failed();
        mem_fail_at(0);
        ck_assert(p != NULL || (failed && e.code == ERR_NOMEM));
        file_path_free(&p);
        if (!failed)
            break;
    }
}
END_TEST

/* ---- places ------------------------------------------------------------------------------------ */

START_TEST(a_planted_link_is_not_followed)
{
    char path[300];
    mkdir(rig_path(&r, "in"), 0700);
    mkdir(rig_path(&r, "out"), 0700);
    ck_assert_int_eq(symlink(rig_path(&r, "out"), rig_path(&r, "in/dir")), 0);
    ck_assert_int_eq(symlink(rig_path(&r, "out/file"), rig_path(&r, "in/file")), 0);
    size_t below = strlen(rig_path(&r, "in")) + 1;
    snprintf(path, sizeof path, "%s", rig_path(&r, "in/dir/x/y"));
    struct file_place through = {path, below};
    ck_assert_int_eq(file_place_dir(&through, true), -1);
    ck_assert(errno == ENOTDIR || errno == ELOOP);
    char last[300];
    snprintf(last, sizeof last, "%s", rig_path(&r, "in/file"));
    struct file_place onto = {last, below};
    int dir = file_place_dir(&onto, true);
    ck_assert_int_ge(dir, 0);
    ck_assert_int_eq(file_place_open(&onto, dir, O_WRONLY, 0600), -1);
    ck_assert_int_eq(errno, ELOOP);
    close(dir);
    ck_assert_int_eq(access(rig_path(&r, "out/x"), F_OK), -1);
    ck_assert_int_eq(access(rig_path(&r, "out/file"), F_OK), -1);
    struct file_place literal = {last, 0}; /* what the configuration names itself is followed */
    dir = file_place_dir(&literal, true);
    int fd = file_place_open(&literal, dir, O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(access(rig_path(&r, "out/file"), F_OK), 0);
    close(fd);
    close(dir);
}
END_TEST

START_TEST(mode_is_exact_whatever_the_umask_is)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "%s", rig_path(&r, "a/b/c"));
    struct file_place place = {path, strlen(rig_path(&r, "a")) + 1};
    mode_t old = umask(077);
    int dir = file_place_dir(&place, true), fd = file_place_open(&place, dir, O_WRONLY, 0664);
    umask(old);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0664);
    close(fd);
    ck_assert_int_eq(chmod(path, 0604), 0);
    fd = file_place_open(&place, dir, O_WRONLY, 0664);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0604); /* it was there */
    close(fd);
    close(dir);
}
END_TEST

/* ---- rotation ---------------------------------------------------------------------------------- */

#define GENERATIONS 12

/* The files hold the number of their generation; read all into ${have}, newest first. How many there are. */
static int generations(int *have)
{
    int count = 0;
    for (int i = 0; i < GENERATIONS; i++) {
        char name[20], text[20] = "";
        snprintf(name, sizeof name, i == 0 ? "f" : "f.%d", i);
        FILE *f = fopen(rig_path(&r, name), "r");
        if (f == NULL)
            continue;
        ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
        have[count++] = atoi(text);
        fclose(f);
    }
    return count;
}

static void make(const char *name, int generation)
{
    char text[20];
    int n = snprintf(text, sizeof text, "%d", generation);
    rig_write(rig_path(&r, name), text, (size_t)n);
}

/* Rotate until it is over, or ${steps} are done. */
static bool rotate(int dir, unsigned keep, int steps, const struct rotate_calls *calls)
{
    struct rotation rotation = {.calls = calls, .dir = dir, .name = "f", .keep = keep};
    for (int i = 0; i < steps && rotation.state != ROTATE_OVER; i++)
        if (file_rotate_step(&rotation) != 0)
            return false;
    return rotation.state == ROTATE_OVER;
}

/* Cut off after ${_i} steps, again and again: of what was written the newest are there, in order. */
START_TEST(a_rotation_cut_off_anywhere_loses_nothing)
{
    int dir = open(r.dir, O_PATH | O_DIRECTORY), have[GENERATIONS];
    for (unsigned keep = 1; keep <= 4; keep++) {
        for (int g = 1; g <= 9; g++) {
            make("f", g);
            rotate(dir, keep, _i, NULL); /* killed here */
            int count = generations(have), least = g <= (int)keep ? g : (int)keep;
            ck_assert_msg(count >= least, "keep %u, generation %d: %d files", keep, g, count);
            for (int i = 0; i < count; i++)
                ck_assert_int_eq(have[i], g - i);
            ck_assert(rotate(dir, keep, 100, NULL));
            count = generations(have);
            ck_assert_int_eq(count, g <= (int)keep ? g : (int)keep);
            for (int i = 0; i < count; i++)
                ck_assert_int_eq(have[i], g - i);
        }
        for (int i = 1; i < GENERATIONS; i++) {
            char name[20];
            snprintf(name, sizeof name, "f.%d", i);
            unlink(rig_path(&r, name));
        }
    }
    close(dir);
}
END_TEST

static int fails, failing; /* the call that fails; calls so far */

static bool due(void)
{
    errno = EACCES;
    return ++failing == fails;
}

static int test_exists(int dir, const char *name)
{
    if (due())
        return -1;
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int test_rename(int dir, const char *from, const char *to)
{
    if (due())
        return -1;
    ck_assert_int_ne(faccessat(dir, to, F_OK, AT_SYMLINK_NOFOLLOW), 0); /* never over another one */
    return renameat(dir, from, dir, to);
}

static int test_remove(int dir, const char *name)
{
    return due() ? -1 : unlinkat(dir, name, 0);
}

START_TEST(a_failed_call_is_made_good_by_the_next_attempt)
{
    static const struct rotate_calls calls = {test_exists, test_rename, test_remove};
    int dir = open(r.dir, O_PATH | O_DIRECTORY), have[GENERATIONS];
    for (fails = 1;; fails++) {
        for (int i = 1; i <= 3; i++) {
            char name[20];
            snprintf(name, sizeof name, "f.%d", i);
            make(name, 10 - i);
        }
        make("f", 10);
        failing = 0;
        bool first = rotate(dir, 3, 100, &calls);
        int count = generations(have);
        ck_assert_int_ge(count, 3);
        for (int i = 0; i < count; i++)
            ck_assert_int_eq(have[i], 10 - i);
        if (first)
            break;
        ck_assert(rotate(dir, 3, 100, &calls));
        ck_assert_int_eq(generations(have), 3);
        ck_assert(have[0] == 10 && have[2] == 8);
    }
    ck_assert_int_gt(fails, 5);
    close(dir);
}
END_TEST

START_TEST(what_stands_in_the_way_is_not_removed)
{
    int dir = open(r.dir, O_PATH | O_DIRECTORY);
    make("f", 1);
    mkdir(rig_path(&r, "f.1"), 0700); /* not ours */
    ck_assert(!rotate(dir, 1, 100, NULL));
    ck_assert_int_eq(access(rig_path(&r, "f.1"), F_OK), 0);
    ck_assert_int_eq(access(rig_path(&r, "f"), F_OK), 0);
    close(dir);
}
END_TEST

/* ---- the set ----------------------------------------------------------------------------------- */

START_TEST(a_set_holds_so_many_and_lets_the_oldest_go)
{
    static const struct file_rotation none;
    const struct file_rules rules = {.scope = "p/file", .mode = 0600, .rotation = &none};
    struct file_set set = {0};
    ck_assert_int_eq(file_set_open(&set, 3), 0);
    struct file_out *a = file_set_get(&set, "a", 1, 1, 0, &rules), *b = file_set_get(&set, "b", 1, 1, 0, &rules);
    struct file_out *c = file_set_get(&set, "c", 1, 9, 0, &rules);
    ck_assert(a != b && b != c && set.count == 3);
    ck_assert_ptr_eq(file_set_get(&set, "ab", 1, 1, 0, &rules), a); /* by its length */
    file_set_get(&set, "d", 1, 1, 0, &rules); /* b goes */
    ck_assert_uint_eq(set.count, 3);
    ck_assert_ptr_eq(file_set_get(&set, "a", 1, 1, 0, &rules), a);
    ck_assert_ptr_eq(file_set_get(&set, "c", 1, 9, 0, &rules), c);
    a->touched = c->touched = 5;
    ck_assert(file_set_let_idle_go(&set, c, 5) > 0); /* d has not been written: it goes, a too, c is busy */
    ck_assert_uint_eq(set.count, 1);
    file_set_let_moved_go(&set, NULL);
    ck_assert_uint_eq(set.count, 0);
    file_set_close(&set);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file_paths");
    TCase *t = tcase_create("paths");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_wrong_template_is_told_with_its_column, 0, sizeof wrong / sizeof *wrong);
    tcase_add_loop_test(t, a_record_gives_this_path, 0, sizeof rows / sizeof *rows);
    tcase_add_test(t, a_name_like_that_of_a_rotated_file_is_avoided);
    tcase_add_test(t, a_long_name_is_cut_and_stays_apart);
    tcase_add_test(t, a_path_stays_inside);
    tcase_add_test(t, a_template_without_memory);
    tcase_add_test(t, a_planted_link_is_not_followed);
    tcase_add_test(t, mode_is_exact_whatever_the_umask_is);
    tcase_add_loop_test(t, a_rotation_cut_off_anywhere_loses_nothing, 0, 8);
    tcase_add_test(t, a_failed_call_is_made_good_by_the_next_attempt);
    tcase_add_test(t, what_stands_in_the_way_is_not_removed);
    tcase_add_test(t, a_set_holds_so_many_and_lets_the_oldest_go);
    suite_add_tcase(s, t);
    return rig_main(s);
}
