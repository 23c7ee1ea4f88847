import { PAGE_CLEAN_MIGRATION, PAGE_CODE, PAGE_UNTOUCHED, wasmHost } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ramKernel } from '../../src/ram/kernel.ts';

const PAGE = 4096;
const [CELLS, MAP, FLAGS, OUT, BLOCK] = [16, 0x1000, 0x2000, 0x1_0000, 0x10_0000];
const PAGES = 50;
const memory = new wasmHost.Memory({ initial: 32, maximum: 32, shared: true });
const u8 = new Uint8Array(memory.buffer);
const cells = new Uint32Array(memory.buffer, CELLS, 4);
const kernel = ramKernel(memory, CELLS);

const pages = fc.array(
  fc.record({
    flags: fc.constantFrom(0, PAGE_CLEAN_MIGRATION, PAGE_CODE, PAGE_UNTOUCHED | PAGE_CLEAN_MIGRATION),
    marked: fc.boolean(),
    at: fc.option(fc.nat(PAGE - 1)),
  }),
  { minLength: 1, maxLength: PAGES },
);

/** Puts pages into the memory; page content is one byte somewhere, or nothing. */
function place(list: { flags: number; marked: boolean; at: number | null }[]): void {
  u8.fill(0, MAP);
  for (const [i, { flags, marked, at }] of list.entries()) {
    u8[FLAGS + i] = flags;
    u8[MAP + i] = marked ? 1 : 0;
    if (at !== null && (flags & PAGE_UNTOUCHED) === 0) u8[BLOCK + i * PAGE + at] = 0x80;
  }
}

test('a page is zero only if every byte is', () => {
  u8.fill(0, BLOCK, BLOCK + PAGE);
  expect(kernel.isZero(BLOCK)).toBe(1);
  for (const at of [0, 15, 16, 127, 128, 2000, 4095]) {
    u8[BLOCK + at] = 1;
    expect(kernel.isZero(BLOCK)).toBe(0);
    u8[BLOCK + at] = 0;
  }
});

test('harvest marks what is not clean, counts what is new, and makes all clean', () => {
  fc.assert(
    fc.property(pages, (list) => {
      place(list);
      const dirty = list.map(({ flags }) => (flags & PAGE_CLEAN_MIGRATION) === 0);
      const fresh = kernel.harvest(FLAGS, MAP, list.length);
      expect(fresh).toBe(list.filter(({ marked }, i) => dirty[i] && !marked).length);
      expect([...u8.subarray(MAP, MAP + PAGES)]).toEqual(
        Array.from({ length: PAGES }, (_, i) => (list[i] !== undefined && (list[i].marked || dirty[i]) ? 1 : 0)),
      );
      expect([...u8.subarray(FLAGS, FLAGS + list.length)]).toEqual(
        list.map(({ flags }) => flags | PAGE_CLEAN_MIGRATION),
      );
      expect(u8[FLAGS + list.length]).toBe(0);
    }),
  );
});

