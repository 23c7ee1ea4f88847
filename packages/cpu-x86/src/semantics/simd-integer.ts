import { type Val, v128, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkMmx, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, widenMmx, writeMmx } from './mmx-state.ts';

type V = Val<'v128'>;
/** Result of a packed operation on destination and source. */
type Packed = (m: Machine, a: V, b: V) => V;

const direct =
  (name: string): Packed =>
  (m, a, b) =>
    m.simd(name, a, b);
const swapped =
  (name: string): Packed =>
  (m, a, b) =>
    m.simd(name, b, a);

/** The upper halves of eight 32-bit products. */
const HIGH_WORDS = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
const mulHigh =
  (sign: 's' | 'u'): Packed =>
  (m, a, b) =>
    m.shuffle(
      m.simd(`i32x4.extmul_low_i16x8_${sign}`, a, b),
      m.simd(`i32x4.extmul_high_i16x8_${sign}`, a, b),
      HIGH_WORDS,
    );
const EVEN_DWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
const mulEven: Packed = (m, a, b) =>
  m.simd('i64x2.extmul_low_i32x4_u', m.shuffle(a, a, EVEN_DWORDS), m.shuffle(b, b, EVEN_DWORDS));
const sad: Packed = (m, a, b) => {
  const d = m.simd('i8x16.sub', m.simd('i8x16.max_u', a, b), m.simd('i8x16.min_u', a, b));
  const sums = m.let(m.simd('i32x4.extadd_pairwise_i16x8_u', m.simd('i16x8.extadd_pairwise_i8x16_u', d)));
  const mask = v128pair(0xffff_ffffn, 0xffff_ffffn);
  return m.simd('v128.and', m.simd('i64x2.add', sums, m.simd('i64x2.shr_u', sums, m.i32(32))), mask);
};

/** Operations that work on both halves alike, so that the MMX form is the low half of the SSE form. */
const LANEWISE: readonly (readonly [opcode: number, name: string, fn: Packed])[] = [
  [0x64, 'pcmpgtb', direct('i8x16.gt_s')],
  [0x65, 'pcmpgtw', direct('i16x8.gt_s')],
  [0x66, 'pcmpgtd', direct('i32x4.gt_s')],
  [0x74, 'pcmpeqb', direct('i8x16.eq')],
  [0x75, 'pcmpeqw', direct('i16x8.eq')],
  [0x76, 'pcmpeqd', direct('i32x4.eq')],
  [0xd4, 'paddq', direct('i64x2.add')],
  [0xd5, 'pmullw', direct('i16x8.mul')],
  [0xd8, 'psubusb', direct('i8x16.sub_sat_u')],
  [0xd9, 'psubusw', direct('i16x8.sub_sat_u')],
  [0xda, 'pminub', direct('i8x16.min_u')],
  [0xdb, 'pand', direct('v128.and')],
  [0xdc, 'paddusb', direct('i8x16.add_sat_u')],
  [0xdd, 'paddusw', direct('i16x8.add_sat_u')],
  [0xde, 'pmaxub', direct('i8x16.max_u')],
  [0xdf, 'pandn', swapped('v128.andnot')],
  [0xe0, 'pavgb', direct('i8x16.avgr_u')],
  [0xe3, 'pavgw', direct('i16x8.avgr_u')],
  [0xe4, 'pmulhuw', mulHigh('u')],
  [0xe5, 'pmulhw', mulHigh('s')],
  [0xe8, 'psubsb', direct('i8x16.sub_sat_s')],
  [0xe9, 'psubsw', direct('i16x8.sub_sat_s')],
  [0xea, 'pminsw', direct('i16x8.min_s')],
  [0xeb, 'por', direct('v128.or')],
  [0xec, 'paddsb', direct('i8x16.add_sat_s')],
  [0xed, 'paddsw', direct('i16x8.add_sat_s')],
  [0xee, 'pmaxsw', direct('i16x8.max_s')],
  [0xef, 'pxor', direct('v128.xor')],
  [0xf4, 'pmuludq', mulEven],
  [0xf5, 'pmaddwd', direct('i32x4.dot_i16x8_s')],
  [0xf6, 'psadbw', sad],
  [0xf8, 'psubb', direct('i8x16.sub')],
  [0xf9, 'psubw', direct('i16x8.sub')],
  [0xfa, 'psubd', direct('i32x4.sub')],
  [0xfb, 'psubq', direct('i64x2.sub')],
  [0xfc, 'paddb', direct('i8x16.add')],
  [0xfd, 'paddw', direct('i16x8.add')],
  [0xfe, 'paddd', direct('i32x4.add')],
];

