import { PAGE_UNTOUCHED, wasmHost } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PageEmitter } from '../../src/ram/emitter.ts';
import { ramKernel } from '../../src/ram/kernel.ts';
import type { MarkedBlock } from '../../src/ram/page-sender.ts';
import { XbzrleCache } from '../../src/ram/xbzrle-cache.ts';
import { xbzrleModule } from '../../src/ram/xbzrle-kernel.ts';

const PAGE = 4096;
const [CELLS, MAP, FLAGS, OUT, RAM, COPY] = [16, 0x1000, 0x2000, 0x1_0000, 0x10_0000, 0x20_0000];
const ENCODED = OUT + 11;
const memory = new wasmHost.Memory({ initial: 64, maximum: 64, shared: true });
const u8 = new Uint8Array(memory.buffer);
const kernel = ramKernel(memory, CELLS);
const PAGES = 12;
const block: MarkedBlock = { name: 'ram', hostOffset: RAM, map: MAP, flags: FLAGS, pages: PAGES };

/** What QEMU's encoder writes, byte by byte. */
function encode(old: Uint8Array, fresh: Uint8Array): number[] | 'overflow' {
  const out: number[] = [];
  const length = (value: number) => {
    if (value < 0x80) out.push(value);
    else out.push((value & 0x7f) | 0x80, value >>> 7);
  };
  for (let at = 0; at < PAGE; ) {
    if (out.length + 2 > PAGE) return 'overflow';
    const from = at;
    while (at < PAGE && old[at] === fresh[at]) at++;
    if (at === PAGE) return out;
    length(at - from);
    if (out.length + 2 > PAGE) return 'overflow';
    const changed = at;
    while (at < PAGE && old[at] !== fresh[at]) at++;
    length(at - changed);
    if (out.length + at - changed > PAGE) return 'overflow';
    out.push(...fresh.subarray(changed, at));
  }
  return out;
}

/** What the decoder makes of a page. */
function decode(page: Uint8Array, input: readonly number[]): Uint8Array | undefined {
  const out = page.slice();
  let [at, to] = [0, 0];
  const length = (): number | undefined => {
    if (input.length - at < 2) return undefined;
    const low = input[at++]!;
    if (low < 0x80) return low;
    const high = input[at++]!;
    return high >= 0x80 ? undefined : (low & 0x7f) | (high << 7);
  };
  while (at < input.length) {
    const began = at;
    const equal = length();
    if (equal === undefined || (equal === 0 && began > 0)) return undefined;
    to += equal;
    if (to > PAGE) return undefined;
    const changed = length();
    if (changed === undefined || changed === 0 || to + changed > PAGE || at + changed > input.length) return undefined;
    for (let i = 0; i < changed; i++) out[to++] = input[at++]!;
  }
  return out;
}

const bytes = fc.oneof(
  // Random, mostly zero, and alike all over.
  fc.uint8Array({ minLength: PAGE, maxLength: PAGE }),
  fc.array(fc.tuple(fc.nat(PAGE - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 50 }).map((set) => {
    const page = new Uint8Array(PAGE);
    for (const [at, value] of set) page[at] = value;
    return page;
  }),
  fc.integer({ min: 1, max: 255 }).map((value) => new Uint8Array(PAGE).fill(value)),
);
/** Changes of a page: runs of any length, and every nth byte. */
const change = fc.oneof(
  fc
    .array(fc.tuple(fc.nat(PAGE - 1), fc.integer({ min: 1, max: 700 })), { maxLength: 30 })
    .map((runs) => (page: Uint8Array) => {
      const fresh = page.slice();
      for (const [at, length] of runs)
        for (let i = at; i < Math.min(PAGE, at + length); i++) fresh[i] = fresh[i]! ^ (1 + (i % 200));
      return fresh;
    }),
  fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(PAGE)).map(([step, until]) => (page: Uint8Array) => {
    const fresh = page.slice();
    for (let i = 0; i < until; i += step) fresh[i] = fresh[i]! ^ 0x55;
    return fresh;
  }),
  bytes.map((page) => () => page),
);

