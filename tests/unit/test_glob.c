/* Finding files: patterns, and what inotify tells about directories. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/file.h"
#include "source/glob.h"
#include "source/watch.h"

/* ---- glob -------------------------------------------------------------------------------------- */

static struct rig r;

static void setup(void)
{
    rig_open(&r, 1 << 20, 4096);
}

static void teardown(void)
{
    rig_close(&r);
}

struct seen {
    char found[100][200], depends[200][200], failed[20][200];
    unsigned found_count, depends_count, failed_count;
    int error;
};

static void note(char list[][200], unsigned *n, const char *path)
{
    size_t dir = strlen(r.dir);
    for (unsigned i = 0; i < *n; i++)
        if (strcmp(list[i], strncmp(path, r.dir, dir) == 0 ? path + dir : path) == 0)
            return;
    snprintf(list[(*n)++], 200, "%s", strncmp(path, r.dir, dir) == 0 ? path + dir : path);
}

static void on_found(void *arg, const char *path, const struct stat *st, bool link)
{
    struct seen *s = arg;
    (void)st;
    (void)link;
    note(s->found, &s->found_count, path);
}

static void on_depends(void *arg, const char *path)
{
    struct seen *s = arg;
    note(s->depends, &s->depends_count, path);
}

static void on_failed(void *arg, const char *path, int error)
{
    struct seen *s = arg;
    note(s->failed, &s->failed_count, path);
    s->error = error;
}

static struct seen s;

