import { type Val, v128, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import {
  type Arith,
  PACKED,
  PACKED_COMPARE,
  PACKED_SQRT,
  SCALAR,
  SCALAR_COMPARE,
  SCALAR_SQRT,
  type Shape,
  softOf,
} from '../fpu/simd.ts';
import { Relation } from '../fpu/small.ts';
import { def } from './def.ts';
import { checkSimdExceptions, checkSse, readAligned } from './fp-check.ts';
import type { Machine } from './machine.ts';
import type { Operand } from './operand.ts';
import { Flag } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

/** The four forms of an SSE operation: prefix, suffix, lane shape, whether scalar, operand letters. */
const FORMS = [
  ['np', 'ps', 'f32x4', false, 'Vdq,Wdq'],
  ['66', 'pd', 'f64x2', false, 'Vdq,Wdq'],
  ['f3', 'ss', 'f32x4', true, 'Vd,Wd'],
  ['f2', 'sd', 'f64x2', true, 'Vq,Wq'],
] as const;

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const bits64 = (m: Machine, v: Val): L => (v.type === 'i64' ? (v as L) : m.extU(v as I));

/** Defines a packed or scalar operation: reads, computes, checks exceptions, writes. */
function operation(name: string, scalar: boolean, compute: (m: Machine, dst: Operand, src: Operand) => Val): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const r = m.let(compute(m, dst!, src!));
    checkSimdExceptions(m);
    if (scalar) m.write(dst!, r as I);
    else m.writeVector(dst!, r as V);
  });
}

for (const [opcode, op] of [
  [0x58, 'add'],
  [0x59, 'mul'],
  [0x5c, 'sub'],
  [0x5d, 'min'],
  [0x5e, 'div'],
  [0x5f, 'max'],
] as readonly (readonly [number, Arith])[]) {
  for (const [prefix, suffix, shape, scalar, letters] of FORMS) {
    operation(`${op}${suffix}`, scalar, (m, dst, src) => {
      if (!scalar) {
        const b = readAligned(m, src);
        return m.invoke<'v128'>(PACKED[op][shape], m.readVector(dst), b);
      }
      const b = m.read(src);
      return m.invoke(SCALAR[op][shape], m.read(dst), b);
    });
    enc(`${prefix} 0f ${hex(opcode)} /r`, `${op}${suffix}`, letters);
  }
}
for (const [prefix, suffix, shape, scalar, letters] of FORMS) {
  operation(`sqrt${suffix}`, scalar, (m, _, src) =>
    scalar
      ? m.invoke(SCALAR_SQRT.sqrt[shape], m.read(src))
      : m.invoke<'v128'>(PACKED_SQRT.sqrt[shape], readAligned(m, src)),
  );
  enc(`${prefix} 0f 51 /r`, `sqrt${suffix}`, letters);
}

// Comparisons

for (const [prefix, suffix, shape, scalar, letters] of FORMS) {
  def(`cmp${suffix}`, (m, dst, src, imm) => {
    checkSse(m);
    const predicate = (): I => m.let(m.and(m.read(imm!) as I, 7));
    if (scalar) {
      const b = bits64(m, m.read(src!));
      const a = bits64(m, m.read(dst!));
      const r = m.let(m.invoke<'i64'>(SCALAR_COMPARE[shape], a, b, predicate()));
      checkSimdExceptions(m);
      m.write(dst!, shape === 'f64x2' ? r : m.wrap(r));
    } else {
      const b = readAligned(m, src!);
      const r = m.let(m.invoke<'v128'>(PACKED_COMPARE[shape], m.readVector(dst!), b, predicate()));
      checkSimdExceptions(m);
      m.writeVector(dst!, r);
    }
  });
  enc(`${prefix} 0f c2 /r`, `cmp${suffix}`, `${letters},Ib`);
}
for (const [opcode, name, signaling] of [
  [0x2e, 'ucomis', 0],
  [0x2f, 'comis', 1],
] as const) {
  for (const [prefix, suffix, shape, letters] of [
    ['np', 's', 'f32x4', 'Vd,Wd'],
    ['66', 'd', 'f64x2', 'Vq,Wq'],
  ] as readonly (readonly [string, string, Shape, string])[]) {
    def(`${name}${suffix}`, (m, dst, src) => {
      checkSse(m);
      const b = bits64(m, m.read(src!));
      const a = bits64(m, m.read(dst!));
      const r = m.let(m.invoke<'i32'>(softOf(shape).relation, a, b, m.i32(signaling)));
      checkSimdExceptions(m);
      // less: CF; equal: ZF; unordered: all three
      const flags = m.or(m.and(r, Flag.CF), m.shl(m.and(r, Relation.EQUAL), 5));
      const unordered = m.i32(Flag.ZF | Flag.PF | Flag.CF);
      m.setArithFlags(m.let(m.select(m.eq(r, Relation.UNORDERED), unordered, flags)));
    });
    enc(`${prefix} 0f ${hex(opcode)} /r`, `${name}${suffix}`, letters);
  }
}

// Bitwise