describe('records', () => {
  /** What the kernel must write. */
  function expected(list: { flags: number; marked: boolean; at: number | null }[]): Uint8Array {
    const parts = list.flatMap(({ marked }, i) => {
      if (!marked) return [];
      const content = u8.slice(BLOCK + i * PAGE, BLOCK + (i + 1) * PAGE);
      const zero = content.every((byte) => byte === 0);
      const head = Buffer.alloc(8);
      head.writeBigUInt64BE(BigInt(i * PAGE + 0x20 + (zero ? 2 : 8)));
      return [head, zero ? Uint8Array.of(0) : content];
    });
    return Buffer.concat(parts);
  }

  test('are written for marked pages, in any number of calls', () => {
    fc.assert(
      fc.property(pages, fc.integer({ min: 1, max: 40 }), (list, most) => {
        place(list);
        const want = expected(list);
        let [out, page, zeros, others] = [OUT, 0, 0, 0];
        while (page < list.length) {
          page = kernel.emit(out, OUT + 0x8_0000, MAP, FLAGS, BLOCK, page, list.length, most);
          out = cells[0]!;
          zeros += cells[1]!;
          others += cells[2]!;
        }
        expect(Buffer.compare(u8.slice(OUT, out), want)).toBe(0);
        expect(zeros * 9 + others * (8 + PAGE)).toBe(want.length);
        expect(u8.subarray(MAP, MAP + PAGES).some((mark) => mark !== 0)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('stop where the output ends', () => {
    place([
      { flags: 0, marked: true, at: 5 },
      { flags: 0, marked: true, at: 5 },
    ]);
    expect(kernel.emit(OUT, OUT + 8 + PAGE, MAP, FLAGS, BLOCK, 0, 2, 100)).toBe(1);
    expect(cells[0]).toBe(OUT + 8 + PAGE);
  });

  test('are read back to the same memory, from any number of pieces', () => {
    fc.assert(
      fc.property(pages, fc.integer({ min: PAGE + 8, max: 30_000 }), (list, piece) => {
        const all = list.map((page) => ({ ...page, flags: page.flags & ~PAGE_CODE, marked: true }));
        place(all);
        const content = u8.slice(BLOCK, BLOCK + list.length * PAGE);
        kernel.emit(OUT, OUT + 0x8_0000, MAP, FLAGS, BLOCK, 0, list.length, 1000);
        const end = cells[0]!;
        u8.fill(0xee, BLOCK, BLOCK + list.length * PAGE);
        u8.fill(0, FLAGS, FLAGS + list.length);
        for (let at = OUT; at < end; )
          at = kernel.absorb(at, Math.min(end, at + piece), BLOCK, list.length * PAGE, FLAGS);
        expect(Buffer.compare(u8.slice(BLOCK, BLOCK + list.length * PAGE), content)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('of zeros do not touch a page that was never written', () => {
    place([{ flags: PAGE_UNTOUCHED, marked: true, at: null }]);
    kernel.emit(OUT, OUT + 100_000, MAP, FLAGS, BLOCK, 0, 1, 1);
    expect(kernel.absorb(OUT, cells[0]!, BLOCK, PAGE, FLAGS)).toBe(OUT + 9);
    expect(u8[FLAGS]).toBe(PAGE_UNTOUCHED);
  });

  test.for([
    ['beyond the block', (view: DataView) => view.setUint32(4, PAGE + 0x28)],
    ['with a high address', (view: DataView) => view.setUint32(0, 1)],
    ['with a name', (view: DataView) => view.setUint32(4, 0x08)],
    ['of another kind', (view: DataView) => view.setUint32(4, 0x60)],
    ['that end the section', (view: DataView) => view.setUint32(4, 0x10)],
  ] as const)('%s are left to the caller', ([, change]) => {
    place([{ flags: 0, marked: true, at: 7 }]);
    kernel.emit(OUT, OUT + 100_000, MAP, FLAGS, BLOCK, 0, 1, 1);
    const end = cells[0]!;
    change(new DataView(memory.buffer, OUT));
    expect(kernel.absorb(OUT, end, BLOCK, PAGE, FLAGS)).toBe(OUT);
  });

  test('onto decoded code, incomplete ones and filled zero pages are left to the caller', () => {
    place([{ flags: 0, marked: true, at: 7 }]);
    kernel.emit(OUT, OUT + 100_000, MAP, FLAGS, BLOCK, 0, 1, 1);
    const end = cells[0]!;
    u8[FLAGS] = PAGE_CODE;
    expect(kernel.absorb(OUT, end, BLOCK, PAGE, FLAGS)).toBe(OUT);
    u8[FLAGS] = 0;
    expect(kernel.absorb(OUT, end - 1, BLOCK, PAGE, FLAGS)).toBe(OUT);
    u8.set([0, 0, 0, 0, 0, 0, 0, 0x22, 1], OUT);
    expect(kernel.absorb(OUT, OUT + 9, BLOCK, PAGE, FLAGS)).toBe(OUT);
  });
});
