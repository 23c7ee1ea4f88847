import { type Val, v128 } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkMmx, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, widenMmx, writeMmx } from './mmx-state.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;
type Packed = (m: Machine, a: V, b: V) => V;

const feature = 'ssse3';
const hex = (n: number): string => n.toString(16).padStart(2, '0');
const bytes = (x: number): V => v128(Array<number>(16).fill(x));
const INDICES = v128(Array.from({ length: 16 }, (_, i) => i));
/** Low halves of two vectors side by side. */
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** Defines the XMM and the MMX form; `low` is what the MMX form does with its operands in both halves of a vector. */
function both(opcode: number, name: string, fn: Packed, low: Packed = fn): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    m.writeVector(dst!, fn(m, m.readVector(dst!), b));
  });
  enc(`66 0f 38 ${hex(opcode)} /r`, name, 'Vdq,Wdq', { feature });
  def(`${name}_mmx`, (m, dst, src) => {
    checkMmx(m);
    const b = widenMmx(m, m.read(src!) as L);
    const a = widenMmx(m, m.read(dst!) as L);
    const r = m.let(m.extractLane('i64x2', low(m, a, b), 0));
    enterMmx(m);
    writeMmx(m, dst!, r);
  });
  enc(`np 0f 38 ${hex(opcode)} /r`, `${name}_mmx`, 'Pq,Qq', { feature });
}

const shuffleBy =
  (mask: number): Packed =>
  (m, a, b) =>
    m.simd('i8x16.swizzle', a, m.simd('v128.and', b, bytes(mask)));
both(0x00, 'pshufb', shuffleBy(0x8f), shuffleBy(0x87));

/** Operation on neighbouring elements of `width` bytes, the destination's results first. */
function neighbours(width: number, op: string): [Packed, Packed] {
  const even: number[] = [];
  for (let at = 0; at < 32; at += 2 * width) for (let k = 0; k < width; k++) even.push(at + k);
  const odd = even.map((x) => x + width);
  const fn: Packed = (m, a, b) => m.simd(op, m.shuffle(a, b, even), m.shuffle(a, b, odd));
  const low: Packed = (m, a, b) => {
    const joined = m.let(m.shuffle(a, b, LOW_HALVES));
    return fn(m, joined, joined);
  };
  return [fn, low];
}
both(0x01, 'phaddw', ...neighbours(2, 'i16x8.add'));
both(0x02, 'phaddd', ...neighbours(4, 'i32x4.add'));
both(0x03, 'phaddsw', ...neighbours(2, 'i16x8.add_sat_s'));
both(0x05, 'phsubw', ...neighbours(2, 'i16x8.sub'));
both(0x06, 'phsubd', ...neighbours(4, 'i32x4.sub'));
both(0x07, 'phsubsw', ...neighbours(2, 'i16x8.sub_sat_s'));

both(0x04, 'pmaddubsw', (m, a, b) => {
  // bytes of a without, those of b with sign; each product fits in 16 bits
  const eight = m.i32(8);
  const low = v128(Array.from({ length: 16 }, (_, i) => (i & 1 ? 0 : 0xff)));
  const evenB = m.simd('i16x8.shr_s', m.simd('i16x8.shl', b, eight), eight);
  const even = m.simd('i16x8.mul', m.simd('v128.and', a, low), evenB);
  const odd = m.simd('i16x8.mul', m.simd('i16x8.shr_u', a, eight), m.simd('i16x8.shr_s', b, eight));
  return m.simd('i16x8.add_sat_s', even, odd);
});

for (const [opcode, suffix, shape] of [
  [0x08, 'b', 'i8x16'],
  [0x09, 'w', 'i16x8'],
  [0x0a, 'd', 'i32x4'],
] as const) {
  both(opcode, `psign${suffix}`, (m, a, b) => {
    const negative = m.let(m.simd(`${shape}.lt_s`, b, bytes(0)));
    const signed = m.simd(`${shape}.sub`, m.simd('v128.xor', a, negative), negative);
    return m.simd('v128.andnot', signed, m.simd(`${shape}.eq`, b, bytes(0)));
  });
}

both(0x0b, 'pmulhrsw', (m, a, b) => {
  const least = m.simd('i16x8.splat', m.i32(-0x8000));
  // the only product that saturates here and wraps there
  const wrapped = m.simd('v128.and', m.simd('i16x8.eq', a, least), m.simd('i16x8.eq', b, least));
  return m.simd('v128.xor', m.simd('i16x8.q15mulr_sat_s', a, b), wrapped);
});

for (const [opcode, suffix, shape] of [
  [0x1c, 'b', 'i8x16'],
  [0x1d, 'w', 'i16x8'],
  [0x1e, 'd', 'i32x4'],
] as const) {
  both(opcode, `pabs${suffix}`, (m, _a, b) => m.simd(`${shape}.abs`, b));
}

/** 16 bytes from place `n` on of `low` followed by `high`, then zeros. */
function alignRight(m: Machine, high: V, low: V, n: I): V {
  if (n.isConst && n.lo <= 16) {
    return m.shuffle(
      low,
      high,
      Array.from({ length: 16 }, (_, i) => i + n.lo),
    );
  }
  const count = m.let(m.select(m.gtU(n, 32), m.i32(32), n));
  const at = m.let(m.simd('i8x16.add', INDICES, m.simd('i8x16.splat', count)));
  // indices outside 0-15 give zero
  const upper = m.simd('i8x16.swizzle', high, m.simd('i8x16.sub', at, bytes(16)));
  return m.simd('v128.or', m.simd('i8x16.swizzle', low, at), upper);
}
def('palignr', (m, dst, src, imm) => {
  checkSse(m);
  const b = m.readAligned(src!);
  m.writeVector(dst!, alignRight(m, m.readVector(dst!), b, m.let(m.read(imm!) as I)));
});
enc('66 0f 3a 0f /r', 'palignr', 'Vdq,Wdq,Ib', { feature });
def('palignr_mmx', (m, dst, src, imm) => {
  checkMmx(m);
  const b = widenMmx(m, m.read(src!) as L);
  const a = widenMmx(m, m.read(dst!) as L);
  const joined = m.let(m.shuffle(b, a, LOW_HALVES));
  const r = m.let(m.extractLane('i64x2', alignRight(m, bytes(0), joined, m.let(m.read(imm!) as I)), 0));
  enterMmx(m);
  writeMmx(m, dst!, r);
});
enc('np 0f 3a 0f /r', 'palignr_mmx', 'Pq,Qq,Ib', { feature });
