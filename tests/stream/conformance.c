/*
 * conformance: the sixty behaviours, each played
 *  - as written, its traces compared;
 *  - with the steps of independent streams in an order shuffled by a seed, its traces compared: a
 * trace is what one stream lives through, and that does not depend on the others' turn. No
 * behaviour is left out;
 *  - with the first, second, … allocation failing, until one play needs no more of them;
 *  - with the stream freed in the first, second, … call of any hook, handler or completion, until
 * none is left. The last two play shorter versions where there are thousands of calls (struct
 * world, small); the checker of world.h holds in all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "behaviours.h"

#define SEEDS 20

static const struct behaviour *all[64];
static int count;

static void collect(const struct behaviour *b)
{
    for (; b->play != NULL; b++)
        all[count++] = b;
}

START_TEST(as_written)
{
    struct world *w = world_new();
    w->strict = true;
    all[_i]->play(w);
    world_end(w);
}
END_TEST

START_TEST(shuffled)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_new();
        w->strict = w->shuffled = true;
        loop_shuffle(w->loop, seed * UINT64_C(0x9E3779B97F4A7C15));
        all[_i]->play(w);
        world_end(w);
    }
}
END_TEST

START_TEST(without_memory)
{
    bool more = true;
    for (unsigned long nth = 1; more; nth++) {
        struct world *w = world_new();
        w->small = true;
        mem_fail_at(nth);
        all[_i]->play(w);
        more = mem_failed();
        mem_fail_at(0);
        world_end(w);
    }
}
END_TEST

START_TEST(freed_in_handlers)
{
    bool more = true;
    for (unsigned long nth = 1; more; nth++) {
        struct world *w = world_new();
        w->small = true;
        w->free_at = nth;
        all[_i]->play(w);
        more = w->calls >= nth;
        world_end(w);
    }
}
END_TEST

int main(void)
{
    collect(readable_behaviours);
    collect(destroy_behaviours);
    collect(writable_behaviours);
    collect(flow_behaviours);
    static char names[64][64]; /* Check keeps the pointers */
    Suite *s = suite_create("stream");
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%d %s", all[i]->number, all[i]->name);
        TCase *tc = tcase_create(names[i]);
        tcase_set_timeout(tc, 120);
        tcase_add_loop_test(tc, as_written, i, i + 1);
        tcase_add_loop_test(tc, shuffled, i, i + 1);
        tcase_add_loop_test(tc, without_memory, i, i + 1);
        tcase_add_loop_test(tc, freed_in_handlers, i, i + 1);
        suite_add_tcase(s, tc);
    }
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
