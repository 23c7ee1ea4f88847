/* Work of the kinds EEMBC chose for CoreMark, in code of our own: linked lists, small matrices, a scanner, a CRC. */
#include "bench.h"

#define NODES 256
#define ORDER 24

struct node {
    struct node *next;
    int16_t key;
    uint16_t value;
};

static struct node nodes[NODES];
static int16_t left[ORDER][ORDER], right[ORDER][ORDER];
static int32_t product[ORDER][ORDER];
static char text[2048];

static uint16_t crc16(uint16_t crc, uint32_t value, int bits)
{
    for (int i = 0; i < bits; i++) {
        unsigned carry = (crc ^ value) & 1;
        crc >>= 1;
        if (carry) crc ^= 0xa001;
        value >>= 1;
    }
    return crc;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_value(const struct node *a, const struct node *b) { return (int)a->value - (int)b->value; }

/* Merge sort, bottom up. */
static struct node *sort(struct node *list, int (*order)(const struct node *, const struct node *))
{
    for (unsigned width = 1;; width *= 2) {
        struct node *rest = list, **tail = &list;
        unsigned merges = 0;
        while (rest) {
            merges++;
            struct node *a = rest, *b = rest;
            unsigned na = 0, nb = width;
            while (na < width && b) {
                na++;
                b = b->next;
            }
            while (na > 0 || (nb > 0 && b)) {
                struct node *taken;
                if (na > 0 && (nb == 0 || !b || order(a, b) <= 0)) {
                    taken = a;
                    a = a->next;
                    na--;
                } else {
                    taken = b;
                    b = b->next;
                    nb--;
                }
                *tail = taken;
                tail = &taken->next;
            }
            rest = b;
        }
        *tail = NULL;
        if (merges <= 1) return list;
    }
}

static struct node *reverse(struct node *list)
{
    struct node *result = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = result;
        result = list;
        list = next;
    }
    return result;
}

static uint16_t lists(uint32_t *random)
{
    for (unsigned i = 0; i < NODES; i++) {
        uint32_t value = bench_random(random);
        nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : NULL, (int16_t)value, (uint16_t)(value >> 16)};
    }
    uint16_t crc = 0;
    struct node *list = sort(nodes, by_key);
    for (int wanted = 0; wanted < 24; wanted++) {
        struct node *found = list;
        while (found && (found->value & 31) != wanted) found = found->next;
        if (found) crc = crc16(crc, (uint16_t)found->key, 16);
        list = reverse(list);
    }
    list = sort(list, by_value);
    for (; list; list = list->next) crc = crc16(crc, (uint16_t)list->key, 16);
    return crc;
}

static uint16_t matrices(uint32_t *random)
{
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) {
            uint32_t value = bench_random(random);
            left[i][j] = (int16_t)(value & 0xff);
            right[i][j] = (int16_t)(value >> 8 & 0xff);
        }
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) {
            int32_t sum = 0;
            for (int k = 0; k < ORDER; k++) sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j++) {
            int32_t sum = 0;
            for (int k = 0; k < ORDER; k++) {
                int32_t value = product[i][k] * right[k][j];
                sum += (value >> 2 & 15) * (value >> 5 & 127);
            }
            left[i][j] = (int16_t)sum;
        }
    uint16_t crc = 0;
    for (int i = 0; i < ORDER; i++)
        for (int j = 0; j < ORDER; j += 3) crc = crc16(crc, (uint16_t)left[i][j], 16);
    return crc;
}

enum state { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, POWER, HEX, INVALID, STATES };

static enum state step(enum state state, char c)
{
    int digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        if (digit) return WHOLE;
        if (c == '+' || c == '-') return SIGN;
        if (c == '.') return POINT;
        return c == 'x' ? HEX : INVALID;
    case SIGN: return digit ? WHOLE : c == '.' ? POINT : INVALID;
    case WHOLE: return digit ? WHOLE : c == '.' ? POINT : c == 'e' ? EXPONENT : INVALID;
    case POINT:
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit || c == '-' ? POWER : INVALID;
    case POWER: return digit ? POWER : INVALID;
    case HEX: return digit || (c >= 'a' && c <= 'f') ? HEX : INVALID;
    default: return INVALID;
    }
}

static uint16_t scanner(uint32_t *random)
{
    static const char *const words[] = {"5012,", "-874,", "+122,", "35.54400,", ".1234500,", "-110.700,",
                                        "5.500e3,", "-.123e-2,", "T0.3e-1F,", "-T.T++Tq,", "x1f9c,", "1T3.4e4z,"};
    size_t length = 0;
    while (length < sizeof text - 16)
        for (const char *from = words[bench_random(random) % 12]; *from; from++) text[length++] = *from;
    text[length] = 0;
    uint32_t finals[STATES] = {0}, moves[STATES] = {0};
    enum state state = START;
    for (const char *at = text; *at; at++) {
        if (*at == ',') {
            finals[state]++;
            state = START;
            continue;
        }
        enum state next = step(state, *at);
        if (next != state) moves[next]++;
        state = next;
    }
    uint16_t crc = 0;
    for (int i = 0; i < STATES; i++) crc = crc16(crc16(crc, finals[i], 32), moves[i], 32);
    return crc;
}

uint64_t work_coremark(unsigned scale)
{
    uint32_t random = 0x3415;
    uint64_t sum = 0;
    for (unsigned i = 0; i < scale * 10; i++) {
        uint64_t crcs = lists(&random);
        crcs = crcs << 16 | matrices(&random);
        crcs = crcs << 16 | scanner(&random);
        sum = bench_mix(sum, crcs);
    }
    return sum;
}
