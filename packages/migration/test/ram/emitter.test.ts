import { PAGE_UNTOUCHED, wasmHost } from '@sterna/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PageEmitter } from '../../src/ram/emitter.ts';
import { ramKernel } from '../../src/ram/kernel.ts';
import { MAX_RECORD, type MarkedBlock } from '../../src/ram/page-sender.ts';

const PAGE = 4096;
const [CELLS, MAP, FLAGS, OUT, RAM] = [16, 0x1000, 0x2000, 0x1_0000, 0x10_0000];
const memory = new wasmHost.Memory({ initial: 64, maximum: 64, shared: true });
const u8 = new Uint8Array(memory.buffer);
const cells = new Uint32Array(memory.buffer, CELLS, 4);
const kernel = ramKernel(memory, CELLS);
const sizes = [20, 1, 7];
const blocks: readonly MarkedBlock[] = sizes.map((pages, i) => ({
  name: `block.${'x'.repeat(i)}`,
  hostOffset: RAM + i * 32 * PAGE,
  map: MAP + i * 32,
  flags: FLAGS + i * 32,
  pages,
}));

/** Reads records back: block, page and whether it was sent whole. */
function records(from: number, to: number, named: string[]): string[] {
  const view = new DataView(memory.buffer);
  const found: string[] = [];
  let block = named.at(-1);
  for (let at = from; at < to; ) {
    const word = view.getUint32(at + 4);
    at += 8;
    if ((word & 0x20) === 0) {
      const length = u8[at]!;
      block = Buffer.from(u8.slice(at + 1, at + 1 + length)).toString();
      named.push(block);
      at += 1 + length;
    }
    const whole = (word & 8) !== 0;
    found.push(`${block} ${word >>> 12} ${whole ? u8[at] : 'zero'}`);
    at += whole ? PAGE : 1;
  }
  return found;
}

test('every marked page is placed once, in as many pieces as it takes, with the name where the block changes', () => {
  const page = fc.record({ marked: fc.boolean(), value: fc.constantFrom(0, 0, 1, 200), untouched: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(page, { minLength: 28, maxLength: 28 }),
      fc.integer({ min: MAX_RECORD, max: 40_000 }),
      fc.integer({ min: 1, max: 9 }),
      (pages, room, most) => {
        u8.fill(0, MAP, OUT);
        const wanted: string[] = [];
        let index = 0;
        for (const { name, hostOffset, map, flags, pages: count } of blocks)
          for (let i = 0; i < count; i++) {
            const { marked, value, untouched } = pages[index++]!;
            const zero = untouched || value === 0;
            u8[map + i] = marked ? 1 : 0;
            u8[flags + i] = untouched ? PAGE_UNTOUCHED : 0;
            // A page that was never written is not read: what is in it must not matter.
            u8[hostOffset + i * PAGE] = value;
            if (marked) wanted.push(`${name} ${i} ${zero ? 'zero' : value}`);
          }
        const emitter = new PageEmitter({ memory, blocks }, kernel, cells);
        const got: string[] = [];
        const named: string[] = [];
        for (;;) {
          const end = emitter.fill(OUT, OUT + room, most);
          if (end === OUT) break;
          const piece = records(OUT, end, named);
          expect(piece.length).toBeLessThanOrEqual(most);
          got.push(...piece);
        }
        expect(got).toEqual(wanted);
        const { zero, normal } = emitter.taken();
        expect([zero + normal, emitter.pages]).toEqual([wanted.length, 0]);
        expect(named).toEqual([...new Set(named)]);
      },
    ),
    { numRuns: 100 },
  );
});

test('marks that come behind the search are found in the next round', () => {
  u8.fill(0, MAP, OUT);
  const emitter = new PageEmitter({ memory, blocks }, kernel, cells);
  const [first] = blocks;
  u8[first!.map + 9] = 1;
  expect(records(OUT, emitter.fill(OUT, OUT + 20_000, 1), [])).toHaveLength(1);
  u8[first!.map + 2] = 1;
  expect(emitter.fill(OUT, OUT + 20_000, 10)).toBeGreaterThan(OUT);
  expect(emitter.fill(OUT, OUT + 20_000, 10)).toBe(OUT);
  expect(u8.subarray(MAP, FLAGS).some((mark) => mark !== 0)).toBe(false);
});
