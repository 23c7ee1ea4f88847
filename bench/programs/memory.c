/* The C library's memcpy, memmove, memset and memcmp in many sizes and alignments. */
#include "bench.h"

#include <string.h>

#define SIZE (256 * 1024)

static uint8_t from[SIZE + 64], to[SIZE + 64];

uint64_t work_memory(unsigned scale)
{
    static const unsigned sizes[] = {8, 24, 60, 130, 500, 1500, 4096, 16384, 65536, SIZE};
    uint32_t random = 3;
    uint64_t sum = 0;
    for (unsigned i = 0; i < SIZE; i++) from[i] = (uint8_t)bench_random(&random);
    for (unsigned repeat = 0; repeat < scale; repeat++)
        for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            unsigned size = sizes[s], times = SIZE / 4 / size + 1;
            if (times > 512) times = 512;
            for (unsigned i = 0; i < times; i++) {
                unsigned shift = (i * 7 + s) & 31;
                memset(to, (int)(i + repeat), size);
                memcpy(to + shift, from, size);
                memmove(to + 1, to, size);
                unsigned moved = size > shift ? size - shift : 0;
                if (memcmp(to + shift + 1, from, moved) != 0) bench_fail("a copy differs");
                sum += to[size / 2] + (uint32_t)to[0] * 3;
                __asm__ volatile("" ::: "memory");
            }
        }
    return sum;
}
