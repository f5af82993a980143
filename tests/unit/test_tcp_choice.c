/* Which address the tcp sink connects to, and when. */
#include <check.h>
#include <stdlib.h>

#include "sink/tcp_choice.h"

/* What happens to each attempt: f fails; l is connected and lost with nothing delivered; w works and is lost. And where the attempts go. */
static const struct {
    enum choice_balance balance;
    size_t count;
    const char *events, *at;
} rows[] = {
    {CHOICE_FAILOVER, 1, "ffff", "0000"},
    {CHOICE_FAILOVER, 3, "ffffff", "012012"},
    {CHOICE_FAILOVER, 3, "wwww", "0000"},       /* the first works: always back to it */
    {CHOICE_FAILOVER, 3, "fwfwffw", "0101012"}, /* the first is tried first again */
    {CHOICE_FAILOVER, 3, "llll", "0120"},       /* it takes a connection and hangs up: not for ever the same */
    {CHOICE_FAILOVER, 2, "wlwf", "0010"},
    {CHOICE_ROUND_ROBIN, 3, "wwwwwww", "0120120"},
    {CHOICE_ROUND_ROBIN, 3, "wffwlw", "012012"},
};

START_TEST(attempts_go_where_they_should)
{
    struct choice c;
    choice_init(&c, rows[_i].balance, rows[_i].count, 1);
    c.at = 0; /* round_robin begins anywhere */
    for (size_t i = 0; rows[_i].events[i] != '\0'; i++) {
        ck_assert_msg(c.at == (size_t)(rows[_i].at[i] - '0'), "attempt %zu went to %zu", i, c.at);
        if (rows[_i].events[i] != 'f')
            choice_connected(&c);
        if (rows[_i].events[i] == 'w')
            choice_worked(&c);
        choice_failed(&c, false);
    }
}
END_TEST

START_TEST(waits_come_after_a_round_and_grow)
{
    static const double most[] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 10, 10, 10, 10};
    for (size_t count = 1; count < 4; count++) {
        struct choice c;
        choice_init(&c, CHOICE_FAILOVER, count, 42);
        for (size_t round = 0; round < sizeof most / sizeof most[0]; round++) {
            ck_assert_uint_eq(c.turn, round); /* each round takes the next address of each name */
            for (size_t i = 1; i < count; i++)
                ck_assert(choice_failed(&c, false) == 0);
            double wait = choice_failed(&c, false);
            ck_assert_msg(wait >= most[round] * 0.5 && wait <= most[round], "round %zu: %g", round, wait);
        }
        for (size_t i = 1; i < count; i++)
            choice_failed(&c, true);
        ck_assert(choice_failed(&c, true) <= 0.2);
        choice_worked(&c); /* begins anew */
        for (size_t i = 1; i < count; i++)
            choice_failed(&c, false);
        ck_assert(choice_failed(&c, false) <= 0.1);
    }
}
END_TEST

START_TEST(round_robin_begins_anywhere)
{
    unsigned begun[4] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct choice c;
        choice_init(&c, CHOICE_ROUND_ROBIN, 4, seed * UINT64_C(0x9e3779b97f4a7c15));
        ck_assert_uint_lt(c.at, 4);
        begun[c.at]++;
    }
    for (int i = 0; i < 4; i++)
        ck_assert_uint_gt(begun[i], 60);
}
END_TEST

START_TEST(an_outage_is_told_once_for_each_reason)
{
    struct choice c;
    char why[] = "reason A";
    choice_init(&c, CHOICE_FAILOVER, 2, 1);
    ck_assert(!choice_connected(&c));
    ck_assert(choice_is_news(&c, "closed"));
    ck_assert(!choice_is_news(&c, "closed"));
    ck_assert(choice_is_news(&c, "refused"));
    choice_failed(&c, false);
    ck_assert(choice_is_news(&c, "refused")); /* of the other address */
    unsigned told = 3;
    for (int i = 0; i < 20; i++, why[7]++)
        told += choice_is_news(&c, why);
    ck_assert_uint_eq(told, CHOICE_SAID);
    ck_assert(choice_connected(&c));
    ck_assert(choice_is_news(&c, "closed")); /* another outage */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tcp_choice");
    TCase *t = tcase_create("tcp_choice");
    tcase_add_loop_test(t, attempts_go_where_they_should, 0, (int)(sizeof rows / sizeof rows[0]));
    tcase_add_test(t, waits_come_after_a_round_and_grow);
    tcase_add_test(t, round_robin_begins_anywhere);
    tcase_add_test(t, an_outage_is_told_once_for_each_reason);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