/** Packs: the MMX form packs destination and source side by side. */
const PACKS: readonly (readonly [opcode: number, name: string, op: string])[] = [
  [0x63, 'packsswb', 'i8x16.narrow_i16x8_s'],
  [0x67, 'packuswb', 'i8x16.narrow_i16x8_u'],
  [0x6b, 'packssdw', 'i16x8.narrow_i32x4_s'],
];

/** Byte indices that interleave elements of `width` bytes from the low or high halves. */
function interleave(width: number, high: boolean): number[] {
  const out: number[] = [];
  for (let e = 0; e < 8 / width; e++) {
    for (const source of [0, 16]) {
      for (let k = 0; k < width; k++) out.push(source + (high ? 8 : 0) + e * width + k);
    }
  }
  return out;
}
const UNPACKS: readonly (readonly [low: number, high: number, suffix: string, width: number])[] = [
  [0x60, 0x68, 'bw', 1],
  [0x61, 0x69, 'wd', 2],
  [0x62, 0x6a, 'dq', 4],
];

const hex = (n: number): string => n.toString(16).padStart(2, '0');

function sse(opcode: number, name: string, fn: Packed): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    const a = m.readVector(dst!);
    m.writeVector(dst!, fn(m, a, b));
  });
  enc(`66 0f ${hex(opcode)} /r`, name, 'Vdq,Wdq');
}

/**
 * The MMX form: operands in the low lanes, the result taken from lane `lane` of what `fn` gives. `half`: only 32 bits of a
 * memory source are read.
 */
function mmx(opcode: number, name: string, fn: Packed, lane = 0, half = false): void {
  def(`${name}_mmx`, (m, dst, src) => {
    checkMmx(m);
    const v = m.read(src!);
    const b = widenMmx(m, v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>));
    const a = widenMmx(m, m.read(dst!) as Val<'i64'>);
    const r = m.let(m.extractLane('i64x2', fn(m, a, b), lane));
    enterMmx(m);
    writeMmx(m, dst!, r);
  });
  if (half) {
    enc(`np 0f ${hex(opcode)} /r reg`, `${name}_mmx`, 'Pq,Nq');
    enc(`np 0f ${hex(opcode)} /r mem`, `${name}_mmx`, 'Pq,Md');
  } else enc(`np 0f ${hex(opcode)} /r`, `${name}_mmx`, 'Pq,Qq');
}

for (const [opcode, name, fn] of LANEWISE) {
  sse(opcode, name, fn);
  mmx(opcode, name, fn);
}
for (const [opcode, name, op] of PACKS) {
  sse(opcode, name, direct(op));
  mmx(opcode, name, (m, a, b) => {
    const both = m.let(m.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]));
    return m.simd(op, both, both);
  });
}
for (const [low, high, suffix, width] of UNPACKS) {
  const lows = interleave(width, false);
  const highs = interleave(width, true);
  sse(low, `punpckl${suffix}`, (m, a, b) => m.shuffle(a, b, lows));
  sse(high, `punpckh${suffix}`, (m, a, b) => m.shuffle(a, b, highs));
  // sixteen bytes of low halves interleaved are the MMX results of both instructions, one after the other
  mmx(low, `punpckl${suffix}`, (m, a, b) => m.shuffle(a, b, lows), 0, true);
  mmx(high, `punpckh${suffix}`, (m, a, b) => m.shuffle(a, b, lows), 1);
}
sse(0x6c, 'punpcklqdq', (m, a, b) => m.shuffle(a, b, interleave(8, false)));
sse(0x6d, 'punpckhqdq', (m, a, b) => m.shuffle(a, b, interleave(8, true)));

