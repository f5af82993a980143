#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"

#define BAR 30

void progress_start(struct progress *p)
{
    p->started = loop_now();
    p->shown = false;
}

/* "12.3 MiB" */
static void print_bytes(char *out, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    while (bytes >= 1024 && u < 4) {
        bytes /= 1024;
        u++;
    }
    snprintf(out, size, "%.*f %s", u > 0 ? 1 : 0, bytes, units[u]);
}

void progress_show(struct progress *p, uint64_t done, uint64_t expected, uint64_t records)
{
    char bar[BAR + 1], sofar[32], speed[32], all[32], eta[32] = "";
    double seconds = loop_now() - p->started;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    double part = expected > 0 ? (double)done / (double)expected : 0;
    if (part > 1)
        part = 1;
    memset(bar, ' ', BAR);
    memset(bar, '=', (size_t)(part * BAR));
    bar[BAR] = '\0';
    print_bytes(sofar, sizeof sofar, (double)done);
    print_bytes(speed, sizeof speed, rate);
    print_bytes(all, sizeof all, (double)expected);
    if (rate > 0 && expected > done) {
        uint64_t left = (uint64_t)((double)(expected - done) / rate + 0.5);
        snprintf(eta, sizeof eta, "  ETA %" PRIu64 ":%02" PRIu64, left / 60, left % 60);
    }
    if (expected > 0)
        fprintf(stderr, "\r\033[K[%s] %3.0f%%  %s of %s  %s/s  %" PRIu64 " records%s", bar, part * 100, sofar, all,
                speed, records, eta);
    else
        fprintf(stderr, "\r\033[K%s  %s/s  %" PRIu64 " records", sofar, speed, records);
    p->shown = true;
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputc('\n', stderr);
}
