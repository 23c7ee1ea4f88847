/* Two processes and two pipes: single bytes back and forth, then blocks. */
#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

static uint8_t block[4096];

static void transfer(ssize_t (*call)(int, void *, size_t), int file, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = call(file, data, size);
        if (done <= 0) bench_fail("a pipe broke");
        data += done;
        size -= (size_t)done;
    }
}

static ssize_t write_call(int file, void *data, size_t size) { return write(file, data, size); }

static void echo(int from, int to, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++) {
        transfer(read, from, block, size);
        for (size_t j = 0; j < size; j += 64) block[j]++;
        transfer(write_call, to, block, size);
    }
}

uint64_t work_pipes(unsigned scale)
{
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0) bench_fail("pipe");
    pid_t child = fork();
    if (child < 0) bench_fail("fork");
    unsigned singles = scale * 20, blocks = scale * 5;
    if (child == 0) {
        echo(there[0], back[1], singles, 1);
        echo(there[0], back[1], blocks, sizeof block);
        _exit(0);
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < singles + blocks; i++) {
        size_t size = i < singles ? 1 : sizeof block;
        block[0] = (uint8_t)i;
        transfer(write_call, there[1], block, size);
        transfer(read, back[0], block, size);
        if (block[0] != (uint8_t)(i + 1)) bench_fail("another byte came back");
        sum += block[0];
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) bench_fail("the other process failed");
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    return sum;
}