/** Sends one page again with a cache that holds it as it was. */
function sendAgain(old: Uint8Array, fresh: Uint8Array): { cache: XbzrleCache; record: Uint8Array } {
  const cache = new XbzrleCache(xbzrleModule(), memory, PAGE);
  const send = (page: Uint8Array) => {
    u8.set(page, RAM);
    u8[MAP] = 1;
    u8[FLAGS] = 0;
    expect(cache.emit(OUT, OUT + 20_000, { ...block, pages: 1 }, 0, 1, 3, false)).toBe(1);
    expect(u8[MAP]).toBe(0);
    return u8.slice(OUT, cache.answer('out'));
  };
  send(old);
  return { cache, record: send(fresh) };
}

describe('a page that was sent before', () => {
  test("is encoded as QEMU's encoder does, and decoded to what it is now", () => {
    fc.assert(
      fc.property(bytes, change, (old, apply) => {
        const fresh = apply(old);
        const { cache, record } = sendAgain(old, fresh);
        const zero = (page: Uint8Array) => page.every((byte) => byte === 0);
        if (zero(fresh)) {
          expect([record[7], record.length]).toEqual([0x22, 9]);
          return;
        }
        const wanted = encode(old, fresh);
        expect(cache.answer('hits')).toBe(1);
        if (wanted === 'overflow') {
          expect([cache.answer('overflows'), cache.answer('bytes'), record[7]]).toEqual([1, PAGE, 0x28]);
          expect(Buffer.compare(record.subarray(8), fresh)).toBe(0);
          return;
        }
        if (wanted.length === 0) {
          expect([record.length, cache.answer('unchanged'), cache.answer('bytes')]).toEqual([0, 1, 0]);
          return;
        }
        const head = [0, 0, 0, 0, 0, 0, 0, 0x60, 1, wanted.length >>> 8, wanted.length & 0xff];
        expect(Buffer.compare(record, Uint8Array.from([...head, ...wanted]))).toBe(0);
        expect(cache.answer('bytes')).toBe(wanted.length + 3);
        u8.set(old, COPY);
        expect(kernel.decode(COPY, ENCODED, wanted.length)).toBe(0);
        expect(Buffer.compare(u8.subarray(COPY, COPY + PAGE), fresh)).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  test('whatever the encoded bytes are, the decoder keeps to the page', () => {
    const page = Uint8Array.from({ length: PAGE }, (_, i) => i * 7);
    const guard = new Uint8Array(64).fill(0xcc);
    const small = fc.oneof(fc.nat(255), fc.nat(6), fc.constantFrom(0x80, 0xff, 0x1f, 0x20));
    fc.assert(
      fc.property(fc.array(small, { maxLength: 60 }), (input) => {
        for (const at of [COPY - 64, COPY + PAGE]) u8.set(guard, at);
        u8.set(page, COPY);
        u8.set(input, OUT);
        const wanted = decode(page, input);
        expect(kernel.decode(COPY, OUT, input.length)).toBe(wanted === undefined ? -1 : 0);
        if (wanted !== undefined) expect(Buffer.compare(u8.subarray(COPY, COPY + PAGE), wanted)).toBe(0);
        for (const at of [COPY - 64, COPY + PAGE]) expect(Buffer.compare(u8.subarray(at, at + 64), guard)).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });

  test('is taken from the stream wherever it is cut', () => {
    const old = Uint8Array.from({ length: PAGE }, (_, i) => i);
    const fresh = old.map((byte, i) => (i % 100 < 3 ? byte ^ 1 : byte));
    const { record } = sendAgain(old, fresh);
    for (let cut = 0; cut < record.length; cut++) {
      u8[FLAGS] = PAGE_UNTOUCHED;
      u8.set(old, RAM);
      expect(kernel.absorb(OUT, OUT + cut, RAM, PAGE, FLAGS)).toBe(OUT);
      expect(u8[FLAGS]).toBe(PAGE_UNTOUCHED);
    }
    expect(kernel.absorb(OUT, OUT + record.length, RAM, PAGE, FLAGS)).toBe(OUT + record.length);
    expect([u8[FLAGS], Buffer.compare(u8.subarray(RAM, RAM + PAGE), fresh)]).toEqual([0, 0]);
  });
});

describe('the cache', () => {
  /** QEMU's cache, and the destination's memory. */
  class Model {
    readonly entries = new Map<number, { page: number; age: number }>();
    readonly #size: number;
    constructor(size: number) {
      this.#size = size;
    }
    hit(page: number, round: number): boolean {
      const entry = this.entries.get(page & (this.#size - 1));
      if (entry?.page !== page) return false;
      entry.age = round;
      return true;
    }
    insert(page: number, round: number): void {
      const entry = this.entries.get(page & (this.#size - 1));
      if (entry !== undefined && entry.page !== page && entry.age + 2 > round) return;
      this.entries.set(page & (this.#size - 1), { page, age: round });
    }
  }

  const write = fc.record({ page: fc.nat(PAGES - 1), at: fc.nat(PAGE - 1), value: fc.nat(255), clear: fc.boolean() });
  const round = fc.record({
    writes: fc.array(write, { maxLength: 30 }),
    // Writes to a page while it is being sent show up as a mark in the next round.
    size: fc.constantFrom(1, 2, 8, 16),
    last: fc.boolean(),
  });

  test('whatever is written, the destination has in the end what the source has', () => {
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 12 }), (rounds) => {
        u8.fill(0, MAP, OUT);
        u8.fill(0, RAM, COPY + PAGES * PAGE);
        const emitter = new PageEmitter({ memory, blocks: [block], xbzrle: xbzrleModule() }, kernel, cellsOf());
        let [model, size] = [new Model(0), 0];
        u8.fill(1, MAP, MAP + PAGES);
        for (const [i, { writes, size: entries, last }] of rounds.entries()) {
          for (const { page, at, value, clear } of writes) {
            if (clear) u8.fill(0, RAM + page * PAGE, RAM + (page + 1) * PAGE);
            else u8[RAM + page * PAGE + at] = value;
            u8[MAP + page] = 1;
          }
          const marked = [...u8.subarray(MAP, MAP + PAGES).entries()].flatMap(([page, mark]) => (mark ? [page] : []));
          if (entries !== size) [model, size] = [new Model(entries), entries];
          const wanted = { hits: 0, misses: 0 };
          for (const page of i === 0 ? [] : marked) {
            const number = RAM / PAGE + page;
            if (u8.subarray(RAM + page * PAGE, RAM + (page + 1) * PAGE).every((byte) => byte === 0))
              model.insert(number, i);
            else if (model.hit(number, i)) wanted.hits++;
            else {
              wanted.misses++;
              if (!last) model.insert(number, i);
            }
          }
          emitter.repeat({ cacheSize: entries * PAGE, round: i, last });
          const end = emitter.fill(OUT, RAM, Number.MAX_SAFE_INTEGER);
          const { xbzrle } = emitter.taken();
          expect({ hits: xbzrle!.hits, misses: xbzrle!.misses }).toEqual(wanted);
          absorbAll(end);
          expect(Buffer.compare(u8.subarray(RAM, RAM + PAGES * PAGE), u8.subarray(COPY, COPY + PAGES * PAGE))).toBe(0);
          // On the last round the cache is not kept up to date.
          if (last) return;
        }
      }),
      { numRuns: 150 },
    );
  });

  test('pages are whole until all of RAM was looked at once', () => {
    u8.fill(0, MAP, OUT);
    const emitter = new PageEmitter({ memory, blocks: [block], xbzrle: xbzrleModule() }, kernel, cellsOf());
    emitter.repeat({ cacheSize: 2 ** 20, round: 1, last: false });
    for (const page of [0, 5, 6]) [u8[RAM + page * PAGE], u8[MAP + page]] = [1, 1];
    emitter.fill(OUT, RAM, 1);
    emitter.fill(OUT, RAM, 2);
    expect(emitter.taken()).toEqual({
      zero: 0,
      normal: 3,
      xbzrle: { hits: 0, unchanged: 0, overflows: 0, misses: 0, bytes: 0 },
    });
  });
});

function cellsOf(): Uint32Array {
  return new Uint32Array(memory.buffer, CELLS, 4);
}

/** Applies records to the copy; the first may carry the block's name. */
function absorbAll(end: number): void {
  let at = OUT;
  if (at < end && (u8[at + 7]! & 0x20) === 0) {
    u8[at + 7] = u8[at + 7]! | 0x20;
    u8.copyWithin(at + 4, at, at + 8);
    at += 4;
  }
  const flags = FLAGS + 0x100;
  expect(kernel.absorb(at, end, COPY, PAGES * PAGE, flags)).toBe(end);
}
