import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { X86Engine } from '../../src/engine.ts';
import { JIT_DEFAULTS } from '../../src/jit/jit-options.ts';
import { jumpHash } from '../../src/jit/jump-hash.ts';
import { prepareInterpreter } from '../../src/node/index.ts';
import { Rig } from '../rig.ts';
import { jitOf, restart, runAll } from './translated.ts';

const ENTRIES = 8;
const ROUNDS = 4000;
const TABLE = 0x7000;
const START = 0x1000;

beforeAll(() => prepareInterpreter());

function word(n: number): number[] {
  return [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24];
}

/** A loop that goes to one of eight pieces of code in each round: by one jump, or by one at the end of each piece. */
function program(bits: 32 | 64, threaded: boolean, transfer: 'jump' | 'call'): { code: number[]; table: number[] } {
  const code = [0xb9, ...word(ROUNDS)];
  const scale = bits === 64 ? 0xd5 : 0x95;
  // imul eax, eax, 1103515245; add eax, 12345; mov edx, eax; shr edx, 16; and edx, 7; jmp or call [rdx * 8 + table]
  const dispatch = [0x69, 0xc0, ...word(1103515245), 5, ...word(12345), 0x89, 0xc2, 0xc1, 0xea, 16, 0x83, 0xe2, 7];
  dispatch.push(0xff, (transfer === 'call' ? 0x10 : 0x20) | 4, scale, ...word(TABLE));
  const top = code.length;
  code.push(...dispatch);
  // dec ecx; jnz top; hlt
  if (transfer === 'call') code.push(0xff, 0xc9, 0x0f, 0x85, ...word(top - code.length - 8), 0xf4);
  const table: number[] = [];
  for (let i = 0; i < ENTRIES; i++) {
    table.push(START + code.length);
    // adc ebx, i; rol ebx, 3
    code.push(0x83, 0xd3, i, 0xc1, 0xc3, 3);
    if (transfer === 'call') code.push(0xc3);
    else {
      // dec ecx; jnz + 1; hlt
      code.push(0xff, 0xc9, 0x75, 1, 0xf4);
      if (threaded) code.push(...dispatch);
      else code.push(0xe9, ...word(top - code.length - 5));
    }
  }
  return { code, table };
}

function rigFor(bits: 32 | 64, threaded: boolean, transfer: 'jump' | 'call', threshold: number): Rig {
  const options = { ...JIT_DEFAULTS, threshold, counters: true };
  const rig = new Rig(1 << 20, {}, (memory) => new X86Engine(memory, options));
  rig.mode(bits);
  const { code, table } = program(bits, threaded, transfer);
  rig.bytes.set(code, rig.at(START));
  table.forEach((at, i) => {
    rig.bytes.set(word(at), rig.at(TABLE) + (i * bits) / 8);
  });
  restart(rig);
  return rig;
}

describe('computed jumps', () => {
  for (const bits of [64, 32] as const) {
    for (const [name, threaded, transfer] of [
      ['one jump to many places', false, 'jump'],
      ['many jumps to many places', true, 'jump'],
      ['a call of many functions', false, 'call'],
    ] as const) {
      it(`stay in the region: ${name}, ${bits} bits`, () => {
        const expected = runAll(rigFor(bits, threaded, transfer, 0));
        const rig = rigFor(bits, threaded, transfer, 200);
        expect(runAll(rig)).toBe(expected);
        const exits = Number(/^exits: address +(\d+)$/m.exec(jitOf(rig).describe())![1]);
        expect(exits).toBeLessThan(ROUNDS / 20);
        expect(jitOf(rig).statistics.regions).toBeGreaterThan(0);
      });
    }
  }
});

describe('jumpHash', () => {
  it('gives each number a slot of its own', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 2, maxLength: 64 }),
        (numbers) => {
          const { factor, shift, slots } = jumpHash(numbers);
          for (const n of numbers) expect(slots[Math.imul(n, factor) >>> shift]).toBe(n);
          expect(slots.filter((s) => s !== undefined).length).toBe(numbers.length);
          expect(slots.length).toBeLessThanOrEqual(numbers.length * 32);
        },
      ),
    );
  });
});