for (const [opcode, name, op] of [
  [0x54, 'and', 'v128.and'],
  [0x55, 'andn', 'v128.andnot'],
  [0x56, 'or', 'v128.or'],
  [0x57, 'xor', 'v128.xor'],
] as const) {
  def(`${name}ps`, (m, dst, src) => {
    checkSse(m);
    const b = readAligned(m, src!);
    const a = m.readVector(dst!);
    m.writeVector(dst!, name === 'andn' ? m.simd(op, b, a) : m.simd(op, a, b));
  });
  for (const p of ['np', '66']) enc(`${p} 0f ${hex(opcode)} /r`, `${name}ps`, 'Vdq,Wdq');
}
for (const [prefix, suffix, shape] of [
  ['np', 'ps', 'i32x4'],
  ['66', 'pd', 'i64x2'],
] as const) {
  def(`movmsk${suffix}`, (m, dst, src) => {
    checkSse(m);
    m.write(dst!, m.simdTest(`${shape}.bitmask`, m.readVector(src!)));
  });
  enc(`${prefix} 0f 50 /r reg`, `movmsk${suffix}`, 'Gd,Udq');
}

// Approximations. They raise nothing; denormal sources count as zero and tiny results become zero, whatever MXCSR says.
// They are computed exactly, so that every host gives the same result (within the architecture's 1.5 * 2^-12).

const EXPONENT = 0x7f80_0000;
/** Denormal lanes as zeros of their sign. */
function flushed(m: Machine, x: V): V {
  const splat = (v: number): V => m.simd('i32x4.splat', m.i32(v));
  const isTiny = m.simd('i32x4.eq', m.simd('v128.and', x, splat(EXPONENT)), splat(0));
  const sign = m.simd('v128.and', x, splat(0x8000_0000 | 0));
  return m.let(m.simd('v128.bitselect', sign, x, isTiny));
}
/** Lanes of `r`, but NaN sources made quiet, and other NaN results the default one. */
function nansOf(m: Machine, x: V, r: V): V {
  const splat = (v: number): V => m.simd('i32x4.splat', m.i32(v));
  const quiet = m.simd('v128.or', x, splat(0x0040_0000));
  const defaults = m.simd('v128.bitselect', r, splat(0xffc0_0000 | 0), m.simd('f32x4.eq', r, r));
  return m.simd('v128.bitselect', defaults, quiet, m.simd('f32x4.eq', x, x));
}
const ONE: V = v128([0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]);
for (const [opcode, name] of [
  [0x52, 'rsqrt'],
  [0x53, 'rcp'],
] as const) {
  const compute = (m: Machine, x: V): V => {
    const a = flushed(m, x);
    const d = name === 'rcp' ? a : m.simd('f32x4.sqrt', a);
    const r = flushed(m, m.let(m.simd('f32x4.div', ONE, d)));
    return nansOf(m, x, r);
  };
  def(`${name}ps`, (m, dst, src) => {
    checkSse(m);
    m.writeVector(dst!, compute(m, readAligned(m, src!)));
  });
  enc(`np 0f ${hex(opcode)} /r`, `${name}ps`, 'Vdq,Wdq');
  def(`${name}ss`, (m, dst, src) => {
    checkSse(m);
    const x = m.let(m.simd('i32x4.splat', m.read(src!)));
    m.write(dst!, m.let(m.extractLane('i32x4', compute(m, x), 0)));
  });
  enc(`f3 0f ${hex(opcode)} /r`, `${name}ss`, 'Vd,Wd');
}

// SSE3 horizontal and alternating arithmetic

const EVEN32 = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const ODD32 = EVEN32.map((x) => x + 4);
const EVEN64 = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const ODD64 = EVEN64.map((x) => x + 8);
for (const [prefix, suffix, shape, even, odd] of [
  ['f2', 'ps', 'f32x4', EVEN32, ODD32],
  ['66', 'pd', 'f64x2', EVEN64, ODD64],
] as const) {
  for (const [opcode, op] of [
    [0x7c, 'add'],
    [0x7d, 'sub'],
  ] as const) {
    operation(`h${op}${suffix}`, false, (m, dst, src) => {
      const b = readAligned(m, src);
      const a = m.readVector(dst);
      return m.invoke<'v128'>(PACKED[op][shape], m.shuffle(a, b, even), m.shuffle(a, b, odd));
    });
    enc(`${prefix} 0f ${hex(opcode)} /r`, `h${op}${suffix}`, 'Vdq,Wdq');
  }
  operation(`addsub${suffix}`, false, (m, dst, src) => {
    const b = readAligned(m, src);
    const a = m.readVector(dst);
    // each half of the work on two lanes, the other two at zero
    const mask = shape === 'f32x4' ? v128pair(0xffff_ffffn, 0xffff_ffffn) : v128pair((1n << 64n) - 1n, 0n);
    const keep = (v: V, even2: boolean): V => m.simd(even2 ? 'v128.and' : 'v128.andnot', v, mask);
    const differences = m.let(m.invoke<'v128'>(PACKED.sub[shape], keep(a, true), keep(b, true)));
    const sums = m.let(m.invoke<'v128'>(PACKED.add[shape], keep(a, false), keep(b, false)));
    return m.simd('v128.bitselect', differences, sums, mask);
  });
  enc(`${prefix} 0f d0 /r`, `addsub${suffix}`, 'Vdq,Wdq');
}
