/* A stack machine that runs a small program: indirect branches, loads of operands, pushes and pops. */
#include "bench.h"

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, SHR, LESS, JUMP, JUMP_IF, CALL, RETURN, DUP, PEEK, POKE, HALT };

/* Counts and sums the lengths of Collatz sequences; counters are variables 0 to 3, CALL 40 steps one number. */
static const int32_t code[] = {
    /*  0 */ PUSH, 1, STORE, 0,                  /* n = 1 */
    /*  4 */ LOAD, 0, STORE, 1,                  /* v = n */
    /*  8 */ LOAD, 1, PUSH, 2, LESS, JUMP_IF, 23, /* while (!(v < 2)) */
    /* 15 */ CALL, 40, LOAD, 2, PUSH, 1, JUMP, 56, /*   v = step(v), count++ */
    /* 23 */ LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, /* n++ */
    /* 31 */ PUSH, 1500, LESS, JUMP_IF, 4, HALT, 0, 0, 0,
    /* 40 */ LOAD, 1, DUP, PUSH, 1, XOR, SUB, PUSH, 0, LESS, JUMP_IF, 61, /* step: odd when v - (v ^ 1) > 0 */
    /* 52 */ PUSH, 0, JUMP, 70,
    /* 56 */ ADD, STORE, 2, JUMP, 8,
    /* 61 */ LOAD, 1, PUSH, 1, SHR, STORE, 1, RETURN, 0, /* even: v >>= 1 */
    /* 70 */ POKE, LOAD, 1, PUSH, 3, MUL, PUSH, 1, ADD, STORE, 1, PEEK, STORE, 3, RETURN, /* odd: v = 3v + 1 */
};

static uint32_t interpret(const int32_t *program, uint64_t *steps)
{
    int32_t stack[64], variables[8] = {0}, cell = 0, *top = stack;
    const int32_t *at = program, *returns[16];
    unsigned depth = 0;
    for (;;) {
        ++*steps;
        switch (*at++) {
        case PUSH: *top++ = *at++; break;
        case LOAD: *top++ = variables[*at++]; break;
        case STORE: variables[*at++] = *--top; break;
        case ADD: top--, top[-1] += *top; break;
        case SUB: top--, top[-1] -= *top; break;
        case MUL: top--, top[-1] *= *top; break;
        case XOR: top--, top[-1] ^= *top; break;
        case SHR: top--, top[-1] = (int32_t)((uint32_t)top[-1] >> *top); break;
        case LESS: top--, top[-1] = top[-1] < *top; break;
        case JUMP: at = program + *at; break;
        case JUMP_IF: at = *--top ? program + *at : at + 1; break;
        case CALL: returns[depth++] = at + 1, at = program + *at; break;
        case RETURN: at = returns[--depth]; break;
        case DUP: *top = top[-1], top++; break;
        case PEEK: *top++ = cell; break;
        case POKE: cell += *--top + 1; break;
        default: return (uint32_t)variables[2] ^ (uint32_t)cell << 16;
        }
    }
}

uint64_t work_bytecode(unsigned scale)
{
    uint64_t sum = 0, steps = 0;
    for (unsigned i = 0; i < scale; i++) sum = bench_mix(sum, interpret(code, &steps));
    return bench_mix(sum, steps);
}
