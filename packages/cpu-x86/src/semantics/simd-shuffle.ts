import { type Val, v128 } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkMmx, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, widenMmx, writeMmx } from './mmx-state.ts';

type I = Val<'i32'>;
type V = Val<'v128'>;

const words = (...list: number[]): V => v128(list.flatMap((x) => [x & 255, x >> 8]));
const dwords = (...list: number[]): V =>
  v128(list.flatMap((x) => [x & 255, (x >> 8) & 255, (x >> 16) & 255, x >>> 24]));
const AND: string = 'v128.and';

/** The four 32-bit elements chosen by the two-bit fields of `imm`. */
export function shuffleDwords(m: Machine, a: V, imm: I): V {
  if (imm.isConst) {
    const lanes = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].map((k) => ((imm.lo >> (2 * i)) & 3) * 4 + k));
    return m.shuffle(a, a, lanes);
  }
  // multiplying moves each field to bits 6-7 of its lane
  const fields = m.simd('i32x4.mul', m.simd('i32x4.splat', imm), dwords(64, 16, 4, 1));
  const sel = m.simd(AND, m.simd('i32x4.shr_u', fields, m.i32(6)), dwords(3, 3, 3, 3));
  const bytes = m.simd('i32x4.mul', sel, m.simd('i32x4.splat', m.i32(0x0404_0404)));
  return m.simd('i8x16.swizzle', a, m.simd('i32x4.add', bytes, m.simd('i32x4.splat', m.i32(0x0302_0100))));
}

/** Four 16-bit elements of the low (or high) half chosen by `imm`; the other half is kept. */
function shuffleWords(m: Machine, a: V, imm: I, high: boolean): V {
  const fields = m.simd(
    'i16x8.mul',
    m.simd('i16x8.splat', imm),
    high ? words(0, 0, 0, 0, 64, 16, 4, 1) : words(64, 16, 4, 1, 0, 0, 0, 0),
  );
  const sel = m.simd(AND, m.simd('i16x8.shr_u', fields, m.i32(6)), words(3, 3, 3, 3, 3, 3, 3, 3));
  const index = m.simd('i16x8.add', sel, high ? words(0, 1, 2, 3, 4, 4, 4, 4) : words(0, 0, 0, 0, 4, 5, 6, 7));
  const bytes = m.simd('i16x8.mul', index, m.simd('i16x8.splat', m.i32(0x0202)));
  return m.simd('i8x16.swizzle', a, m.simd('i16x8.add', bytes, m.simd('i16x8.splat', m.i32(0x0100))));
}

for (const [prefix, name, fn] of [
  ['66', 'pshufd', shuffleDwords],
  ['f2', 'pshuflw', (m: Machine, a: V, i: I): V => shuffleWords(m, a, i, false)],
  ['f3', 'pshufhw', (m: Machine, a: V, i: I): V => shuffleWords(m, a, i, true)],
] as const) {
  def(name, (m, dst, src, imm) => {
    checkSse(m);
    const a = m.readAligned(src!);
    m.writeVector(dst!, fn(m, a, m.let(m.read(imm!) as I)));
  });
  enc(`${prefix} 0f 70 /r`, name, 'Vdq,Wdq,Ib');
}
def('pshufw', (m, dst, src, imm) => {
  checkMmx(m);
  const a = widenMmx(m, m.read(src!) as Val<'i64'>);
  const r = m.let(m.extractLane('i64x2', shuffleWords(m, a, m.let(m.read(imm!) as I), false), 0));
  enterMmx(m);
  writeMmx(m, dst!, r);
});
enc('np 0f 70 /r', 'pshufw', 'Pq,Qq,Ib');

def('shufps', (m, dst, src, imm) => {
  checkSse(m);
  const b = m.readAligned(src!);
  const a = m.readVector(dst!);
  const i = m.let(m.read(imm!) as I);
  const low = shuffleDwords(m, a, i);
  const high = shuffleDwords(m, b, i);
  m.writeVector(dst!, m.shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]));
});
enc('np 0f c6 /r', 'shufps', 'Vdq,Wdq,Ib');
def('shufpd', (m, dst, src, imm) => {
  checkSse(m);
  const b = m.readAligned(src!);
  const a = m.readVector(dst!);
  const i = m.let(m.read(imm!) as I);
  const pick = (v: V, bit: number): Val<'i64'> =>
    m.select(m.and(i, bit), m.extractLane('i64x2', v, 1), m.extractLane('i64x2', v, 0));
  const low = m.simd('i64x2.splat', pick(a, 1));
  m.writeVector(dst!, m.replaceLane('i64x2', low, 1, pick(b, 2)));
});
enc('66 0f c6 /r', 'shufpd', 'Vdq,Wdq,Ib');

