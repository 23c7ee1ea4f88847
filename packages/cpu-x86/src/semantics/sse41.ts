import { type Val, v128 } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { isMem, type Operand } from './operand.ts';
import { Flag } from './vectors.ts';

type I = Val<'i32'>;
type V = Val<'v128'>;
type Packed = (m: Machine, a: V, b: V) => V;

const feature = 'sse4.1';
const hex = (n: number): string => n.toString(16).padStart(2, '0');
const direct =
  (name: string): Packed =>
  (m, a, b) =>
    m.simd(name, a, b);

/** Defines an instruction of map 0F38 with two vectors, the source aligned in memory. */
function packed(opcode: number, name: string, fn: Packed, of: string = feature): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    m.writeVector(dst!, fn(m, m.readVector(dst!), b));
  });
  enc(`66 0f 38 ${hex(opcode)} /r`, name, 'Vdq,Wdq', { feature: of });
}

const EVEN_DWORDS = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
packed(0x28, 'pmuldq', (m, a, b) =>
  m.simd('i64x2.extmul_low_i32x4_s', m.shuffle(a, a, EVEN_DWORDS), m.shuffle(b, b, EVEN_DWORDS)),
);
packed(0x29, 'pcmpeqq', direct('i64x2.eq'));
packed(0x2b, 'packusdw', direct('i16x8.narrow_i32x4_u'));
for (const [i, suffix, op] of [
  [0, 'sb', 'i8x16.NAME_s'],
  [1, 'sd', 'i32x4.NAME_s'],
  [2, 'uw', 'i16x8.NAME_u'],
  [3, 'ud', 'i32x4.NAME_u'],
] as const) {
  packed(0x38 + i, `pmin${suffix}`, direct(op.replace('NAME', 'min')));
  packed(0x3c + i, `pmax${suffix}`, direct(op.replace('NAME', 'max')));
}
packed(0x40, 'pmulld', direct('i32x4.mul'));
packed(0x37, 'pcmpgtq', direct('i64x2.gt_s'), 'sse4.2');

packed(0x41, 'phminposuw', (m, _a, b) => {
  // the word above its place: the least of these has the least word, and the lowest place among equals
  const places = (first: number): V => v128([0, 1, 2, 3].flatMap((i) => [first + i, 0, 0, 0]));
  const keys = (half: 'low' | 'high', first: number): V =>
    m.simd('v128.or', m.simd('i32x4.shl', m.simd(`i32x4.extend_${half}_i16x8_u`, b), m.i32(16)), places(first));
  const four = m.let(m.simd('i32x4.min_u', keys('low', 0), keys('high', 4)));
  const two = m.let(
    m.simd('i32x4.min_u', four, m.shuffle(four, four, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])),
  );
  const one = m.simd('i32x4.min_u', two, m.shuffle(two, two, [4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]));
  const zero = v128(Array<number>(16).fill(0));
  return m.shuffle(one, zero, [2, 3, 0, 1, ...Array<number>(12).fill(16)]);
});

// Blends by the sign bits of XMM0

for (const [opcode, name, shape, bits] of [
  [0x10, 'pblendvb', 'i8x16', 8],
  [0x14, 'blendvps', 'i32x4', 32],
  [0x15, 'blendvpd', 'i64x2', 64],
] as const) {
  def(name, (m, dst, src, selector) => {
    checkSse(m);
    const b = m.readAligned(src!);
    const mask = m.simd(`${shape}.shr_s`, m.readVector(selector!), m.i32(bits - 1));
    m.writeVector(dst!, m.simd('v128.bitselect', b, m.readVector(dst!), mask));
  });
  enc(`66 0f 38 ${hex(opcode)} /r`, name, 'Vdq,Wdq,XMM0', { feature });
}

// Blends by an immediate

