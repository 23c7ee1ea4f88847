/* Compression as gzip does it: LZ77 with hash chains, fixed Huffman codes (RFC 1951), CRC-32; then decompression. */
#include "bench.h"

#include <string.h>

#define SIZE 65536
#define WINDOW 32768
#define HASHES 8192

static uint8_t input[SIZE], output[SIZE * 2], again[SIZE];
static int32_t heads[HASHES], chains[SIZE];
static uint32_t crcs[256];
static uint8_t *out;
static uint32_t bits, bit_count;

static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                         193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

static void put(uint32_t value, unsigned count)
{
    bits |= value << bit_count;
    bit_count += count;
    while (bit_count >= 8) {
        *out++ = (uint8_t)bits;
        bits >>= 8;
        bit_count -= 8;
    }
}

/* Huffman codes go into the stream from their highest bit. */
static void put_code(uint32_t code, unsigned count)
{
    uint32_t reversed = 0;
    for (unsigned i = 0; i < count; i++) reversed |= (code >> i & 1) << (count - 1 - i);
    put(reversed, count);
}

static void put_symbol(unsigned symbol)
{
    if (symbol < 144)
        put_code(0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(symbol - 256, 7);
    else
        put_code(0xc0 + symbol - 280, 8);
}

static void put_match(unsigned length, unsigned distance)
{
    unsigned code = 28;
    while (length_base[code] > length) code--;
    put_symbol(257 + code);
    put(length - length_base[code], length_bits[code]);
    code = 29;
    while (distance_base[code] > distance) code--;
    put_code(code, 5);
    put(distance - distance_base[code], code < 2 ? 0 : code / 2 - 1);
}

static unsigned hash_at(const uint8_t *at) { return ((uint32_t)at[0] << 10 ^ (uint32_t)at[1] << 5 ^ at[2]) & (HASHES - 1); }

static size_t compress(size_t size)
{
    out = output;
    bits = bit_count = 0;
    put(3, 3);
    memset(heads, -1, sizeof heads);
    for (size_t at = 0; at < size;) {
        unsigned best = 0, distance = 0;
        size_t limit = size - at < 258 ? size - at : 258;
        if (limit >= 3) {
            int tries = 16;
            for (int32_t from = heads[hash_at(input + at)]; from >= 0 && tries-- > 0; from = chains[from]) {
                if (at - (size_t)from > WINDOW) break;
                unsigned same = 0;
                while (same < limit && input[(size_t)from + same] == input[at + same]) same++;
                if (same > best) {
                    best = same;
                    distance = (unsigned)(at - (size_t)from);
                }
            }
        }
        unsigned step = best >= 3 ? best : 1;
        if (best >= 3)
            put_match(best, distance);
        else
            put_symbol(input[at]);
        for (; step > 0; step--, at++)
            if (at + 3 <= size) {
                unsigned hash = hash_at(input + at);
                chains[at] = heads[hash];
                heads[hash] = (int32_t)at;
            }
    }
    put_symbol(256);
    put(0, 7);
    return (size_t)(out - output);
}

static const uint8_t *in;

static uint32_t take(unsigned count)
{
    while (bit_count < count) {
        bits |= (uint32_t)*in++ << bit_count;
        bit_count += 8;
    }
    uint32_t value = bits & ((1u << count) - 1);
    bits >>= count;
    bit_count -= count;
    return value;
}

static uint32_t take_code(unsigned count)
{
    uint32_t code = 0;
    while (count-- > 0) code = code << 1 | take(1);
    return code;
}

static unsigned take_symbol(void)
{
    uint32_t code = take_code(7);
    if (code < 0x18) return code + 256;
    code = code << 1 | take(1);
    if (code < 0xc0) return code - 0x30;
    if (code < 0xc8) return code - 0xc0 + 280;
    return (code << 1 | take(1)) - 0x190 + 144;
}

static size_t decompress(void)
{
    size_t at = 0;
    in = output;
    bits = bit_count = 0;
    take(3);
    for (unsigned symbol; (symbol = take_symbol()) != 256;) {
        if (symbol < 256) {
            again[at++] = (uint8_t)symbol;
            continue;
        }
        unsigned length = length_base[symbol - 257] + take(length_bits[symbol - 257]);
        unsigned code = take_code(5);
        unsigned distance = distance_base[code] + take(code < 2 ? 0 : code / 2 - 1);
        for (; length > 0; length--, at++) again[at] = again[at - distance];
    }
    return at;
}

static uint32_t crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    while (size-- > 0) crc = crcs[(crc ^ *data++) & 255] ^ crc >> 8;
    return ~crc;
}

uint64_t work_gzip(unsigned scale)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int j = 0; j < 8; j++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        crcs[i] = crc;
    }
    uint32_t random = 7;
    uint64_t sum = 0;
    for (unsigned repeat = 0; repeat < scale; repeat++) {
        /* Text of words from a small vocabulary, so that about half of it goes away. */
        for (size_t at = 0; at < SIZE;) {
            uint32_t word = bench_random(&random) % 997, length = word % 9 + 2;
            for (; length > 0 && at < SIZE; length--, word = word * 31 + 7) input[at++] = (uint8_t)('a' + word % 23);
            if (at < SIZE) input[at++] = ' ';
        }
        size_t size = compress(SIZE);
        uint32_t crc = crc32(input, SIZE);
        if (decompress() != SIZE || crc32(again, SIZE) != crc) bench_fail("decompressed data differ");
        sum = bench_mix(bench_mix(sum, crc32(output, size)), size);
    }
    return sum;
}
