/*
 * The model test of tail: random scripts (tail_model.h), each in a process of its own. A script that fails is made as short as it can be
 * and still fail, and printed. Replay one with WEIR_TAIL_SCRIPT="O W3 c X W2 R"; other scripts with WEIR_TAIL_SEED=N, more with
 * WEIR_TAIL_SCRIPTS=N.
 */
#include "rig.h"

#include <stdio.h>
#include <sys/wait.h>

#include "tail_model.h"

#define OPS_MAX    40
#define SCRIPTS    400
#define JOBS       8   /* at once: mostly they wait */
#define SHRINK_MAX 400 /* runs */

struct script {
    char pattern;
    int count;
    struct {
        char op;
        int number; /* -1: none is written */
    } ops[OPS_MAX];
};

static void print(const struct script *s, char out[800])
{
    size_t at = (size_t)snprintf(out, 800, "%c", s->pattern);
    for (int i = 0; i < s->count; i++)
        at += (size_t)(s->ops[i].number < 0 ? snprintf(out + at, 800 - at, " %c", s->ops[i].op)
                                            : snprintf(out + at, 800 - at, " %c%d", s->ops[i].op, s->ops[i].number));
}

static void add_op(struct script *s, uint64_t *random, char op)
{
    s->ops[s->count].op = op;
    s->ops[s->count].number = -1;
    if (strchr("WLCYt", op) != NULL)
        s->ops[s->count].number = 1 + (int)(rig_random(random) % (rig_random(random) % 8 ? 4 : 40));
    s->count++;
}

static struct script generate(uint64_t *random)
{
    static const char often[] = "WWWWWWHRRLLMTCCDYEEtttccchhdfffkkkZXXSSSS", parts[] = "WcWcfkX";
    struct script s = {.pattern = rig_random(random) % 2 ? 'I' : 'O'};
    int most = 3 + (int)(rig_random(random) % (OPS_MAX - 3));
    while (s.count < most) {
        add_op(&s, random, often[rig_random(random) % (sizeof often - 1)]);
        if (s.ops[s.count - 1].op != 'h' || rig_random(random) % 4 == 0)
            continue;
        /* several chunks, of which some are delivered */
        for (size_t i = rig_random(random) % 3; parts[i] != '\0' && s.count < most; i++)
            add_op(&s, random, parts[i]);
    }
    return s;
}

/* A script that runs in a process of its own. */
struct run {
    struct script script;
    pid_t child;
    int from; /* what it says is wrong */
};

static void launch(struct run *r, const struct script *s)
{
    char text[800];
    int ends[2];
    r->script = *s;
    print(s, text);
    ck_assert_int_eq(pipe(ends), 0);
    r->child = fork();
    if (r->child == 0) {
        close(ends[0]);
        alarm(getenv("CK_TIMEOUT_MULTIPLIER") != NULL ? 120 : 30);
        const char *wrong = tail_model_run(text);
        bool told = wrong != NULL && write(ends[1], wrong, strlen(wrong)) > 0;
        _exit(told);
    }
    close(ends[1]);
    r->from = ends[0];
}

/* Wait for its end. True: it passed; else ${why} says what was wrong. */
static bool passed(struct run *r, char why[300])
{
    int status;
    ssize_t n = read(r->from, why, 299);
    why[n > 0 ? n : 0] = '\0';
    close(r->from);
    ck_assert_int_eq(waitpid(r->child, &status, 0), r->child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && n <= 0))
        snprintf(why, 300, "it ended with status %x", status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool passes(const struct script *s, char why[300])
{
    struct run r;
    launch(&r, s);
    return passed(&r, why);
}

/* Leave out what is not needed, and make numbers smaller, as long as it fails. */
static void shrink(struct script *s, char why[300])
{
    char other[300];
    int runs = 0;
    for (bool shorter = true; shorter && runs < SHRINK_MAX;) {
        shorter = false;
        for (int len = s->count / 2; len > 0; len /= 2)
            for (int i = 0; i + len <= s->count && runs < SHRINK_MAX;) {
                struct script t = *s;
                memmove(t.ops + i, t.ops + i + len, sizeof t.ops[0] * (size_t)(t.count - i - len));
                t.count -= len;
                if (runs++, passes(&t, other)) {
                    i++;
                    continue;
                }
                *s = t;
                strcpy(why, other);
                shorter = true;
            }
        for (int i = 0; i < s->count && runs < SHRINK_MAX; i++)
            while (s->ops[i].number > 1 && runs < SHRINK_MAX) {
                struct script t = *s;
                t.ops[i].number /= 2;
                if (runs++, passes(&t, other))
                    break;
                *s = t;
                strcpy(why, other);
            }
    }
}

static unsigned long number_of(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : fallback;
}

static void tell(struct script *s, char why[300])
{
    char first[800], shortest[800];
    print(s, first);
    shrink(s, why);
    print(s, shortest);
    ck_abort_msg("%s\nshortest: %s\nit was: %s", why, shortest, first);
}

START_TEST(random_scripts_lose_nothing)
{
    char why[300];
    if (getenv("WEIR_TAIL_SCRIPT") != NULL) {
        const char *wrong = tail_model_run(getenv("WEIR_TAIL_SCRIPT"));
        ck_assert_msg(wrong == NULL, "%s", wrong);
        return;
    }
    uint64_t random = number_of("WEIR_TAIL_SEED", 1);
    unsigned long most = number_of("WEIR_TAIL_SCRIPTS", SCRIPTS), begun = 0, done = 0;
    double until = loop_now() + 40; /* valgrind does not get through */
    struct run runs[JOBS];
    while (done < begun || (begun < most && (most != SCRIPTS || loop_now() < until))) {
        if (begun - done < JOBS && begun < most) {
            struct script s = generate(&random);
            launch(&runs[begun++ % JOBS], &s);
            continue;
        }
        struct run *r = &runs[done++ % JOBS];
        if (!passed(r, why))
            tell(&r->script, why);
    }
}
END_TEST

/* What random scripts have found, and what they must go on finding. */
START_TEST(scripts_that_failed_once)
{
    if (getenv("WEIR_TAIL_SCRIPT") != NULL)
        return;
    static const char *const scripts[] = {
        "O W3 c k X W2 R W1 S", /* rotated while it was down */
        "I W3 c R W2 X R W5 S",
        "O R L1 W1 c k X C1 S R", /* written anew while it was down, and renamed before it was opened */
        "O W4 W3 c L3 c W3 c k X S k t26 W2 k R W4 c Z D E W3 C1 E S H L4 Y2", /* renamed before it was opened, with the inode that another file had */
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const char *wrong = tail_model_run(scripts[i]);
        ck_assert_msg(wrong == NULL, "%s: %s", scripts[i], wrong);
    }
}
END_TEST

static void setup(void)
{
    if (getenv("WEIR_TAIL_SCRIPT") == NULL)
        rig_hush();
}

int main(void)
{
    Suite *suite = suite_create("tail model");
    TCase *t = tcase_create("scripts");
    tcase_set_timeout(t, 3600);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, scripts_that_failed_once);
    tcase_add_test(t, random_scripts_lose_nothing);
    suite_add_tcase(suite, t);
    return rig_main(suite);
}