const UNPACK_LOW_PS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const UNPACK_LOW_PD = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
for (const [pattern, name, lanes] of [
  ['np 0f 14 /r', 'unpcklps', UNPACK_LOW_PS],
  ['np 0f 15 /r', 'unpckhps', UNPACK_LOW_PS.map((x) => x + 8)],
  ['66 0f 14 /r', 'unpcklpd', UNPACK_LOW_PD],
  ['66 0f 15 /r', 'unpckhpd', UNPACK_LOW_PD.map((x) => x + 8)],
] as const) {
  def(name, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    m.writeVector(dst!, m.shuffle(m.readVector(dst!), b, lanes));
  });
  enc(pattern, name, 'Vdq,Wdq');
}

// Word insertion and extraction; the element number is an immediate

def('pinsrw', (m, dst, src, imm) => {
  checkSse(m);
  const v = m.read(src!) as I;
  const index = m.simd('i16x8.splat', m.and(m.read(imm!) as I, 7));
  const mask = m.simd('i16x8.eq', index, words(0, 1, 2, 3, 4, 5, 6, 7));
  m.writeVector(dst!, m.simd('v128.bitselect', m.simd('i16x8.splat', v), m.readVector(dst!), mask));
});
enc('66 0f c4 /r mem', 'pinsrw', 'Vdq,Mw,Ib');
enc('66 0f c4 /r reg', 'pinsrw', 'Vdq,Rd,Ib');
def('pinsrw_mmx', (m, dst, src, imm) => {
  checkMmx(m);
  const v = m.extU(m.and(m.read(src!) as I, 0xffff));
  const n = m.let(m.extU(m.shl(m.and(m.read(imm!) as I, 3), 4)));
  const rest = m.and(m.read(dst!) as Val<'i64'>, m.not(m.shl(m.i64(0xffff), n)));
  const r = m.let(m.or(rest, m.shl(v, n)));
  enterMmx(m);
  writeMmx(m, dst!, r);
});
enc('np 0f c4 /r mem', 'pinsrw_mmx', 'Pq,Mw,Ib');
enc('np 0f c4 /r reg', 'pinsrw_mmx', 'Pq,Rd,Ib');
def('pextrw', (m, dst, src, imm) => {
  checkSse(m);
  const index = m.add(m.mul(m.and(m.read(imm!) as I, 7), 0x0202), 0x0100);
  const picked = m.simd('i8x16.swizzle', m.readVector(src!), m.simd('i16x8.splat', index));
  m.write(dst!, m.extractLane('i16x8_u', picked, 0));
});
enc('66 0f c5 /r reg', 'pextrw', 'Gd,Udq,Ib');
def('pextrw_mmx', (m, dst, src, imm) => {
  checkMmx(m);
  const n = m.extU(m.shl(m.and(m.read(imm!) as I, 3), 4));
  const r = m.let(m.and(m.wrap(m.shrU(m.read(src!) as Val<'i64'>, n)), 0xffff));
  enterMmx(m);
  m.write(dst!, r);
});
enc('np 0f c5 /r reg', 'pextrw_mmx', 'Gd,Nq,Ib');

// SSE3 duplications

for (const [pattern, name, lanes] of [
  ['f3 0f 12 /r', 'movsldup', [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]],
  ['f3 0f 16 /r', 'movshdup', [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]],
] as const) {
  def(name, (m, dst, src) => {
    checkSse(m);
    const a = m.readAligned(src!);
    m.writeVector(dst!, m.shuffle(a, a, lanes));
  });
  enc(pattern, name, 'Vdq,Wdq');
}
def('movddup', (m, dst, src) => {
  checkSse(m);
  m.writeVector(dst!, m.simd('i64x2.splat', m.read(src!)));
});
enc('f2 0f 12 /r', 'movddup', 'Vdq,Wq');
