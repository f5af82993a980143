/*
 * pace: writes log lines to stdout at a steady rate, each with the time it was written.
 *
 *     pace LINES_A_SECOND SECONDS
 *
 * A line is written by one write(2) at its own time ({"t":NANOSECONDS of CLOCK_MONOTONIC, …}; about
 * 200 bytes). One that is late is written at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: pace LINES_A_SECOND SECONDS\n", stderr);
        return 2;
    }
    uint64_t rate = strtoull(argv[1], NULL, 10), lines = rate * strtoull(argv[2], NULL, 10);
    uint64_t start = now();
    for (uint64_t i = 0; i < lines; i++) {
        char text[512];
        uint64_t due = start + i * SECOND / rate;
        struct timespec at = {(time_t)(due / SECOND), (long)(due % SECOND)};
        if (due > now())
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        int n = snprintf(
            text, sizeof text,
            "{\"t\":%" PRIu64 ",\"level\":\"info\",\"logger\":\"http.server\",\"host\":\"web-01\","
            "\"msg\":\"GET /api/v1/items/%" PRIu64 " finished\",\"status\":200,\"bytes\":5120,"
            "\"duration_ms\":12.75,\"user\":{\"id\":42,\"tags\":[\"free\",\"b\"]},\"cached\":true}"
            "\n",
            now(), i);
        if (write(STDOUT_FILENO, text, (size_t)n) != n) {
            perror("pace");
            return 1;
        }
    }
    return 0;
}
