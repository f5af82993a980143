/*
 * receive: takes what a log shipper sends over TCP and compares every byte with what it should
 * send.
 *
 *     receive EXPECTED       compare with this file
 *     receive EXPECTED -     the same, from standard input: behind something that decrypts
 *     receive --latency      lines begin with {"t":NANOSECONDS of CLOCK_MONOTONIC: how old is each?
 *
 * Listens on a free port of 127.0.0.1 and prints it. Prints "complete SECONDS" (CLOCK_MONOTONIC)
 * when all expected bytes have come, and when the sender has hung up a line of JSON. Exit status 0
 * only if what came was exactly what was expected: comparing with mapped memory costs a tenth of
 * what a hash would, so the receiver is not what is measured.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10)
#define SAMPLES_MAX  ((size_t)4 << 20)

static char buffer[BUFFER_BYTES];

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static int accept_one(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        fail("receive: listen");
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    int peer = accept(fd, NULL, NULL);
    if (peer < 0)
        fail("receive: accept");
    close(fd);
    return peer;
}

static size_t get(int fd, char *to, size_t room)
{
    ssize_t n = read(fd, to, room);
    if (n < 0)
        perror("receive: read");
    return n > 0 ? (size_t)n : 0;
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static int compare(const char *path, bool from_stdin)
{
    struct stat st;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &st) != 0)
        fail(path);
    size_t size = (size_t)st.st_size, got = 0, n;
    const char *want =
        size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0) : "";
    if (want == MAP_FAILED)
        fail("receive: mmap");
    bool same = true;
    int fd = from_stdin ? STDIN_FILENO : accept_one();
    uint64_t first = 0;
    while ((n = get(fd, buffer, sizeof buffer)) > 0) {
        if (first == 0)
            first = now();
        if (same && (got + n > size || memcmp(buffer, want + got, n) != 0)) {
            same = false;
            fprintf(stderr, "receive: differs in the %zu bytes from offset %zu on\n", n, got);
        }
        bool before = got < size;
        got += n;
        if (before && got >= size) {
            printf("complete %.6f\n", (double)now() / 1e9);
            fflush(stdout);
        }
    }
    same = same && got == size;
    printf("{\"bytes\":%zu,\"expected\":%zu,\"first\":%.6f,\"same\":%s}\n", got, size,
           (double)first / 1e9, same ? "true" : "false");
    return same ? 0 : 1;
}

/* ---- latency -----------------------------------------------------------------------------------
 */

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Note the age of each line in the ${len} bytes of the buffer; returns where the line that is cut
 * off begins. */
static size_t take_lines(size_t len, uint64_t *ages, size_t *count)
{
    static const char head[] = "{\"t\":";
    const char *at = buffer, *end = buffer + len, *stop;
    uint64_t when = now();
    while (at < end && (stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if ((size_t)(stop - at) > sizeof head && memcmp(at, head, sizeof head - 1) == 0 &&
            *count < SAMPLES_MAX)
            ages[(*count)++] = when - strtoull(at + sizeof head - 1, NULL, 10);
        at = stop + 1;
    }
    return (size_t)(at - buffer);
}

static int latency(void)
{
    uint64_t *ages = malloc(SAMPLES_MAX * sizeof *ages);
    size_t count = 0, len = 0, n;
    if (ages == NULL)
        fail("receive: malloc");
    int fd = accept_one();
    while ((n = get(fd, buffer + len, sizeof buffer - len)) > 0) {
        len += n;
        size_t used = take_lines(len, ages, &count);
        memmove(buffer, buffer + used, len - used);
        len -= used;
    }
    if (count == 0)
        return 1;
    qsort(ages, count, sizeof *ages, ascending);
    printf("{\"lines\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", count,
           (double)ages[count / 2] / 1e6, (double)ages[count * 99 / 100] / 1e6,
           (double)ages[count - 1] / 1e6);
    return 0;
}

int main(int argc, char **argv)
{
    bool from_stdin = argc == 3 && strcmp(argv[2], "-") == 0;
    if (argc != 2 && !from_stdin) {
        fputs("usage: receive EXPECTED [-] | --latency\n", stderr);
        return 2;
    }
    return strcmp(argv[1], "--latency") == 0 ? latency() : compare(argv[1], from_stdin);
}