for (const [opcode, name, shape, lanes] of [
  [0x0c, 'blendps', 'i32x4', 4],
  [0x0d, 'blendpd', 'i64x2', 2],
  [0x0e, 'pblendw', 'i16x8', 8],
] as const) {
  const width = 16 / lanes;
  def(name, (m, dst, src, imm) => {
    checkSse(m);
    const b = m.readAligned(src!);
    const a = m.readVector(dst!);
    const n = m.let(m.read(imm!) as I);
    if (n.isConst) {
      const from = (i: number): number => ((n.lo >> Math.floor(i / width)) & 1) * 16 + i;
      m.writeVector(
        dst!,
        m.shuffle(
          a,
          b,
          Array.from({ length: 16 }, (_, i) => from(i)),
        ),
      );
      return;
    }
    // lane i is chosen by bit i
    const bit = v128(Array.from({ length: 16 }, (_, i) => (i % width === 0 ? 1 << (i / width) : 0)));
    const chosen = m.simd('v128.and', m.simd(`${shape}.splat`, shape === 'i64x2' ? m.extU(n) : n), bit);
    m.writeVector(dst!, m.simd('v128.bitselect', b, a, m.simd(`${shape}.eq`, chosen, bit)));
  });
  enc(`66 0f 3a ${hex(opcode)} /r`, name, 'Vdq,Wdq,Ib', { feature });
}

// Widening moves: the source is the low part of a register, or as much memory as is used

/** Low part of a register, or that many bytes of memory in every lane. */
function readLow(m: Machine, src: Operand): V {
  if (!isMem(src)) return m.readVector(src);
  const v = m.read(src);
  return m.let(m.simd(src.bits === 64 ? 'i64x2.splat' : src.bits === 32 ? 'i32x4.splat' : 'i16x8.splat', v));
}
for (const [i, suffix, letters, steps] of [
  [0, 'bw', 'Wq', ['i16x8.extend_low_i8x16']],
  [1, 'bd', 'Wd', ['i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8']],
  [2, 'bq', 'Ww', ['i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4']],
  [3, 'wd', 'Wq', ['i32x4.extend_low_i16x8']],
  [4, 'wq', 'Wd', ['i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4']],
  [5, 'dq', 'Wq', ['i64x2.extend_low_i32x4']],
] as const) {
  for (const [base, kind, sign] of [
    [0x20, 'sx', 's'],
    [0x30, 'zx', 'u'],
  ] as const) {
    def(`pmov${kind}${suffix}`, (m, dst, src) => {
      checkSse(m);
      m.writeVector(
        dst!,
        steps.reduce((v: V, op) => m.simd(`${op}_${sign}`, v), readLow(m, src!)),
      );
    });
    enc(`66 0f 38 ${hex(base + i)} /r`, `pmov${kind}${suffix}`, `Vdq,${letters}`, { feature });
  }
}
enc('66 0f 38 2a /r mem', 'mova', 'Vdq,Mdq', { feature });

def('ptest', (m, dst, src) => {
  checkSse(m);
  const b = m.readAligned(src!);
  const a = m.readVector(dst!);
  const none = (v: V): I => m.eqz(m.simdTest('v128.any_true', v));
  const zero = m.shl(none(m.simd('v128.and', a, b)), 6);
  m.setArithFlags(m.let(m.or(zero, none(m.simd('v128.andnot', b, a)))));
});
enc('66 0f 38 17 /r', 'ptest', 'Vdq,Wdq', { feature });
if (Flag.ZF !== 0x40 || Flag.CF !== 1) throw new Error('PTEST places its flags by shifts');

// Single elements; their numbers are immediates

/** The element of `bytes` bytes with number `n`, in the low part of the vector. */
function element(m: Machine, v: V, n: I, bytes: number): V {
  const mask = 16 / bytes - 1;
  if (n.isConst) {
    const first = (n.lo & mask) * bytes;
    return m.shuffle(
      v,
      v,
      Array.from({ length: 16 }, (_, i) => (first + i) & 15),
    );
  }
  const first = m.mul(m.and(n, mask), bytes);
  const places = v128(Array.from({ length: 16 }, (_, i) => i));
  return m.simd('i8x16.swizzle', v, m.simd('i8x16.add', places, m.simd('i8x16.splat', first)));
}
/** All ones in element `n` of `bytes` bytes. */
function elementMask(m: Machine, n: I, bytes: number): V {
  const mask = 16 / bytes - 1;
  const numbers = v128(Array.from({ length: 16 }, (_, i) => Math.floor(i / bytes)));
  return m.simd('i8x16.eq', m.simd('i8x16.splat', m.and(n, mask)), numbers);
}

