import type { Val } from '@sterna/wasm';
import type { Machine } from './machine.ts';
import { faultingMicro, type Micro } from './micro.ts';
import { directHost, withinPage } from './string-run.ts';

/** Bytes looked at together. */
const STEP = 16;
const LANES = { 8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' } as const;

/**
 * Goes through `bytes` bytes, a multiple of the step, from 0 on; `equal` gives bytes of ones where elements are equal at an
 * offset. temp[6] becomes the number of elements before the first that is (`whileEqual` 0) or is not (1) equal.
 */
function search(
  m: Machine,
  bytes: Val<'i32'>,
  size: Val<'i32'>,
  whileEqual: Val<'i32'>,
  equal: (at: Val<'i32'>) => Val<'v128'>,
): void {
  const at = m.local('i32');
  m.set(at, 0);
  const invert = m.let(m.select(whileEqual, m.i32(0xffff), 0));
  m.block((end) => {
    m.loop((again) => {
      m.brIf(end, m.geU(at, bytes));
      const stop = m.let(m.xor(m.simdTest('i8x16.bitmask', equal(at)), invert));
      m.if(stop, () => {
        m.set(at, m.add(at, m.ctz(stop)));
        m.br(end);
      });
      m.set(at, m.add(at, STEP));
      m.br(again);
    });
  });
  m.put('temp', m.extU(m.divU(at, size)), 6);
}

/** Bytes of `n` elements that are looked at together; at least one step, or the microcode returns. */
function wholeSteps(m: Machine, n: Val<'i64'>, size: Val<'i32'>): Val<'i32'> {
  const bytes = m.let(m.and(m.mul(m.wrap(n), size), -STEP));
  m.if(m.eqz(bytes), () => m.return(m.i32(0)));
  return bytes;
}

/**
 * Compares two ranges within a page each. Parameters: linear addresses, most elements, element size, 1 to go on while equal
 * (0: while different). temp[6] is the number of elements to go on over.
 */
export const compareRun: Micro = faultingMicro('compare_run', ['i64', 'i64', 'i64', 'i32', 'i32'], (m) => {
  const n = m.param('i64', 2);
  const size = m.param('i32', 3);
  const whileEqual = m.param('i32', 4);
  // elements that differ in some bytes only: bytes cannot tell
  m.if(m.and(m.eqz(whileEqual), m.ne(size, 1)), () => m.return(m.i32(0)));
  const wide = m.let(m.extU(size));
  withinPage(m, n, m.param('i64', 0), wide);
  withinPage(m, n, m.param('i64', 1), wide);
  const bytes = wholeSteps(m, n, size);
  const a = m.let(m.invoke(directHost, m.param('i64', 0), m.i32(0)));
  m.if(m.eqz(a), () => m.return(m.i32(0)));
  const b = m.let(m.invoke(directHost, m.param('i64', 1), m.i32(0)));
  m.if(m.eqz(b), () => m.return(m.i32(0)));
  search(m, bytes, size, whileEqual, (at) =>
    m.simd('i8x16.eq', m.load('v128', m.add(a, at)), m.load('v128', m.add(b, at))),
  );
});

function scanner(bits: 8 | 16 | 32 | 64): Micro {
  return faultingMicro(`scan_run${bits}`, ['i64', 'i64', 'i64', 'i32'], (m) => {
    const n = m.param('i64', 2);
    withinPage(m, n, m.param('i64', 0), m.i64(bits / 8));
    const bytes = wholeSteps(m, n, m.i32(bits / 8));
    const from = m.let(m.invoke(directHost, m.param('i64', 0), m.i32(0)));
    m.if(m.eqz(from), () => m.return(m.i32(0)));
    const value = m.param('i64', 1);
    const wanted = m.let(m.simd(`${LANES[bits]}.splat`, bits === 64 ? value : m.wrap(value)));
    search(m, bytes, m.i32(bits / 8), m.param('i32', 3), (at) =>
      m.simd(`${LANES[bits]}.eq`, m.load('v128', m.add(from, at)), wanted),
    );
  });
}
const SCANNERS = { 8: scanner(8), 16: scanner(16), 32: scanner(32), 64: scanner(64) } as const;

/**
 * Looks for a value within a page. Parameters: linear address, value, most elements, 1 to go on while equal (0: while
 * different). temp[6] is the number of elements to go on over.
 */
export function scanRun(bits: 8 | 16 | 32 | 64): Micro {
  return SCANNERS[bits];
}
