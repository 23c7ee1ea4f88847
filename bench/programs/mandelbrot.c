/* The Mandelbrot set in doubles: short dependent chains, a loop that ends unpredictably. */
#include "bench.h"

uint64_t work_mandelbrot(unsigned scale)
{
    uint64_t sum = 0;
    unsigned size = 64, limit = 100;
    for (unsigned repeat = 0; repeat < scale; repeat++) {
        unsigned inside = 0, steps = 0;
        for (unsigned row = 0; row < size; row++)
            for (unsigned column = 0; column < size; column++) {
                double cr = 2.5 * column / size - 1.9 + 0.001 * repeat, ci = 2.0 * row / size - 1.0;
                double zr = 0, zi = 0, rr = 0, ii = 0;
                unsigned i = 0;
                for (; i < limit && rr + ii <= 4; i++) {
                    zi = 2 * zr * zi + ci;
                    zr = rr - ii + cr;
                    rr = zr * zr;
                    ii = zi * zi;
                }
                steps += i;
                if (i == limit) inside++;
            }
        sum = bench_mix(sum, (uint64_t)steps << 32 | inside);
    }
    return sum;
}
