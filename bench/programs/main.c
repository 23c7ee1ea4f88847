/*
 * All programs in one static file, which is also the guest's init.
 *
 *   suite NAME SCALE ROUNDS   runs one program and prints marks that the host puts its own clock to:
 *                             "BENCH NAME start", "BENCH NAME round N", "BENCH NAME end CHECKSUM"
 *   suite noop                ends at once (the program that `forkexec` starts)
 *   suite, as process 1       prints "BENCH ready" and runs what it is told: "FILE NAME SCALE ROUNDS", or "quit"
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

const char *bench_self;
static const char *current = "suite";

static const struct {
    const char *name;
    bench_work work;
} programs[] = {
#define BENCH_ROW(name) {#name, work_##name},
    BENCH_PROGRAMS(BENCH_ROW)
#undef BENCH_ROW
};

/* One write for a line: the host reads its clock when the line arrives. */
static void say(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(1, line, length);
        if (written <= 0) _exit(3);
        line += written;
        length -= (size_t)written;
    }
}

#define SAY(...) \
    do { \
        char line_[128]; \
        int length_ = snprintf(line_, sizeof line_, __VA_ARGS__); \
        say(line_, (size_t)length_); \
    } while (0)

void bench_fail(const char *what)
{
    SAY("BENCH %s failed: %s\n", current, what);
    _exit(2);
}

static int run_program(const char *name, unsigned scale, unsigned rounds)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(programs[i].name, name) != 0) continue;
        current = name;
        uint64_t sum = 0;
        SAY("BENCH %s start\n", name);
        for (unsigned round = 1; round <= rounds; round++) {
            sum = bench_mix(sum, programs[i].work(scale));
            if (round < rounds) SAY("BENCH %s round %u\n", name, round);
        }
        SAY("BENCH %s end %016llx\n", name, (unsigned long long)sum);
        return 0;
    }
    current = name;
    bench_fail("no such program");
}

static int read_line(char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size) {
        if (read(0, line + length, 1) != 1) return 0;
        if (line[length] == '\n' || line[length] == '\r') break;
        length++;
    }
    line[length] = 0;
    return 1;
}

static void serve(void)
{
    struct termios mode;
    if (tcgetattr(0, &mode) == 0) {
        cfmakeraw(&mode);
        mode.c_oflag |= OPOST | ONLCR;
        tcsetattr(0, TCSANOW, &mode);
    }
    SAY("BENCH ready\n");
    char line[128];
    while (read_line(line, sizeof line) && strcmp(line, "quit") != 0) {
        char *words[5] = {strtok(line, " "), strtok(NULL, " "), strtok(NULL, " "), strtok(NULL, " "), NULL};
        if (words[3] == NULL) continue;
        pid_t child = fork();
        if (child == 0) {
            execv(words[0], words);
            bench_fail("cannot be started");
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
            SAY("BENCH %s failed: status %d\n", words[1], status);
    }
    reboot(RB_AUTOBOOT);
}

int main(int count, char **arguments)
{
    bench_self = arguments[0];
    if (count == 2 && strcmp(arguments[1], "noop") == 0) return 0;
    if (getpid() == 1) serve();
    if (count != 4) {
        fprintf(stderr, "usage: %s NAME SCALE ROUNDS\n", arguments[0]);
        return 64;
    }
    return run_program(arguments[1], (unsigned)strtoul(arguments[2], NULL, 0), (unsigned)strtoul(arguments[3], NULL, 0));
}
