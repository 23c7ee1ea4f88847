/* Page faults: map memory, touch every page, unmap it; also a private copy of a page after mprotect. */
#define _GNU_SOURCE
#include "bench.h"

#include <sys/mman.h>

#define PAGES 256

uint64_t work_faults(unsigned scale)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < scale; i++) {
        volatile uint8_t *area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) bench_fail("mmap");
        for (unsigned page = 0; page < PAGES; page++) {
            sum += area[page * 4096 + 17];
            area[page * 4096 + 17] = (uint8_t)(page + i);
        }
        if (mprotect((void *)area, PAGES * 2048, PROT_READ) != 0) bench_fail("mprotect");
        for (unsigned page = 0; page < PAGES; page += 3) sum += area[page * 4096 + 17];
        if (munmap((void *)area, PAGES * 4096) != 0) bench_fail("munmap");
    }
    return sum;
}
