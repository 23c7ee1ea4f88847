/* Processes: fork and wait, and fork, exec and wait. */
#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

uint64_t work_forkexec(unsigned scale)
{
    unsigned ended = 0;
    for (unsigned i = 0; i < scale * 2; i++) {
        pid_t child = fork();
        if (child < 0) bench_fail("fork");
        if (child == 0) {
            if (i & 1) execl(bench_self, bench_self, "noop", (char *)NULL);
            _exit(i & 1 ? 9 : 0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) bench_fail("a child did not end well");
        ended++;
    }
    return ended;
}