// Shifts: by the low 64 bits of the source, or by an immediate

/** Shift of each element; counts beyond the width give zero, or the sign when arithmetic. */
function shift(op: string, bits: number): (m: Machine, a: V, count: Val<'i64'>) => V {
  return (m, a, count) => {
    const n = m.let(count);
    const inside = m.let(m.ltU(n, bits));
    if (op === 'shr_s') {
      return m.simd(`i${bits}x${128 / bits}.shr_s`, a, m.select(inside, m.wrap(n), m.i32(bits - 1)));
    }
    const shifted = m.simd(`i${bits}x${128 / bits}.${op}`, a, m.wrap(n));
    return m.select(inside, shifted, v128pair(0n, 0n));
  };
}
const SHIFTS: readonly (readonly [opcode: number, group: string, name: string, op: string, bits: number])[] = [
  [0xd1, '71 /2', 'psrlw', 'shr_u', 16],
  [0xd2, '72 /2', 'psrld', 'shr_u', 32],
  [0xd3, '73 /2', 'psrlq', 'shr_u', 64],
  [0xe1, '71 /4', 'psraw', 'shr_s', 16],
  [0xe2, '72 /4', 'psrad', 'shr_s', 32],
  [0xf1, '71 /6', 'psllw', 'shl', 16],
  [0xf2, '72 /6', 'pslld', 'shl', 32],
  [0xf3, '73 /6', 'psllq', 'shl', 64],
];
for (const [opcode, group, name, op, bits] of SHIFTS) {
  const fn = shift(op, bits);
  const byVector: Packed = (m, a, b) => fn(m, a, m.extractLane('i64x2', b, 0));
  sse(opcode, name, byVector);
  mmx(opcode, name, byVector);
  def(`${name}_i`, (m, dst, count) => {
    checkSse(m);
    m.writeVector(dst!, fn(m, m.readVector(dst!), m.extU(m.read(count!) as Val<'i32'>)));
  });
  enc(`66 0f ${group} reg`, `${name}_i`, 'Udq,Ib');
  def(`${name}_mmx_i`, (m, dst, count) => {
    checkMmx(m);
    const r = fn(m, widenMmx(m, m.read(dst!) as Val<'i64'>), m.extU(m.read(count!) as Val<'i32'>));
    enterMmx(m);
    writeMmx(m, dst!, m.let(m.extractLane('i64x2', r, 0)));
  });
  enc(`np 0f ${group} reg`, `${name}_mmx_i`, 'Nq,Ib');
}
const INDICES = v128(Array.from({ length: 16 }, (_, i) => i));
for (const [name, group, op] of [
  ['psrldq', '73 /3', 'i8x16.add'],
  ['pslldq', '73 /7', 'i8x16.sub'],
] as const) {
  def(name, (m, dst, count) => {
    checkSse(m);
    const n = m.let(m.read(count!) as Val<'i32'>);
    const clamped = m.simd('i8x16.splat', m.select(m.gtU(n, 16), m.i32(16), n));
    // indices outside 0-15 give zero
    m.writeVector(dst!, m.simd('i8x16.swizzle', m.readVector(dst!), m.simd(op, INDICES, clamped)));
  });
  enc(`66 0f ${group} reg`, name, 'Udq,Ib');
}

// Masks and leaving MMX state

def('pmovmskb', (m, dst, src) => {
  checkSse(m);
  m.write(dst!, m.simdTest('i8x16.bitmask', m.readVector(src!)));
});
enc('66 0f d7 /r reg', 'pmovmskb', 'Gd,Udq');
def('pmovmskb_mmx', (m, dst, src) => {
  checkMmx(m);
  const v = m.simdTest('i8x16.bitmask', widenMmx(m, m.read(src!) as Val<'i64'>));
  enterMmx(m);
  m.write(dst!, m.and(v, 0xff));
});
enc('np 0f d7 /r reg', 'pmovmskb_mmx', 'Gd,Nq');
def('emms', (m) => {
  checkMmx(m);
  // the reference processor clears TOP as every MMX instruction does
  m.put('fpuTop', 0);
  m.put('fpuTags', 0);
});
enc('np 0f 77', 'emms');
