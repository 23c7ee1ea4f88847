/* The C library's string functions, and byte loops as programs write them. */
#include "bench.h"

#include <string.h>

#define SIZE 16384

static char text[SIZE], other[SIZE];

uint64_t work_strings(unsigned scale)
{
    uint32_t random = 17;
    uint64_t sum = 0;
    for (unsigned repeat = 0; repeat < scale * 10; repeat++) {
        unsigned at = 0;
        while (at < SIZE - 200) {
            unsigned length = bench_random(&random) % 180 + 2;
            for (unsigned i = 0; i < length; i += 2) text[at + i] = text[at + i + 1] = (char)('a' + (length + i) % 25);
            at += length;
            text[at++] = ' ';
        }
        text[at] = 0;
        if (strlen(text) != at) bench_fail("strlen");
        unsigned words = 0;
        for (const char *word = text; (word = strchr(word, ' ')) != NULL; word++) words++;
        for (const char *word = text; (word = memchr(word, ' ', (size_t)(text + at - word))) != NULL; word++) words++;
        strcpy(other, text);
        if (strcmp(text, other) != 0 || strncmp(text, other, at) != 0) bench_fail("strcmp");
        other[at - 1] = 'z';
        sum += (uint64_t)(strcmp(text, other) < 0);
        if (strrchr(text, ' ') != text + at - 1) bench_fail("strrchr");
        sum += (uint64_t)(strstr(text, "zz") != NULL) + strspn(text, "abcdefghijklmnopqrstuvwxy ") + strcspn(text, "z");
        unsigned hash = 5381;
        for (const char *c = text; *c; c++) hash = hash * 33 ^ (unsigned char)*c;
        sum = bench_mix(sum, (uint64_t)hash << 32 | words);
    }
    return sum;
}
