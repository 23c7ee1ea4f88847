/* Signals a process sends itself, with a handler. */
#include "bench.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void handler(int signal)
{
    caught += signal == SIGUSR1;
}

uint64_t work_signals(unsigned scale)
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGUSR1, &action, NULL) != 0) bench_fail("sigaction");
    caught = 0;
    pid_t self = getpid();
    for (unsigned i = 0; i < scale * 100; i++) kill(self, SIGUSR1);
    if ((unsigned)caught != scale * 100) bench_fail("signals were lost");
    return (uint64_t)caught;
}
