/* System calls that do nearly nothing. */
#define _GNU_SOURCE
#include "bench.h"

#include <sys/syscall.h>
#include <unistd.h>

uint64_t work_syscalls(unsigned scale)
{
    long parent = getppid();
    for (unsigned i = 0; i < scale * 1000; i++)
        if (syscall(SYS_getppid) != parent) bench_fail("another parent");
    return scale;
}
