/* What every program of the suite has: one function that does `scale` units of work and returns a checksum. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t (*bench_work)(unsigned scale);

/* Programs that are made of processes start the suite's own file again. */
extern const char *bench_self;

/* Ends the program with a message: the host side takes it as a wrong result. */
void bench_fail(const char *what) __attribute__((noreturn));

/* xorshift32: the same numbers everywhere. */
static inline uint32_t bench_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Adds a value to a checksum. */
static inline uint64_t bench_mix(uint64_t sum, uint64_t value)
{
    sum ^= value + 0x9e3779b97f4a7c15u + (sum << 6) + (sum >> 2);
    return sum;
}

/* The bits of a double, so that a result that is off by one unit in the last place is seen. */
static inline uint64_t bench_bits(double value)
{
    union {
        double value;
        uint64_t bits;
    } both = {value};
    return both.bits;
}

#define BENCH_PROGRAMS(X) \
    X(intmix) \
    X(coremark) \
    X(sieve) \
    X(qsort) \
    X(sha256) \
    X(bytecode) \
    X(gzip) \
    X(nbody) \
    X(mandelbrot) \
    X(x87) \
    X(memory) \
    X(strings) \
    X(syscalls) \
    X(forkexec) \
    X(signals) \
    X(faults) \
    X(pipes)

#define BENCH_DECLARE(name) uint64_t work_##name(unsigned scale);
BENCH_PROGRAMS(BENCH_DECLARE)

#endif