static void scan(const char *pattern)
{
    s = (struct seen){0};
    const struct glob_visitor v = {&s, on_found, on_depends, on_failed};
    glob_scan(rig_path(&r, pattern), &v);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *joined(char list[][200], unsigned n)
{
    static char out[8192];
    qsort(list, n, 200, by_name);
    out[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        strcat(out, i > 0 ? " " : "");
        strcat(out, list[i]);
    }
    return out;
}

static void touch(const char *name)
{
    ck_assert_int_eq(file_make_parents(rig_path(&r, name), 0700), 0);
    rig_write(rig_path(&r, name), "", 0);
}

static const char *const tree[] = {
    "a.log", "b.log", "c.txt", ".hidden.log", "x[1].log", "x1.log", "x2.log", "y-.log", "sub/a.log",
    "sub/deep/er/a.log", "sub/deep/b.log", ".dot/a.log", "sub/.dot/a.log", "s p a c e/a.log", "*.log",
};

static const struct {
    const char *pattern, *found;
} patterns[] = {
    {"a.log", "/a.log"},
    {"none.log", ""},
    {"none/*.log", ""},
    {"a.log/x", ""},
    {"a.log/*", ""},
    {"*.txt", "/c.txt"},
    {"?.log", "/*.log /a.log /b.log"},
    {"[ab].log", "/a.log /b.log"},
    {"[!ab].log", "/*.log"},
    {"x[12].log", "/x1.log /x2.log"},
    {"x\\[1\\].log", "/x[1].log"},
    {"\\*.log", "/*.log"},
    {"[.]hidden.log", ""}, /* a leading dot is matched by a dot only */
    {".*.log", "/.hidden.log"},
    {"y[-x].log", "/y-.log"},
    {"sub/*.log", "/sub/a.log"},
    {"sub//*.log", "/sub/a.log"},
    {"*/a.log", "/s p a c e/a.log /sub/a.log"},
    {".dot/*", "/.dot/a.log"},
    {"**/a.log", "/a.log /s p a c e/a.log /sub/a.log /sub/deep/er/a.log"},
    {"sub/**", "/sub/a.log /sub/deep /sub/deep/b.log /sub/deep/er /sub/deep/er/a.log"},
    {"sub/**/*.log", "/sub/a.log /sub/deep/b.log /sub/deep/er/a.log"},
    {"**/deep/**/a.log", "/sub/deep/er/a.log"},
    {"**/er/*", "/sub/deep/er/a.log"},
    {"sub/**x/a.log", ""},
    {"**/.dot/a.log", "/.dot/a.log /sub/.dot/a.log"},
};

START_TEST(finds)
{
    for (size_t i = 0; i < sizeof tree / sizeof tree[0]; i++)
        touch(tree[i]);
    scan(patterns[_i].pattern);
    ck_assert_str_eq(joined(s.found, s.found_count), patterns[_i].found);
    ck_assert_uint_eq(s.failed_count, 0);
    ck_assert_uint_gt(s.depends_count, 0);
    char *path = strdup(rig_path(&r, patterns[_i].pattern)), full[400];
    for (unsigned k = 0; k < s.found_count; k++) { /* the two functions agree */
        snprintf(full, sizeof full, "%s%s", r.dir, s.found[k]);
        ck_assert_msg(glob_matches(path, full), "%s %s", path, full);
    }
    free(path);
}
END_TEST

static const struct {
    const char *pattern, *path;
    bool matches;
} matches[] = {
    {"*.gz", "/var/log/a.gz", true},
    {"*.gz", "/var/log/a.log", false},
    {"a*", "/b/a", true},
    {"/var/*.gz", "/var/log/a.gz", false},
    {"/var/**/*.gz", "/var/log/a.gz", true},
    {"/var/**/*.gz", "/var/a.gz", true},
    {"/var/**", "/var/log/x/y", true},
    {"/var/log/*", "/var/log/x/y", false},
    {"/var/**/y", "/var/log/x/yy", false},
    {"**/y", "/var/log/x/y", true},
    {"*", "/var/.hidden", false},
    {".*", "/var/.hidden", true},
    {"/var//log/a", "/var/log/a", true},
    {"log", "log", true},
};

START_TEST(compares)
{
    ck_assert_msg(glob_matches(matches[_i].pattern, matches[_i].path) == matches[_i].matches, "%s %s",
                  matches[_i].pattern, matches[_i].path);
}
END_TEST

static bool depends_on(const char *name)
{
    for (unsigned i = 0; i < s.depends_count; i++)
        if (strcmp(s.depends[i], name) == 0)
            return true;
    return false;
}

START_TEST(says_which_directories_decide)
{
    touch("a/b/x.log");
    scan("a/b/*.log");
    ck_assert(depends_on("/a/b"));
    scan("a/none/deeper/*.log");
    ck_assert(depends_on("/a"));
    scan("**/*.log");
    ck_assert(depends_on("") && depends_on("/a") && depends_on("/a/b"));
    scan("a/b/y.log");
    ck_assert(depends_on("/a/b"));
    ck_assert_uint_eq(s.found_count, 0);
}
END_TEST

START_TEST(links_are_followed_but_not_in_circles)
{
    touch("real/one.log");
    ck_assert_int_eq(symlink("real", rig_path(&r, "dir-link")), 0);
    ck_assert_int_eq(symlink("..", rig_path(&r, "real/up")), 0); /* a loop */
    ck_assert_int_eq(symlink("self", rig_path(&r, "self")), 0);
    ck_assert_int_eq(symlink("real/one.log", rig_path(&r, "link.log")), 0);
    ck_assert_int_eq(symlink("nowhere", rig_path(&r, "dangling.log")), 0);
    scan("**/*.log");
    ck_assert_str_eq(joined(s.found, s.found_count), "/link.log /real/one.log");
    ck_assert_uint_eq(s.failed_count, 1);
    ck_assert_int_eq(s.error, ENOENT);
    scan("*/one.log");
    ck_assert_str_eq(joined(s.found, s.found_count), "/dir-link/one.log /real/one.log");
    scan("real/up/real/up/real/*.log");
    ck_assert_uint_eq(s.found_count, 1);
    scan("sel?");
    ck_assert_int_eq(s.error, ELOOP);
}
END_TEST

START_TEST(what_a_link_leads_through_decides_too)
{
    touch("pods/one/0.log");
    touch("v1/x.log");
    ck_assert_int_eq(mkdir(rig_path(&r, "containers"), 0700), 0);
    ck_assert_int_eq(symlink("v1", rig_path(&r, "current")), 0);
    char target[500];
    snprintf(target, sizeof target, "%s/pods/one/0.log", r.dir);
    ck_assert_int_eq(mkdir(rig_path(&r, "links"), 0700), 0);
    ck_assert_int_eq(symlink(target, rig_path(&r, "links/hop")), 0); /* absolute, then relative */
    ck_assert_int_eq(symlink("../links/hop", rig_path(&r, "containers/c.log")), 0);
    scan("containers/*.log");
    ck_assert_uint_eq(s.found_count, 1);
    ck_assert(depends_on("/containers") && depends_on("/pods/one"));
    ck_assert(depends_on("/containers/../links"));
    scan("containers/c.log");
    ck_assert(depends_on("/pods/one"));
    unlink(target); /* dangling now: it comes back in that directory */
    scan("containers/*.log");
    ck_assert(depends_on("/pods/one"));
    scan("current/*.log"); /* may be turned to another directory */
    ck_assert_uint_eq(s.found_count, 1);
    ck_assert(depends_on("/v1") || depends_on("/current"));
    ck_assert(depends_on(""));
}
END_TEST

START_TEST(a_failed_look_is_told)
{
    touch("closed/a.log");
    if (geteuid() == 0) { /* root sees everything: a name that is too long fails for everybody */
        char name[400];
        memset(name, 'a', 300);
        strcpy(name + 300, "/b");
        scan(name);
        ck_assert_uint_eq(s.failed_count, 1);
        ck_assert_int_eq(s.error, ENAMETOOLONG);
        return;
    }
    chmod(rig_path(&r, "closed"), 0);
    scan("closed/*.log");
    ck_assert_uint_eq(s.failed_count, 1);
    ck_assert_int_eq(s.error, EACCES);
    scan("closed/a.log");
    ck_assert_uint_eq(s.failed_count, 1);
}
END_TEST

/* ---- watch ------------------------------------------------------------------------------------- */

static char last_path[500], last_name[300];
static unsigned events;

static void on_event(void *arg, const char *path, const char *name, uint32_t mask, uint32_t cookie)
{
    (void)arg;
    (void)mask;
    (void)cookie;
    events++;
    snprintf(last_path, sizeof last_path, "%s", path != NULL ? path : "");
    snprintf(last_name, sizeof last_name, "%s", name != NULL ? name : "");
}

#define MASK (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_MODIFY)

START_TEST(watches_by_path)
{
    struct err e = {0};
    events = 0;
    touch("d/one");
    struct watch *w = watch_new(r.watcher, on_event, NULL, &e);
    ck_assert_ptr_nonnull(w);
    char *dir = strdup(rig_path(&r, "d"));
    ck_assert_int_eq(watch_add(w, dir, MASK), 0);
    size_t live = mem_live();
    ck_assert_int_eq(watch_add(w, dir, MASK), 0); /* again is the same as once */
    ck_assert_uint_eq(mem_live(), live);
    ck_assert_int_eq(watch_add(w, rig_path(&r, "none"), MASK), -1);
    ck_assert_int_eq(errno, ENOENT);
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        ck_assert_int_eq(watch_add(w, rig_path(&r, "d/one"), MASK), -1);
        mem_fail_at(0);
        ck_assert_int_eq(errno, ENOMEM);
    }
    rig_append(rig_path(&r, "d/one"), "x", 1);
    RIG_UNTIL(&r, events > 0, 3);
    ck_assert_str_eq(last_path, dir);
    ck_assert_str_eq(last_name, "one");

    /* The directory is moved away and another takes its place: each is told by the name that it has. */
    ck_assert_int_eq(rename(dir, rig_path(&r, "moved")), 0);
    rig_run(&r, 0.02);
    touch("d/two");
    ck_assert_int_eq(watch_add(w, dir, MASK), 0);
    ck_assert_int_eq(watch_add(w, rig_path(&r, "moved"), MASK), 0);
    rig_append(rig_path(&r, "moved/one"), "x", 1);
    rig_run(&r, 0.02);
    ck_assert_str_eq(last_path, rig_path(&r, "moved"));
    rig_append(rig_path(&r, "d/two"), "x", 1);
    rig_run(&r, 0.02);
    ck_assert_str_eq(last_path, dir);

    /* What is removed is forgotten, and may come again. */
    live = mem_live();
    unlink(rig_path(&r, "d/two"));
    ck_assert_int_eq(rmdir(dir), 0);
    rig_run(&r, 0.02);
    ck_assert_uint_lt(mem_live(), live);
    touch("d/three");
    ck_assert_int_eq(watch_add(w, dir, MASK), 0);
    events = 0;
    rig_append(rig_path(&r, "d/three"), "x", 1);
    RIG_UNTIL(&r, events > 0, 3);
    ck_assert_str_eq(last_name, "three");
    watch_free(&w);
    free(dir);
    mem_fail_at(1);
    ck_assert_ptr_null(watch_new(r.watcher, on_event, NULL, &e));
    mem_fail_at(0);
}
END_TEST