for (const [name, pattern, letters, bytes] of [
  ['pextrb', '66 0f 3a 14 /r reg', 'Rd', 1],
  ['pextrb', '66 0f 3a 14 /r mem', 'Mb', 1],
  ['pextrw_sse41', '66 0f 3a 15 /r reg', 'Rd', 2],
  ['pextrw_sse41', '66 0f 3a 15 /r mem', 'Mw', 2],
  ['pextrd', '66 0f 3a 16 /r', 'Ey', 4],
  ['extractps', '66 0f 3a 17 /r', 'Ed', 4],
] as const) {
  if (!pattern.endsWith('mem')) {
    def(name, (m, dst, src, imm) => {
      checkSse(m);
      const n = m.read(imm!) as I;
      const size = dst!.bits === 64 ? 8 : bytes;
      const v = element(m, m.readVector(src!), n, size);
      if (size === 8) m.write(dst!, m.extractLane('i64x2', v, 0));
      else m.write(dst!, m.extractLane(size === 1 ? 'i8x16_u' : size === 2 ? 'i16x8_u' : 'i32x4', v, 0));
    });
  }
  enc(pattern, name, `${letters},Vdq,Ib`, { feature });
}
for (const [name, pattern, letters, bytes] of [
  ['pinsrb', '66 0f 3a 20 /r reg', 'Rd', 1],
  ['pinsrb', '66 0f 3a 20 /r mem', 'Mb', 1],
  ['pinsrd', '66 0f 3a 22 /r', 'Ey', 4],
] as const) {
  if (!pattern.endsWith('mem')) {
    def(name, (m, dst, src, imm) => {
      checkSse(m);
      const size = src!.bits === 64 ? 8 : bytes;
      const v = m.read(src!);
      const all = m.simd(size === 8 ? 'i64x2.splat' : size === 1 ? 'i8x16.splat' : 'i32x4.splat', v);
      const mask = elementMask(m, m.read(imm!) as I, size);
      m.writeVector(dst!, m.simd('v128.bitselect', all, m.readVector(dst!), mask));
    });
  }
  enc(pattern, name, `Vdq,${letters},Ib`, { feature });
}
def('insertps', (m, dst, src, imm) => {
  checkSse(m);
  const n = m.let(m.read(imm!) as I);
  // a register gives the chosen element, memory the only one
  const all = isMem(src!)
    ? m.simd('i32x4.splat', m.read(src!))
    : m.simd('i32x4.splat', m.extractLane('i32x4', element(m, m.readVector(src!), m.shrU(n, 6), 4), 0));
  const inserted = m.simd('v128.bitselect', all, m.readVector(dst!), elementMask(m, m.shrU(n, 4), 4));
  const bit = v128([1, 2, 4, 8].flatMap((b) => [b, 0, 0, 0]));
  const cleared = m.simd('i32x4.eq', m.simd('v128.and', m.simd('i32x4.splat', n), bit), bit);
  m.writeVector(dst!, m.simd('v128.andnot', inserted, cleared));
});
enc('66 0f 3a 21 /r reg', 'insertps', 'Vdq,Udq,Ib', { feature });
enc('66 0f 3a 21 /r mem', 'insertps', 'Vdq,Md,Ib', { feature });

def('mpsadbw', (m, dst, src, imm) => {
  checkSse(m);
  const b = m.readAligned(src!);
  const a = m.readVector(dst!);
  const n = m.let(m.read(imm!) as I);
  const places = v128(Array.from({ length: 16 }, (_, i) => i));
  const start = m.and(n, 4);
  const from = m.let(m.simd('i8x16.swizzle', a, m.simd('i8x16.add', places, m.simd('i8x16.splat', start))));
  const block = m.let(m.shl(m.and(n, 3), 2));
  const sum = m.local('v128');
  for (let j = 0; j < 4; j++) {
    const window = m.shuffle(
      from,
      from,
      Array.from({ length: 16 }, (_, i) => (i + j) & 15),
    );
    // one byte of the block in every word: the upper index is outside and gives zero
    const byte = m.simd('i8x16.swizzle', b, m.simd('i16x8.splat', m.or(m.add(block, j), 0xff00)));
    const difference = m.simd('i16x8.abs', m.simd('i16x8.sub', m.simd('i16x8.extend_low_i8x16_u', window), byte));
    m.set(sum, j === 0 ? difference : m.simd('i16x8.add', sum, difference));
  }
  m.writeVector(dst!, sum);
});
enc('66 0f 3a 42 /r', 'mpsadbw', 'Vdq,Wdq,Ib', { feature });
