/* Sieve of Eratosthenes over bytes: strided stores. */
#include "bench.h"

#include <string.h>

#define LIMIT 400000

static uint8_t composite[LIMIT];

uint64_t work_sieve(unsigned scale)
{
    uint64_t sum = 0;
    for (unsigned repeat = 0; repeat < scale; repeat++) {
        unsigned limit = LIMIT - repeat % 7, count = 0;
        memset(composite, 0, limit);
        for (unsigned i = 2; i * i < limit; i++)
            if (!composite[i])
                for (unsigned j = i * i; j < limit; j += i) composite[j] = 1;
        for (unsigned i = 2; i < limit; i++)
            if (!composite[i]) count++;
        if (count < 33850 || count > 33860) bench_fail("not the number of primes below 400,000");
        sum = bench_mix(sum, count);
    }
    return sum;
}
