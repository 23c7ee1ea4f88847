/* 80-bit arithmetic: a linear system, an integral and square roots in long double. Every bit of the results counts. */
#include "bench.h"

#include <math.h>
#include <string.h>

#define ORDER 12

static uint64_t bits_of(long double value)
{
    uint8_t bytes[16] = {0};
    memcpy(bytes, &value, 10);
    uint64_t low, high = bytes[8] | (uint64_t)bytes[9] << 8;
    memcpy(&low, bytes, 8);
    return bench_mix(low, high);
}

static long double solve(uint32_t *random)
{
    long double a[ORDER][ORDER + 1];
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j <= ORDER; j++)
            a[i][j] = (long double)(int32_t)bench_random(random) / 65536 + (i == j ? 300000 : 0);
    for (int i = 0; i < ORDER; i++)
        for (int j = i + 1; j < ORDER; j++) {
            long double factor = a[j][i] / a[i][i];
            for (int k = i; k <= ORDER; k++) a[j][k] -= factor * a[i][k];
        }
    long double sum = 0;
    for (int i = ORDER - 1; i >= 0; i--) {
        for (int j = i + 1; j < ORDER; j++) a[i][ORDER] -= a[i][j] * a[j][ORDER];
        a[i][ORDER] /= a[i][i];
        sum += a[i][ORDER];
    }
    return sum;
}

static long double integral(int steps)
{
    long double sum = 0, h = 1.0L / steps;
    for (int i = 0; i < steps; i++) {
        long double x = (i + 0.5L) * h;
        sum += 4 / (1 + x * x);
    }
    return sum * h;
}

uint64_t work_x87(unsigned scale)
{
    uint32_t random = 31;
    uint64_t sum = 0;
    for (unsigned i = 0; i < scale * 10; i++) {
        long double pi = integral(200);
        if (pi < 3.1415L || pi > 3.1416L) bench_fail("the integral is not pi");
        long double root = 0;
        for (int j = 1; j <= 100; j++) root += sqrtl(j + (long double)i);
        sum = bench_mix(sum, bits_of(solve(&random)) ^ bits_of(pi) ^ bits_of(root));
    }
    return sum;
}
