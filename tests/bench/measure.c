/*
 * measure: runs a command and says what it used.
 *
 *     measure RESULT COMMAND [ARGUMENT...]
 *
 * Writes {"status","seconds","cpu","user","system","rss"} to the file RESULT (rss: largest resident
 * size, bytes) and exits with the command's status. A small program of its own, because the peak
 * that the kernel reports for a child begins with the size of whoever forked it: under an
 * interpreter every figure would be at least the interpreter's. SIGTERM and SIGINT are passed on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;

static void pass_on(int signal)
{
    if (child > 0)
        kill(child, signal);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    int status;
    struct rusage used;
    if (argc < 3) {
        fputs("usage: measure RESULT COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    double start = now();
    child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    struct sigaction on = {.sa_handler = pass_on};
    sigaction(SIGTERM, &on, NULL);
    sigaction(SIGINT, &on, NULL);
    while (child > 0 && wait4(child, &status, 0, &used) < 0)
        if (errno != EINTR)
            return 127;
    double took = now() - start;
    FILE *out = fopen(argv[1], "w");
    if (child < 0 || out == NULL) {
        perror("measure");
        return 127;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    double user = seconds(used.ru_utime), system = seconds(used.ru_stime);
    fprintf(out,
            "{\"status\":%d,\"start\":%.6f,\"seconds\":%.6f,\"cpu\":%.6f,\"user\":%.6f,\"system\":%"
            ".6f,\"rss\":%ld}\n",
            code, start, took, user + system, user, system, used.ru_maxrss * 1024);
    return fclose(out) == 0 ? code : 127;
}