struct heard {
    unsigned events;
    char path[200];
};

static void on_heard(void *arg, const char *path, const char *name, uint32_t mask, uint32_t cookie)
{
    struct heard *h = arg;
    (void)name;
    (void)cookie;
    h->events++;
    snprintf(h->path, sizeof h->path, "%s", mask & IN_Q_OVERFLOW ? "overflow" : path);
}

static unsigned instances(void)
{
    unsigned n = 0;
    char link[64], target[64];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        n += len > 7 && memcmp(target + len - 7, "inotify", 7) == 0;
    }
    return n;
}

START_TEST(watches_share_an_instance)
{
    struct err e = {0};
    struct heard a = {0}, b = {0};
    unsigned before = instances();
    touch("d/one");
    char *dir = strdup(rig_path(&r, "d")), *same = strdup(rig_path(&r, "./d"));
    struct watch *x = watch_new(r.watcher, on_heard, &a, &e), *y = watch_new(r.watcher, on_heard, &b, &e);
    ck_assert_uint_eq(instances(), before + 1);
    ck_assert_int_eq(watch_add(x, dir, IN_MODIFY), 0);
    ck_assert_int_eq(watch_add(y, same, IN_CREATE | IN_DELETE_SELF), 0);
    rig_append(rig_path(&r, "d/one"), "x", 1);
    RIG_UNTIL(&r, a.events > 0, 3);
    ck_assert_str_eq(a.path, dir); /* each by the path that it gave, and of what it asked for */
    ck_assert_uint_eq(b.events, 0);
    a.events = 0;
    touch("d/two");
    RIG_UNTIL(&r, b.events > 0, 3);
    ck_assert_str_eq(b.path, same);
    ck_assert_uint_eq(a.events, 0);
    watch_free(&x); /* the other one goes on */
    b.events = 0;
    touch("d/three");
    RIG_UNTIL(&r, b.events > 0, 3);
    ck_assert_uint_eq(instances(), before + 1);
    watch_free(&y);
    ck_assert_uint_eq(instances(), before);
    struct watch *z = watch_new(r.watcher, on_heard, &a, &e); /* and begins anew */
    ck_assert_int_eq(watch_add(z, dir, IN_CREATE), 0);
    touch("d/four");
    RIG_UNTIL(&r, a.events > 0, 3);
    watch_free(&z);
    free(dir);
    free(same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("glob");
    TCase *t = tcase_create("glob");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, finds, 0, (int)(sizeof patterns / sizeof patterns[0]));
    tcase_add_loop_test(t, compares, 0, (int)(sizeof matches / sizeof matches[0]));
    tcase_add_test(t, says_which_directories_decide);
    tcase_add_test(t, links_are_followed_but_not_in_circles);
    tcase_add_test(t, what_a_link_leads_through_decides_too);
    tcase_add_test(t, a_failed_look_is_told);
    suite_add_tcase(suite, t);
    t = tcase_create("watch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, watches_by_path);
    tcase_add_test(t, watches_share_an_instance);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
