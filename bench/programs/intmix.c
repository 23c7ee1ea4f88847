/* Integer arithmetic of all kinds: shifts, multiplications, divisions, 64-bit sums, a table, unpredictable branches. */
#include "bench.h"

static uint32_t table[1024];

uint64_t work_intmix(unsigned scale)
{
    uint32_t random = 0x12345678;
    for (unsigned i = 0; i < 1024; i++) table[i] = bench_random(&random);
    uint32_t a = 1, b = 0x9e3779b9;
    uint64_t wide = 0;
    int64_t narrow = -1;
    for (unsigned i = 0; i < scale * 100000; i++) {
        a = a * 1664525u + 1013904223u;
        b = (b << 7 | b >> 25) ^ table[a >> 22];
        if (b & 0x100)
            wide += (uint64_t)a * b;
        else
            wide ^= wide << 5 | a;
        if ((i & 15) == 0) a ^= b / ((a & 0xffff) + 3) + b % ((a >> 16) + 7);
        narrow = narrow * 3 + (int16_t)b;
        table[i & 1023] += (uint32_t)(narrow >> 9);
        switch (b & 7) {
        case 0: a += 5; break;
        case 1: b -= a; break;
        case 2: wide = wide >> 3 | wide << 61; break;
        case 3: a = ~a; break;
        case 4: b ^= (uint32_t)wide; break;
        default: break;
        }
    }
    return bench_mix(bench_mix(wide, (uint64_t)narrow), (uint64_t)a << 32 | b);
}
