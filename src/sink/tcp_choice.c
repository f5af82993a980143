#include "sink/tcp_choice.h"

#define BACKOFF_FIRST 0.1
#define BACKOFF_MOST  10.0
#define BACKOFF_HURRY 0.2 /* while shutting down */

const char *const choice_balances[] = {
    [CHOICE_FAILOVER] = "failover",
    [CHOICE_ROUND_ROBIN] = "round_robin",
    NULL,
};

static double jitter(struct choice *c)
{
    c->random = c->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return 0.5 + (double)(c->random >> 33) / (double)(UINT64_C(1) << 32);
}

void choice_init(struct choice *c, enum choice_balance balance, size_t count, uint64_t seed)
{
    *c = (struct choice){.balance = balance, .count = count, .random = seed};
    if (balance == CHOICE_ROUND_ROBIN)
        c->at = (size_t)((jitter(c) - 0.5) * 2 * (double)count);
}

static double wait_before_next(struct choice *c, bool hurry)
{
    size_t rounds = c->failures / c->count;
    if (c->failures % c->count != 0)
        return 0; /* there is another one to try */
    double wait = BACKOFF_FIRST * (double)(1u << (rounds < 11 ? rounds - 1 : 10));
    if (wait > BACKOFF_MOST)
        wait = BACKOFF_MOST;
    return (hurry ? BACKOFF_HURRY : wait) * jitter(c);
}

double choice_failed(struct choice *c, bool hurry)
{
    bool first_again = c->balance == CHOICE_FAILOVER && c->worked;
    c->at = first_again ? 0 : (c->at + 1) % c->count;
    if (!first_again && c->at == 0)
        c->turn++;
    c->worked = false;
    c->failures++;
    return wait_before_next(c, hurry);
}

bool choice_is_news(struct choice *c, const char *why)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ c->at; /* FNV-1a */
    for (; *why != '\0'; why++)
        hash = (hash ^ (unsigned char)*why) * UINT64_C(1099511628211);
    for (unsigned i = 0; i < c->said_count; i++)
        if (c->said[i] == hash)
            return false;
    if (c->said_count == CHOICE_SAID)
        return false;
    c->said[c->said_count++] = hash;
    return true;
}

bool choice_connected(struct choice *c)
{
    bool again = c->said_count > 0 || c->failures > 0;
    c->said_count = 0;
    return again;
}

void choice_worked(struct choice *c)
{
    c->failures = 0;
    c->worked = true;
}
