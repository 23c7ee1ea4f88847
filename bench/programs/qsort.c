/* The C library's qsort with a comparison function, and a quicksort of our own. */
#include "bench.h"

#include <stdlib.h>

#define COUNT 20000

static uint32_t numbers[COUNT];

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void quick(uint32_t *from, uint32_t *to)
{
    while (to - from > 12) {
        uint32_t pivot = from[(to - from) / 2], *low = from, *high = to - 1;
        while (low <= high) {
            while (*low < pivot) low++;
            while (*high > pivot) high--;
            if (low > high) break;
            uint32_t other = *low;
            *low++ = *high;
            *high-- = other;
        }
        if (high + 1 - from < to - low) {
            quick(from, high + 1);
            from = low;
        } else {
            quick(low, to);
            to = high + 1;
        }
    }
    for (uint32_t *at = from + 1; at < to; at++) {
        uint32_t value = *at, *hole = at;
        for (; hole > from && hole[-1] > value; hole--) *hole = hole[-1];
        *hole = value;
    }
}

uint64_t work_qsort(unsigned scale)
{
    uint32_t random = 99;
    uint64_t sum = 0;
    for (unsigned repeat = 0; repeat < scale * 2; repeat++) {
        for (unsigned i = 0; i < COUNT; i++) numbers[i] = bench_random(&random);
        if (repeat & 1)
            quick(numbers, numbers + COUNT);
        else
            qsort(numbers, COUNT, sizeof numbers[0], compare);
        for (unsigned i = 1; i < COUNT; i++)
            if (numbers[i - 1] > numbers[i]) bench_fail("not sorted");
        sum = bench_mix(sum, numbers[COUNT / 2]);
    }
    return sum;
}
